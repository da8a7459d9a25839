"""What a reader hands over: a raw log of events, or sessions that somebody cut already."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class RawLog:
    """Events in the order of the file, and the titles that came with them."""

    events: pl.LazyFrame
    """`user`, `item` (any integer type or text) and `time` (Int64, microseconds since 1970 UTC)."""
    rows: int
    """How many events there are."""
    titles: pl.DataFrame
    """`item_id`, `title` (text), one row an item, in the order of the file; may be empty."""
    duplicates: str = "drop"
    """What to do with a row that repeats user, item and time: `drop` it (and count it) or `refuse`
    the log."""
    shown: str = "events"
    """The events' file, for error messages."""


@dataclass(frozen=True)
class CutLog:
    """Sessions that keep all their events, and what was published with them."""

    sessions: pl.DataFrame
    """`source_id` (Int64, unique) and `items` (list of text, oldest first, target last)."""
    titles: pl.DataFrame
    """`item_id`, `title`, one row an item, in the order of the catalogue."""
    rankings: pl.DataFrame
    """`source_id`, `ranking` (list of 1-based catalogue rows, best first; as published)."""
    selections: pl.DataFrame
    """`list`, `position`, `source_id`."""


Source = RawLog | CutLog
