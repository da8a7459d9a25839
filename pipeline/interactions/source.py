"""What a reader hands over: a raw log of events, or sessions that somebody cut already."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

NO_TITLES = pl.DataFrame(schema={"item_id": pl.String, "title": pl.String})


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
    """A row that repeats user, item and time of an earlier one: `drop` and count it, or `refuse`
    the log."""
    file: Path = Path("events")
    columns: str = "user, item, time"
    """The events' file and its columns, for error messages."""


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
    file: Path = Path("sessions")


Source = RawLog | CutLog
