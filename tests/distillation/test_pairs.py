"""Rankings as weighted rows, and negatives outside session and list."""

from collections import Counter
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.distillation.pairs import Pairs, weight_at
from pipeline.tables import LABELLED
from tests.recommenders.toys import SHIPPED, sessions_frame

WEIGHTS = list(SHIPPED.distill.weights)


def labelled(rankings: dict[int, list[int]], **outcomes: str) -> pl.DataFrame:
    """Return the table LABELLED; outcomes are usable unless ``s<session>`` says otherwise."""
    n = len(rankings)
    rows: dict[str, Any] = {
        "session_id": list(rankings),
        "ranking": list(rankings.values()),
        "outcome": [outcomes.get(f"s{session}", "usable") for session in rankings],
        "reading": ["strict"] * n,
        "foreign": [0] * n,
        "repeated": [0] * n,
        "contains_target": [False] * n,
    }
    return pl.DataFrame(rows, LABELLED.columns)


def pairs_of(items: list[list[int]], rankings: dict[int, list[int]], **outcomes: str) -> Pairs:
    frame = sessions_frame(items, ["training"] * len(items))
    return Pairs.of(frame, labelled(rankings, **outcomes), WEIGHTS)


def test_weights_of_positions_by_hand() -> None:
    found = [weight_at(position, WEIGHTS) for position in range(1, 28)]
    assert found == [3] * 5 + [2] * 10 + [1] * 10 + [0] * 2


def test_a_ranking_gives_a_row_a_position_with_its_weight() -> None:
    pairs = pairs_of([[1, 2, 3]], {0: list(range(10, 40))})
    assert pairs.weight.tolist() == [3] * 5 + [2] * 10 + [1] * 10
    assert pairs.item.tolist() == list(range(10, 35))
    assert pairs.session.tolist() == [0] * 25
    assert pairs.weight.sum() == 45
    assert len(pairs) == 25


def test_a_session_is_shown_without_its_held_back_item() -> None:
    pairs = pairs_of([[1, 2, 3], [4, 5], [6, 7, 8, 9]], {2: [20], 0: [21, 22]})
    assert pairs.sessions.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert pairs.rankings.tolist() == [[21, 22], [20, 0]]
    assert pairs.session.tolist() == [0, 0, 1]
    assert pairs.item.tolist() == [21, 22, 20]
    assert pairs.weight.tolist() == [3, 3, 3]


@pytest.mark.parametrize("outcome", ["too_short", "refused", "truncated", "missing"])
def test_usable_rankings_alone_are_learnt_from(outcome: str) -> None:
    pairs = pairs_of([[1, 2], [3, 4]], {0: [9], 1: [8]}, s0=outcome)
    assert pairs.sessions.tolist() == [[3]]
    assert pairs.item.tolist() == [8]


def test_no_usable_ranking_gives_no_rows() -> None:
    pairs = pairs_of([[1, 2]], {0: []}, s0="refused")
    assert len(pairs) == 0
    assert len(pairs.to(torch.device("cpu")).sessions) == 0


def negatives(pairs: Pairs, n_items: int, seed: int = 1, times: int = 1) -> torch.Tensor:
    rows = torch.arange(len(pairs)).repeat(times)
    return pairs.negatives(rows, n_items, torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n_items=st.integers(45, 120), seed=st.integers(0, 2**32))
def test_a_negative_is_never_of_the_session_nor_of_the_list(
    data: st.DataObject, n_items: int, seed: int
) -> None:
    count = data.draw(st.integers(1, 4))
    items = st.integers(1, n_items)
    sessions = [data.draw(st.lists(items, min_size=2, max_size=7)) for _ in range(count)]
    lists = st.lists(items, min_size=1, max_size=30, unique=True)
    rankings = {place: data.draw(lists) for place in range(count)}
    pairs = pairs_of(sessions, rankings)
    for row, negative in enumerate(negatives(pairs, n_items, seed).tolist()):
        session = int(pairs.session[row])
        assert 1 <= negative <= n_items
        assert negative not in sessions[session][:-1]
        assert negative not in rankings[session]


def test_a_long_list_is_left_out_to_its_end() -> None:
    pairs = pairs_of([[1, 2]], {0: list(range(2, 40))})
    assert set(negatives(pairs, 50, times=20).tolist()) == set(range(40, 51))


def test_negatives_are_uniform_over_what_is_left() -> None:
    pairs = pairs_of([[1, 2, 9]], {0: [3]})
    counts = Counter(negatives(pairs, 10, times=7000).tolist())
    assert set(counts) == set(range(4, 11))
    assert all(abs(count - 1000) < 150 for count in counts.values())


def test_where_nothing_is_left_the_row_teaches_nothing() -> None:
    pairs = pairs_of([[1, 2, 9], [4, 5]], {0: [3, 4], 1: [3]})
    found = negatives(pairs, 4)
    assert found[:2].tolist() == [3, 4]  # its own item: a margin of zero
    assert found[2] in (1, 2)


def test_negatives_depend_on_the_generator_alone() -> None:
    pairs = pairs_of([[1, 2, 9]], {0: [3, 4, 5]})
    assert torch.equal(negatives(pairs, 50, 1, 9), negatives(pairs, 50, 1, 9))
    assert not torch.equal(negatives(pairs, 50, 1, 9), negatives(pairs, 50, 2, 9))
