"""Last.fm listening events with the titles and artists of their tracks."""

from pathlib import Path

import polars as pl

from pipeline.interactions.events import EventColumns, checked_events
from pipeline.interactions.source import RawLog
from pipeline.interactions.tabular import titles_of
from pipeline.interactions.textfiles import TextForm, existing, readable, scan_table

EVENT = EventColumns("user_id", "track_id", "timestamp")
CSV = TextForm()


def read_lastfm(folder: Path) -> RawLog:
    """Return ``events.csv`` with titles "Title - Artist" from ``tracks.csv`` (both also ``.gz``).

    Columns: `user_id`, `track_id`, `timestamp` (seconds); `track_id`, `title`, `artist` (several
    joined by ``|``).

    Raises:
        DataError: a file is missing or damaged, or a row cannot be used.
    """
    listens = existing(folder, "events.csv", "events.csv.gz")
    tracks = existing(folder, "tracks.csv", "tracks.csv.gz")
    with readable(listens, CSV):
        raw = scan_table(listens, CSV, EVENT.user, EVENT.item, EVENT.time)
        events = checked_events(raw, listens, EVENT)
    with readable(tracks, CSV):
        table = scan_table(tracks, CSV, "track_id", "title", "artist").collect()
    artists = pl.col("artist").str.replace_all("|", ", ", literal=True)
    named = pl.concat_str("title", artists, separator=" - ", ignore_nulls=True)
    titles = titles_of(table.with_columns(title=named), tracks, "track_id", "title")
    return RawLog(events.frame, events.rows, titles, file=listens)
