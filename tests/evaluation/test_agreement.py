"""Agreement of two orders: hand-worked numbers and what must hold for any two lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.agreement import kendall, rank_biased_overlap

LISTS = st.lists(st.integers(0, 30), min_size=1, max_size=15, unique=True)


def test_equal_lists_agree_wholly_and_strangers_not_at_all() -> None:
    assert rank_biased_overlap("abcde", "abcde") == pytest.approx(1)
    assert rank_biased_overlap("abc", "xyz") == 0


def test_overlap_of_two_swapped_items_by_hand() -> None:
    """With p = .5, depth 1 shares 0 of 1, depth 2 shares 2 of 2.

    Seen: (1 - p)/p * (0 * .5 + 1 * .25) = .25; beyond, all goes on as at depth 2: 1 * .25.
    """
    assert rank_biased_overlap("ab", "ba", 0.5) == pytest.approx(0.5)


def test_overlap_of_lists_of_other_lengths_by_hand() -> None:
    """With p = .5; one list is the other's first item: the paper's equation 32 with s = 1, l = 2.

    Seen: X/d p^d = .5 + .5 * .25; beyond s: X_s (d - s)/(s d) p^d = 1 * 1/2 * .25; times
    (1 - p)/p = 1 that is .75; the tail is ((1 - 1)/2 + 1/1) * .25.
    """
    assert rank_biased_overlap("a", "ab", 0.5) == pytest.approx(1)


def test_early_places_count_more_than_late_ones() -> None:
    late, early = "abcdefghjik", "bacdefghijk"
    first = "abcdefghijk"
    assert rank_biased_overlap(first, late) > rank_biased_overlap(first, early)


@given(LISTS, LISTS)
def test_overlap_lies_between_0_and_1_and_has_no_sides(one: list[int], other: list[int]) -> None:
    found = rank_biased_overlap(one, other)
    assert -1e-12 <= found <= 1 + 1e-12
    assert found == pytest.approx(rank_biased_overlap(other, one))


@given(LISTS)
def test_a_list_agrees_with_itself(one: list[int]) -> None:
    assert rank_biased_overlap(one, one) == pytest.approx(1)


def test_kendall_by_hand() -> None:
    """2 4 1 3: of six pairs, (2,4), (2,3) and (1,3) rise and the three others fall."""
    assert kendall([2, 4, 1, 3]) == 0
    assert kendall([1, 5, 9]) == 1
    assert kendall([9, 5, 1]) == -1
    assert kendall([1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall([4]) is None
