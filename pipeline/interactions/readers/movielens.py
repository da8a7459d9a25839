"""MovieLens 100K and 1M: ratings as events, whatever the stars."""

from pathlib import Path

from pipeline.interactions.events import EventColumns, checked_events
from pipeline.interactions.source import RawLog
from pipeline.interactions.tabular import titles_of
from pipeline.interactions.textfiles import TextForm, existing, readable, scan_table

RATINGS = ("user_id", "movie_id", "rating", "timestamp")
EVENT = EventColumns("user_id", "movie_id", "timestamp")

TABBED = TextForm("\t", header=False, quoted=False)
BARRED = TextForm("|", header=False, quoted=False, encoding="iso-8859-1")
DOUBLE_COLON = TextForm("::", header=False, quoted=False)
DOUBLE_COLON_LATIN = TextForm("::", header=False, quoted=False, encoding="iso-8859-1")


def read_movielens_100k(folder: Path) -> RawLog:
    """Return the ratings of ``u.data`` with the titles of ``u.item`` (ISO-8859-1).

    Raises:
        DataError: a file is missing or damaged, or a row cannot be used.
    """
    return _read(folder / "u.data", TABBED, folder / "u.item", BARRED)


def read_movielens_1m(folder: Path) -> RawLog:
    """Return the ratings of ``ratings.dat`` (or ``.gz``) with ``movies.dat`` (ISO-8859-1).

    Raises:
        DataError: a file is missing or damaged, or a row cannot be used.
    """
    ratings = existing(folder, "ratings.dat", "ratings.dat.gz")
    return _read(ratings, DOUBLE_COLON, folder / "movies.dat", DOUBLE_COLON_LATIN)


def _read(ratings: Path, form: TextForm, movies: Path, movies_form: TextForm) -> RawLog:
    with readable(ratings, form):
        events = checked_events(scan_table(ratings, form, *RATINGS), ratings, EVENT)
    with readable(movies, movies_form):
        table = scan_table(movies, movies_form, "movie_id", "title", "rest").collect()
    titles = titles_of(table, movies, "movie_id", "title")
    return RawLog(events.frame, events.rows, titles, file=ratings)
