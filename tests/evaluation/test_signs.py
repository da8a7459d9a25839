"""The randomisation test at many draws: exact cases, SciPy, the slow version, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation import intervals
from pipeline.evaluation.signs import SIGNS, randomisation

DIFFERENCES = st.lists(st.floats(-1, 1).map(lambda one: round(one, 3)), min_size=1, max_size=40)


def p_of(differences: list[float], draws: int = 20_000, seed: int = 0) -> float:
    return randomisation(np.array(differences, dtype=float), draws, np.random.default_rng(seed))


def test_a_byte_says_every_pattern_of_eight_signs_once() -> None:
    assert SIGNS.shape == (256, 8)
    assert len({tuple(row) for row in SIGNS.tolist()}) == 256
    assert set(np.unique(SIGNS)) == {-1, 1}


def test_three_sessions_by_hand() -> None:
    """1, 2 and 4: of the 8 sums 7, 5, 3, 1, -1, ... two are as far from 0 as 7, four as 5."""
    assert p_of([1, 2, 4], 100_000) == pytest.approx(2 / 8, abs=0.01)
    assert p_of([-1, 2, 4], 100_000) == pytest.approx(4 / 8, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_the_exact_test_of_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.4, 1, 11)
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert p_of(differences.tolist(), 100_000) == pytest.approx(exact.pvalue, abs=0.006)


def test_it_agrees_with_the_test_by_distinct_sizes_and_with_signs_drawn_one_by_one() -> None:
    generator = np.random.default_rng(5)
    differences = generator.choice([0, 0.25, -0.25, 0.5], 60, p=[0.5, 0.25, 0.15, 0.1])
    ours = p_of(differences.tolist(), 100_000)
    by_sizes = intervals.randomisation(differences, 100_000, generator)
    signs = generator.choice([-1, 1], (20_000, 60))
    slow = (np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12).mean()
    assert ours == pytest.approx(by_sizes, abs=0.006)
    assert ours == pytest.approx(slow, abs=0.012)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert p_of([0.0] * 9) == 1


def test_p_is_never_below_what_the_draws_can_tell() -> None:
    assert p_of([1.0] * 200, draws=999) == 1 / 1000


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES, st.integers(0, 9), st.integers(1, 5))
def test_p_has_no_sides_no_unit_and_no_say_for_sessions_without_a_difference(
    differences: list[float], seed: int, zeros: int
) -> None:
    p = p_of(differences, 500, seed)
    assert 0 < p <= 1
    assert p_of([-one for one in differences], 500, seed) == p
    assert p_of([4 * one for one in differences], 500, seed) == p
    assert p_of([*differences, *[0.0] * zeros], 500, seed) == p


def test_where_nothing_differs_p_is_small_as_seldom_as_it_says() -> None:
    generator = np.random.default_rng(6)
    p = [p_of(generator.normal(0, 1, 30).tolist(), 999, seed) for seed in range(400)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.03)
