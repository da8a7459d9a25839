"""HetRec 2011 MovieLens-2k: ratings with times as events."""

from pathlib import Path

from pipeline.interactions.events import EventColumns, checked_events
from pipeline.interactions.source import RawLog
from pipeline.interactions.tabular import titles_of
from pipeline.interactions.textfiles import TextForm, readable, scan_table

RATINGS = TextForm("\t", quoted=False)
MOVIES = TextForm("\t", quoted=False, encoding="iso-8859-1")
EVENT = EventColumns("userID", "movieID", "timestamp", unit="ms")


def read_hetrec(folder: Path) -> RawLog:
    """Return ``user_ratedmovies-timestamps.dat`` (milliseconds) with ``movies.dat`` (ISO-8859-1).

    Raises:
        DataError: a file is missing or damaged, or a row cannot be used.
    """
    ratings, movies = folder / "user_ratedmovies-timestamps.dat", folder / "movies.dat"
    with readable(ratings, RATINGS):
        raw = scan_table(ratings, RATINGS, EVENT.user, EVENT.item, EVENT.time)
        events = checked_events(raw, ratings, EVENT)
    with readable(movies, MOVIES):
        table = scan_table(movies, MOVIES, "id", "title").collect()
    return RawLog(events.frame, events.rows, titles_of(table, movies, "id", "title"), file=ratings)
