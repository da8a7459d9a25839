"""True ranks and best items: by hand, in blocks, and against a slow version."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recommenders import ranking
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks, top_items
from tests.recommenders.toys import Fixed, batches, chain_parts, padded, trained

NAN = math.nan


def ranks_of(scores: Sequence[float], *sessions: list[int]) -> list[int]:
    """Return the ranks of the sessions' last items."""
    many = batches(*sessions)
    return [int(rank) for rank in target_ranks(Fixed(scores), many, many.examples("last"))]


def test_ranks_by_hand() -> None:
    scores = [0.1, 0.9, 0.5, 0.3, 0.7]
    assert ranks_of(scores, [1, 2], [1, 5], [1, 3], [1, 4]) == [1, 2, 3, 4]


def test_items_of_the_session_are_not_counted() -> None:
    scores = [0.1, 0.9, 0.5, 0.3, 0.7]
    assert ranks_of(scores, [2, 1], [2, 5, 1], [2, 5], [3, 4, 5, 2]) == [4, 3, 1, 1]


def test_ties_count_against_the_model() -> None:
    assert ranks_of([0.5, 0.5, 0.5, 0.5], [1, 2]) == [3]
    assert ranks_of([0.5, 0.5, 0.9, 0.1], [4, 1]) == [3]
    assert ranks_of([0.5, 0.5, 0.9, 0.1], [2, 1]) == [2]  # the tied item is in the session


def test_a_target_whose_score_is_no_number_has_the_worst_rank() -> None:
    assert ranks_of([0.1, NAN, 0.3, 0.4], [1, 2]) == [3]
    assert ranks_of([NAN, NAN, NAN, NAN], [1, 2]) == [3]


def test_other_scores_that_are_no_numbers_count_against_the_model() -> None:
    assert ranks_of([0.1, 0.2, NAN, 0.1], [1, 2]) == [2]
    assert ranks_of([NAN, 0.2, 0.1, 0.1], [1, 2]) == [1]  # but not those of the session


def test_infinite_scores_are_scores() -> None:
    assert ranks_of([0, math.inf, 5, -math.inf], [1, 2], [1, 3], [1, 4]) == [1, 2, 3]


def test_the_whole_session_is_excluded_beyond_what_the_model_looks_at() -> None:
    model, many = Fixed([0.9, 0.8, 0.7, 0.6, 0.5, 0.1]), batches([1, 2, 3, 4, 5, 6])
    assert target_ranks(model, many, many.examples("last")).tolist() == [1]
    assert model.asked[0].tolist() == [[3, 4, 5]]


def test_an_item_seen_twice_is_excluded_once() -> None:
    assert ranks_of([0.9, 0.8, 0.1, 0.5], [1, 1, 1, 3], [1, 2, 1, 2, 3]) == [3, 2]


def test_a_target_that_its_session_holds_comes_after_every_other_item() -> None:
    assert ranks_of([0.9, 0.8, 0.7, 0.6], [1, 2, 1], [1, 1]) == [3, 4]


def test_prefixes_have_ranks_of_their_own() -> None:
    model, many = Fixed([0.9, 0.8, 0.1, 0.5]), batches([3, 4, 2, 1])
    assert target_ranks(model, many, many.examples("all")).tolist() == [3, 2, 1]


def test_no_sessions_have_no_ranks() -> None:
    many = batches([1])
    assert target_ranks(Fixed([1.0, 2.0]), many, many.examples("last")).tolist() == []


values = st.sampled_from([-1.0, 0.0, 0.5, 0.5, 2.0, math.inf, NAN])
cases = st.integers(2, 9).flatmap(
    lambda n: st.tuples(
        st.lists(values, min_size=n, max_size=n),
        st.lists(st.lists(st.integers(1, n), min_size=2, max_size=7), min_size=1, max_size=40),
    )
)


