"""Three parts: nothing is lost, nothing leaks."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.interactions.splitting import PARTS, STRADDLES, bounds, split

Span = tuple[int, int]


def sessions(spans: list[Span]) -> pl.DataFrame:
    """Return sessions of two events that begin and end at these moments."""
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "items": [[f"{place}", "x"] for place in range(len(spans))],
            "started_at": [first for first, _ in spans],
            "ended_at": [last for _, last in spans],
        }
    ).with_columns(pl.col("started_at", "ended_at").cast(moment))


def spans() -> st.SearchStrategy[list[Span]]:
    start, length = st.integers(0, 30), st.integers(0, 6)
    return st.lists(st.tuples(start, length).map(lambda s: (s[0], s[0] + s[1])), max_size=25)


@pytest.mark.parametrize(
    ("count", "expected"), [(12_323, (7_393, 9_858)), (20_091, (12_054, 16_072)), (3, (1, 2))]
)
def test_bounds_are_those_of_the_published_split(count: int, expected: Span) -> None:
    assert bounds(count) == expected == (int(0.6 * count), int(0.8 * count))


def test_order_takes_sessions_as_they_come() -> None:
    parted, lost = split(sessions([(0, 0)] * 5), "order", 1)
    assert parted["part"].to_list() == ["training"] * 3 + ["validation", "test"]
    assert lost == {}


@given(st.integers(0, 200), st.integers(0, 5))
def test_random_parts_have_the_bounds_of_the_published_split(count: int, seed: int) -> None:
    parted, lost = split(sessions([(0, 0)] * count), "random", seed)
    validation, test = bounds(count)
    sizes = [len(parted.filter(part=part)) for part in PARTS]
    assert sizes == [validation, test - validation, count - test]
    assert parted.drop("part").equals(sessions([(0, 0)] * count))
    assert lost == {}


def test_random_parts_depend_on_the_seed_alone() -> None:
    frame = sessions([(0, 0)] * 100)
    first, again, other = (split(frame, "random", seed)[0]["part"] for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


@given(spans())
def test_no_test_event_lies_before_a_training_event(drawn: list[Span]) -> None:
    frame = sessions(drawn)
    parted, lost = split(frame, "time", 1)
    ends = {part: parted.filter(part=part)["ended_at"].max() for part in PARTS}
    starts = {part: parted.filter(part=part)["started_at"].min() for part in PARTS}
    for earlier, later in pairwise(PARTS):
        for after in (later, PARTS[2]):
            if ends[earlier] is not None and starts[after] is not None:
                assert ends[earlier] < starts[after]  # type: ignore[operator]
    assert 2 * len(parted) + lost.get(STRADDLES, 0) == 2 * len(frame)


def test_a_session_on_both_sides_of_a_cut_is_dropped_and_counted() -> None:
    drawn = [(0, 1), (1, 2), (2, 9), (5, 6), (8, 9)]  # cuts at the starts 5 and 8
    parted, lost = split(sessions(drawn), "time", 1)
    assert parted["items"].list.first().to_list() == ["0", "1", "3", "4"]
    assert parted["part"].to_list() == ["training", "training", "validation", "test"]
    assert lost == {STRADDLES: 2}


def test_time_keeps_the_order_of_the_source() -> None:
    parted, _ = split(sessions([(9, 9), (0, 0), (5, 5), (1, 1), (7, 7)]), "time", 1)
    assert parted["part"].to_list() == ["test", *["training"] * 3, "validation"]
