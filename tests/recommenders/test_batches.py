"""Sessions as flat tensors: examples and inputs by hand, and against slices of lists."""

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recommenders.batches import SessionBatches
from tests.recommenders.toys import batches

lists = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=8), max_size=6)


def test_one_example_a_session_or_one_a_prefix() -> None:
    sessions = batches([1, 2, 3], [4, 5])
    assert sessions.items.tolist() == [1, 2, 3, 4, 5]
    assert sessions.offsets.tolist() == [0, 3, 5]
    assert len(sessions) == 2
    assert sessions.examples("last").tolist() == [[0, 2], [3, 4]]
    assert sessions.examples("all").tolist() == [[0, 1], [0, 2], [3, 4]]


def test_inputs_are_the_items_before_the_target_with_zeros_on_their_left() -> None:
    sessions = batches([1, 2, 3], [4, 5])
    every = sessions.examples("all")
    assert sessions.inputs(every, 3).tolist() == [[0, 0, 1], [0, 1, 2], [0, 0, 4]]
    assert sessions.inputs(every, 1).tolist() == [[1], [2], [4]]
    assert sessions.targets(every).tolist() == [2, 3, 5]


@pytest.mark.parametrize("kind", ["last", "all"])
def test_a_session_of_one_item_gives_no_example(kind: str) -> None:
    assert batches([7], [1, 2], [9]).examples(kind).tolist() == [[1, 2]]


@pytest.mark.parametrize("kind", ["last", "all"])
def test_no_sessions_give_no_examples(kind: str) -> None:
    nothing = SessionBatches.of(pl.DataFrame(schema={"items": pl.List(pl.Int32)}))
    assert len(nothing) == 0
    assert nothing.examples(kind).shape == (0, 2)


@given(rows=lists, length=st.integers(1, 10))
def test_examples_are_the_prefixes_of_the_lists(rows: list[list[int]], length: int) -> None:
    sessions = batches(*rows)
    expected = {
        "last": [row for row in rows if len(row) > 1],
        "all": [row[: end + 1] for row in rows for end in range(1, len(row))],
    }
    for kind, prefixes in expected.items():
        examples = sessions.examples(kind)
        assert sessions.targets(examples).tolist() == [row[-1] for row in prefixes]
        seen = [row[:-1][-length:] for row in prefixes]
        wide = [[0] * (length - len(row)) + row for row in seen]
        assert sessions.inputs(examples, length).reshape(-1, length).tolist() == wide


def test_sessions_move_between_devices_as_they_are() -> None:
    moved = batches([1, 2, 3], [4, 5]).to(torch.device("cpu"))
    assert moved.items.tolist() == [1, 2, 3, 4, 5]
    assert moved.offsets.tolist() == [0, 3, 5]
