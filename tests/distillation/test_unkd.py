"""Unbiased distillation: groups of popularity, pairs by the teacher's order, and their loss."""

import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.distillation import unkd
from pipeline.distillation.unkd import (
    UnbiasedPairs,
    ordered_pairs,
    pairs_within,
    popularity,
    popularity_groups,
)
from pipeline.errors import DataError
from tests.distillation.materials import material
from tests.distillation.test_student import lesson
from tests.recommenders.toys import N_ITEMS, batches, chain_parts


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_the_loss_is_the_mean_over_the_pairs_that_are_there() -> None:
    scores = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[5.0, 5.0], [9.0, 0.0]]])
    there = torch.tensor([[True, True], [True, False]])
    expected = (softplus(-2) + softplus(1) + math.log(2)) / 3
    assert ordered_pairs(scores, there).item() == pytest.approx(expected, abs=1e-6)
    assert ordered_pairs(scores, torch.zeros(2, 2).bool()).item() == 0


def test_popularity_counts_events() -> None:
    assert popularity(batches([1, 2, 2], [2, 4]), 5).tolist() == [1, 3, 0, 1, 0]


def test_groups_have_about_equal_numbers_of_events_by_hand() -> None:
    # twelve events, four a group: items 2, 4, 6, 8 once, then 1 and 3, then 5 and 7 twice
    events = torch.tensor([2, 1, 2, 1, 2, 1, 2, 1])
    groups = [group.tolist() for group in popularity_groups(events, 3)]
    assert groups == [[2, 4, 6, 8], [1, 3], [5, 7]]


@settings(max_examples=40, deadline=None)
@given(events=st.lists(st.integers(1, 5), min_size=60, max_size=70))
def test_every_item_is_in_one_group_and_none_is_more_popular_than_the_next_groups(
    events: list[int],
) -> None:
    counted = torch.tensor([*events, 0, 0])
    groups = popularity_groups(counted, 3)
    assert sorted(torch.cat(groups).tolist()) == list(range(1, len(counted) + 1))
    for less, more in itertools.pairwise(groups):
        assert counted[less - 1].max() <= counted[more - 1].min()
    sizes = [int(counted[group - 1].sum()) for group in groups]
    assert max(sizes) - min(sizes) <= 2 * 5


def test_a_group_with_nothing_to_compare_is_refused() -> None:
    with pytest.raises(DataError, match="fewer than two"):
        popularity_groups(torch.tensor([1, 1, 1, 1, 1, 1, 30]), 3)


def drawn(scores: torch.Tensor, group: list[int], quota: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return pairs_within(scores, torch.tensor(group), quota, generator)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), quota=st.integers(1, 10))
def test_the_teachers_better_item_comes_first_and_no_item_twice(seed: int, quota: int) -> None:
    scores = torch.randn(5, 50, generator=torch.Generator().manual_seed(seed))
    scores[:, :5] = -torch.inf  # of the sessions
    group = list(range(1, 41))
    found = drawn(scores, group, quota, seed).long()
    assert found.shape == (5, quota, 2)
    for row, pairs in enumerate(found):
        items = pairs.flatten().tolist()
        assert len(set(items)) == 2 * quota
        assert set(items) <= set(range(6, 41))
        assert (scores[row, pairs[:, 0] - 1] > scores[row, pairs[:, 1] - 1]).all()


def test_where_too_few_items_are_left_there_is_no_pair() -> None:
    scores = torch.tensor([[5.0, 4.0, -torch.inf, -torch.inf], [1.0, 2.0, 3.0, 4.0]])
    found = drawn(scores, [1, 2, 3, 4], 2)
    assert sorted(found[0].tolist()) == [[0, 0], [1, 2]]
    assert found[1].min() > 0


def test_better_items_are_drawn_as_much_more_often_as_their_ranks_say() -> None:
    scores = -torch.arange(100.0).expand(20_000, 100)
    first = drawn(scores, list(range(1, 101)), 1)
    counts = Counter(first.flatten().tolist())
    near, far = (sum(counts[item] for item in range(one, one + 10)) for one in (1, 41))
    assert near / far == pytest.approx(math.exp(40 / 20), rel=0.15)


def test_each_group_has_the_same_quota_and_sessions_own_items_are_left_out() -> None:
    made = material()
    knowledge = UnbiasedPairs(made, lesson())
    training = chain_parts()["training"]
    pairs = knowledge._pairs
    quota = pairs.shape[1] // unkd.GROUPS
    assert pairs.dtype == torch.int32
    assert pairs.shape == (len(training), unkd.GROUPS * quota, 2)
    groups = popularity_groups(popularity(training, N_ITEMS), unkd.GROUPS)
    assert quota == min(unkd.PAIRS // unkd.GROUPS, min(map(len, groups)) // 2)
    queries = made.teacher.encode(training.inputs(training.examples("last"), 20))
    scores = made.teacher.score(queries, 1, N_ITEMS + 1)
    for session in range(0, len(training), 20):
        own = training.items[training.offsets[session] : training.offsets[session + 1]]
        for number, group in enumerate(groups):
            of_group = pairs[session, number * quota : (number + 1) * quota].long()
            there = of_group[of_group[:, 0] > 0]
            assert len(there) >= (len(group) - len(own)) // 2 - 1
            assert set(there.flatten().tolist()) <= set(group.tolist()) - set(own.tolist())
            ordered = scores[session, there[:, 0] - 1] >= scores[session, there[:, 1] - 1]
            assert ordered.all()


def test_offsets_of_items_take_part() -> None:
    made = material()
    UnbiasedPairs(made, lesson())(torch.arange(10), 0).backward()
    assert made.student.bias is not None
    assert made.student.bias.grad is not None
    assert made.student.bias.grad.any()