def slow_rank(scores: list[float], session: list[int]) -> int:
    *seen, target = session
    if target in seen:
        return len(scores) - len(set(seen)) + 1
    others = set(range(1, len(scores) + 1)) - {*seen, target}
    return 1 + sum(not scores[item - 1] < scores[target - 1] for item in others)


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_ranks_are_those_of_a_slow_count(case: tuple[list[float], list[list[int]]]) -> None:
    scores, sessions = case
    assert ranks_of(scores, *sessions) == [slow_rank(scores, session) for session in sessions]


@settings(max_examples=60, deadline=None)
@given(case=cases, count=st.integers(1, 9))
def test_best_items_are_those_of_a_slow_sort(
    case: tuple[list[float], list[list[int]]], count: int
) -> None:
    scores = [0.25 if math.isnan(value) else value for value in case[0]]
    sessions, n = case[1], len(scores)
    count = max(1, min(count, n - max(len(set(session)) for session in sessions)))
    found, best = top_items(Fixed(scores), padded(*sessions), count)
    for row, row_scores, session in zip(found.tolist(), best.tolist(), sessions, strict=True):
        rest = sorted(set(range(1, n + 1)) - set(session), key=lambda i: (-scores[i - 1], i))
        if rest:
            assert row == rest[:count]
            assert row_scores == [scores[item - 1] for item in row]


@pytest.mark.parametrize("scores_at_once", [1, 40 * 17, 2**22])
def test_blocks_change_nothing(scores_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, test = trained("fpmc", "strong").model, chain_parts()["test"]
    examples = test.examples("last")
    ranks = target_ranks(model, test, examples)
    items, scores = top_items(model, test.inputs(examples, 4), 10)
    monkeypatch.setattr(ranking, "SCORES_AT_ONCE", scores_at_once)
    assert torch.equal(target_ranks(model, test, examples), ranks)
    again, scores_again = top_items(model, test.inputs(examples, 4), 10)
    assert torch.equal(again, items)
    torch.testing.assert_close(scores_again, scores, rtol=0, atol=1e-5)


def test_blocks_bound_the_scores_that_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "SCORES_AT_ONCE", 5 * 20)
    model, many = Fixed([0.1] * 5), batches(*[[1, 2]] * 90)
    target_ranks(model, many, many.examples("last"))
    assert [len(asked) for asked in model.asked] == [20, 20, 20, 20, 10]


def test_best_items_come_best_first_and_without_the_sessions_own() -> None:
    model = Fixed([0.1, 0.9, 0.5, 0.3, 0.7])
    items, scores = top_items(model, padded([2], [5, 4, 3, 2]), 1)
    assert items.tolist() == [[5], [1]]
    items, scores = top_items(model, padded([2], [3, 3]), 3)
    assert items.tolist() == [[5, 3, 4], [2, 5, 4]]
    torch.testing.assert_close(scores, torch.tensor([[0.7, 0.5, 0.3], [0.9, 0.7, 0.3]]))


@pytest.mark.parametrize("count", [1, 2, 7, 50, 298])
def test_equal_scores_are_ordered_by_item_also_where_the_list_ends(count: int) -> None:
    items, _ = top_items(Fixed([1.0] * 300), padded([1, 2], [3]), count)
    assert items.tolist() == [[*range(3, 301)][:count], [1, 2, *range(4, 301)][:count]]


def test_best_items_exclude_the_whole_session_and_look_at_its_end() -> None:
    model = Fixed([0.9, 0.8, 0.7, 0.6, 0.5, 0.1])
    items, _ = top_items(model, padded([1, 2, 3, 4, 5]), 1)
    assert items.tolist() == [[6]]
    assert model.asked[0].tolist() == [[3, 4, 5]]


def test_ndcg_by_hand() -> None:
    assert ndcg_at_10(torch.tensor([1, 3, 10, 11])) == pytest.approx(
        (1 + 1 / 2 + 1 / math.log2(11)) / 4
    )
