"""Small logs and parameters for the tests of this folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from pipeline.interactions.source import NO_TITLES, CutLog, RawLog
from pipeline.params.interactions import SessionsParams

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

Row = tuple[Any, Any, int]
"""User, item, time in microseconds."""


def session_params(**changes: Any) -> SessionsParams:
    """Return parameters that drop nothing, unless told otherwise."""
    values: dict[str, Any] = {
        "cut": "day",
        "gap_minutes": 30,
        "timezone": "UTC",
        "repeats": "first",
        "min_events": 2,
        "max_length": 1_000,
        "min_item_support": 0,
        "split": "order",
        "seed": 1,
    }
    return SessionsParams(**(values | changes))


def events(rows: Iterable[Row]) -> pl.LazyFrame:
    """Return rows as a reader's events; identifiers are text."""
    schema = {"user": pl.String, "item": pl.String, "time": pl.Int64}
    return pl.LazyFrame(list(rows), schema=schema, orient="row")


def raw_log(rows: Iterable[Row], duplicates: str = "drop") -> RawLog:
    """Return rows as a raw log without titles."""
    listed = list(rows)
    return RawLog(events(listed), len(listed), NO_TITLES, duplicates, Path("events.csv"))


def cut_log(sessions: Iterable[list[str]], items: Iterable[str]) -> CutLog:
    """Return sessions as an already cut log whose titles are the identifiers in capitals."""
    listed, known = list(sessions), list(items)
    return CutLog(
        pl.DataFrame(
            {"source_id": range(len(listed)), "items": listed},
            schema={"source_id": pl.Int64, "items": pl.List(pl.String)},
        ),
        pl.DataFrame(
            {"item_id": known, "title": [item.upper() for item in known]},
            schema={"item_id": pl.String, "title": pl.String},
        ),
        pl.DataFrame(schema={"source_id": pl.Int64, "ranking": pl.List(pl.Int32)}),
        pl.DataFrame(schema={"list": pl.String, "position": pl.Int32, "source_id": pl.Int64}),
    )


def rows(most: int = 60) -> st.SearchStrategy[list[Row]]:
    """Return a strategy of logs with few users, items and moments, so that all of them meet."""
    user, item = st.sampled_from("abc"), st.sampled_from("uvwxyz")
    moment = st.integers(0, 96).map(lambda half_hours: half_hours * HOUR // 2 + 1_000 * DAY)
    return st.lists(st.tuples(user, item, moment), min_size=1, max_size=most)


def busy_days() -> st.SearchStrategy[list[Row]]:
    """Return a strategy of logs whose users have some days with several events."""
    look = st.tuples(st.sampled_from("uvwxyz"), st.integers(0, 47))
    day = st.tuples(
        st.sampled_from("abcd"), st.integers(0, 8), st.lists(look, min_size=3, max_size=8)
    )
    return st.lists(day, min_size=8, max_size=16).map(
        lambda days: [
            (user, item, (1_000 + number) * DAY + half_hour * HOUR // 2)
            for user, number, looks in days
            for item, half_hour in looks
        ]
    )
