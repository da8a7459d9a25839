"""Controls: each on a table that fits on a page."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.distillation import lists
from pipeline.distillation.pairs import Pairs
from pipeline.tables import DIFFICULTY, LABELLED
from tests.distillation.test_pairs import labelled
from tests.recommenders.toys import sessions_frame

SESSIONS = sessions_frame(
    [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 5, 9]], ["training", "training", "training", "test"]
)
LABELS = labelled({2: [20, 9, 21], 0: [22, 23, 24, 25], 1: []}, s1="refused")
TEACHERS = pl.DataFrame(
    {
        "session_id": [0, 1, 2],
        "difficulty": [0.0, 0.0, 0.0],
        "candidates": [[31, 3, 32, 33, 34], [6, 35], [36, 37, 38, 9, 39]],
        "target_rank": [2, 1, 4],
        "fold": [-1, -1, -1],
    },
    DIFFICULTY.columns,
)


def table(frame: pl.DataFrame) -> dict[int, list[int]]:
    """Return the rankings of a table that is LABELLED in every column."""
    assert dict(frame.schema) == dict(pl.Schema(LABELLED.columns))
    assert frame["outcome"].unique().to_list() in ([], ["usable"])
    return dict(zip(frame["session_id"].to_list(), frame["ranking"].to_list(), strict=True))


def test_shuffled_lists_hold_the_same_items_in_another_order() -> None:
    found = table(lists.shuffled(LABELS, np.random.default_rng(3)))
    assert {session: sorted(items) for session, items in found.items()} == {
        0: [22, 23, 24, 25],
        2: [9, 20, 21],
    }
    assert found == table(lists.shuffled(LABELS, np.random.default_rng(3)))
    orders = {tuple(table(lists.shuffled(LABELS, np.random.default_rng(n)))[2]) for n in range(60)}
    assert len(orders) == 6


@settings(max_examples=20, deadline=None)
@given(order=st.permutations([0, 1, 2]))
def test_the_order_of_rows_is_nothing(order: list[int]) -> None:
    mixed = LABELS[order]
    expected = lists.shuffled(LABELS, np.random.default_rng(1))
    assert lists.shuffled(mixed, np.random.default_rng(1)).equals(expected)
    assert lists.label_only(mixed, SESSIONS).equals(lists.label_only(LABELS, SESSIONS))


def test_the_label_alone_is_the_held_back_item() -> None:
    found = lists.label_only(LABELS, SESSIONS)
    assert table(found) == {0: [3], 2: [9]}
    assert found["contains_target"].to_list() == [True, True]
    pairs = Pairs.of(SESSIONS, found, [(5, 3.0)])
    assert pairs.item.tolist() == [3, 9]
    assert pairs.sessions.tolist() == [[1, 2], [7, 8]]


def test_the_teachers_order_has_the_same_sessions_and_the_same_lengths() -> None:
    found = lists.teacher_order(LABELS, TEACHERS)
    assert table(found) == {0: [31, 3, 32, 33], 2: [36, 37, 38]}
    assert found["contains_target"].to_list() == [True, False]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (2, {0: [31, 3], 1: [6, 35], 2: [36, 37]}),
        (4, {0: [31, 3, 32, 33], 1: [6, 35], 2: [36, 37, 38, 9]}),
    ],
)
def test_the_teacher_ranks_every_training_session(
    length: int, expected: dict[int, list[int]]
) -> None:
    found = lists.teacher_lists(SESSIONS, TEACHERS, length)
    assert table(found) == expected
    assert found["contains_target"].to_list() == [True, True, length == 4]


def test_lists_of_nothing_are_empty_tables() -> None:
    nothing = LABELLED.empty()
    assert table(lists.shuffled(nothing, np.random.default_rng(1))) == {}
    assert table(lists.label_only(nothing, SESSIONS)) == {}
    assert table(lists.teacher_order(nothing, TEACHERS)) == {}
