"""Sessions are one user's events of a day or until a silence, in a stable order."""

from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ParamsError
from pipeline.interactions.cutting import cut_sessions
from pipeline.params.interactions import SessionsParams
from tests.interactions.build import DAY, HOUR, SECOND, Row, events, rows, session_params

NIGHT = 1_000 * DAY + 23 * HOUR


def items(log: list[Row], params: SessionsParams) -> list[str]:
    """Return each session's items as one word."""
    return ["".join(session) for session in cut_sessions(events(log), params)["items"]]


def by_hand(log: list[Row], params: SessionsParams) -> list[tuple[list[str], int, int, int]]:
    """Return sessions as the definition says, one loop a rule."""
    zone = ZoneInfo(params.timezone)
    found = []
    numbered = sorted(enumerate(log), key=lambda event: (event[1][0], event[1][2], event[0]))
    for _, group in groupby(numbered, key=lambda event: event[1][0]):
        sessions: list[list[tuple[int, Row]]] = []
        for row, event in group:
            last = sessions[-1][-1][1][2] if sessions else None
            if last is None or _is_over(last, event[2], zone, params):
                sessions.append([])
            sessions[-1].append((row, event))
        found += sessions
    found.sort(key=lambda session: (session[0][1][2], session[0][0]))
    return [
        (_kept([e[1] for _, e in s], params.repeats), s[0][1][2], s[-1][1][2], len(s))
        for s in found
    ]


def _is_over(last: int, now: int, zone: ZoneInfo, params: SessionsParams) -> bool:
    if params.cut == "gap":
        return now - last > params.gap_minutes * 60 * SECOND
    days = [
        datetime.fromtimestamp(time / SECOND, UTC).astimezone(zone).date() for time in (last, now)
    ]
    return days[0] != days[1]


def _kept(taken: list[str], repeats: str) -> list[str]:
    ordered = taken if repeats == "first" else taken[::-1]
    kept = list(dict.fromkeys(ordered))
    return kept if repeats == "first" else kept[::-1]


@given(
    rows(),
    st.sampled_from(["day", "gap"]),
    st.sampled_from([29.5, 30, 600]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    st.sampled_from(["first", "last"]),
)
def test_sessions_are_those_of_the_definition(
    log: list[Row], cut: str, gap_minutes: float, timezone: str, repeats: str
) -> None:
    params = session_params(cut=cut, gap_minutes=gap_minutes, timezone=timezone, repeats=repeats)
    found = cut_sessions(events(log), params).select(
        "items", pl.col("started_at", "ended_at").dt.timestamp("us"), "events"
    )
    assert found.rows() == by_hand(log, params)


def test_a_day_ends_at_midnight_of_the_timezone() -> None:
    log = [("a", "x", NIGHT), ("a", "y", NIGHT + 2 * HOUR)]
    assert items(log, session_params()) == ["x", "y"]
    assert items(log, session_params(timezone="America/New_York")) == ["xy"]


def test_a_silence_of_exactly_the_gap_does_not_end_a_session() -> None:
    log = [("a", "x", NIGHT), ("a", "y", NIGHT + HOUR // 2), ("a", "z", NIGHT + HOUR + SECOND)]
    assert items(log, session_params(cut="gap")) == ["xy", "z"]


def test_events_of_one_moment_stand_in_the_order_of_the_file() -> None:
    log = [("b", "z", NIGHT), ("a", "y", NIGHT), ("a", "x", NIGHT), ("b", "w", NIGHT)]
    assert items(log, session_params()) == ["zw", "yx"]


def test_of_a_repeated_item_the_first_or_the_last_event_stays() -> None:
    log = [("a", item, NIGHT + place) for place, item in enumerate("xyxzy")]
    assert items(log, session_params(repeats="first")) == ["xyz"]
    assert items(log, session_params(repeats="last")) == ["xzy"]


def test_an_item_may_come_again_in_the_next_session() -> None:
    log = [("a", "x", NIGHT), ("a", "x", NIGHT + DAY), ("b", "x", NIGHT)]
    assert items(log, session_params()) == ["x", "x", "x"]


def test_whole_numbers_serve_as_identifiers() -> None:
    log = pl.LazyFrame({"user": [9, 7, 9], "item": [5, 5, 4], "time": [NIGHT, NIGHT, NIGHT + 1]})
    assert cut_sessions(log, session_params())["items"].to_list() == [[5, 4], [5]]


def test_an_unknown_timezone_is_answered_with_its_place() -> None:
    with pytest.raises(ParamsError, match=r"sessions\.timezone: 'Mars/North' is no IANA name"):
        cut_sessions(events([("a", "x", NIGHT)]), session_params(timezone="Mars/North"))
