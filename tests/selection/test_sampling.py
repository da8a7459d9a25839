"""Systematic draws keep inclusion probabilities exactly, sequential ones are the paper's."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.selection.maxmin import Game, exact, paper_corrected, worst_case
from pipeline.selection.sampling import log_inclusion, sequential, systematic
from pipeline.selection.strategies import ends, rad_bc, uniform

PUBLISHED = Game(7_393, 739, 2_957, 10, 0.5, 0.5)


class Fixed(np.random.Generator):
    """A generator that shuffles into a given order and starts at a given point."""

    def __init__(self, order: list[int], start: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._order, self._start = order, start

    def permutation(self, x: np.ndarray, axis: int = 0) -> np.ndarray:  # type: ignore[override]
        return x[self._order]

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return self._start


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_systematic_inclusion_is_n_p_over_all_starts(order: tuple[int, ...]) -> None:
    """Between two ends of intervals the same places are drawn, so starts can be enumerated."""
    p = np.array([0.1, 0.2, 0.3, 0.4])
    ends_of_places = np.cumsum(2 * p[list(order)]) % 1
    cuts = np.unique(np.concatenate([[0, 1], ends_of_places]).round(12))
    drawn = np.zeros(4)
    for left, right in itertools.pairwise(cuts):
        places = systematic(np.log(p), 2, Fixed(list(order), (left + right) / 2)).places
        assert len(set(places)) == 2
        drawn[places] += right - left
    assert drawn == pytest.approx(2 * p)


def test_systematic_draws_of_the_exact_policy_have_the_stated_inclusion() -> None:
    """60 places, 10 drawn, 3,000 times: each share within 4.5 standard errors."""
    policy = exact(Game(60, 6, 24, 3, 0.5, 0.5))
    pi = np.exp(log_inclusion(policy.log_probabilities, 10))
    generator, drawn = np.random.default_rng(7), np.zeros(60)
    for _ in range(3_000):
        drawn[systematic(policy.log_probabilities, 10, generator).places] += 1
    error = np.sqrt(pi * (1 - pi) / 3_000)
    assert (np.abs(drawn / 3_000 - pi) <= 4.5 * error + 1e-12).all()


def test_inclusion_is_n_p_at_the_published_setting_and_keeps_the_game_value() -> None:
    policy = exact(PUBLISHED)
    log_pi = log_inclusion(policy.log_probabilities, 500)
    assert np.exp(log_pi) == pytest.approx(500 * policy.probabilities, rel=1e-12)
    assert worst_case(log_pi, PUBLISHED) / 500 == pytest.approx(policy.value, rel=1e-12)
    assert np.exp(log_pi).max() == pytest.approx(0.80, abs=0.01)


def test_inclusion_above_one_is_capped_and_the_rest_redistributed() -> None:
    p = np.array([0.6, 0.2, 0.1, 0.1])  # 2 p = 1.2, 0.4, 0.2, 0.2
    assert np.exp(log_inclusion(np.log(p), 2)) == pytest.approx([1, 0.5, 0.25, 0.25])
    capped = np.exp(log_inclusion(rad_bc(PUBLISHED).log_probabilities, 500))  # 500 p: 1.13
    assert capped.max() == 1
    assert capped.sum() == pytest.approx(500)


def test_small_support_is_filled_with_the_ranks_that_follow() -> None:
    pi = np.exp(log_inclusion(ends(6, 2, 4), 3))
    assert pi.tolist() == [1, 0, 1, 1, 0, 0]
    for sampler in (systematic, sequential):
        assert sampler(ends(6, 2, 4), 3, np.random.default_rng(0)).places.tolist() == [0, 2, 3]


@given(
    st.lists(st.floats(-400, 0), min_size=2, max_size=30),
    st.integers(1, 30),
    st.integers(0, 2**32),
)
def test_draws_are_distinct_and_inclusion_sums_to_n(
    log_p: list[float], count: int, seed: int
) -> None:
    values, count = np.array(log_p), min(count, len(log_p))
    values -= np.logaddexp.reduce(values)
    for sampler in (systematic, sequential):
        draw = sampler(values, count, np.random.default_rng(seed))
        assert len(np.unique(draw.places)) == len(draw.places) == count
        pi = np.exp(draw.log_inclusion)
        assert pi.max() <= 1
        assert pi.sum() == pytest.approx(count, rel=1e-6)
        assert (pi[draw.places] > 0).all()


def test_sequential_inclusion_is_that_of_drawing_one_after_another() -> None:
    """Two of three, by hand: P(1 out) = P(2 then 3) + P(3 then 2)."""
    p = np.array([0.5, 0.3, 0.2])
    out_1 = 0.3 * 0.2 / 0.7 + 0.2 * 0.3 / 0.8
    generator, drawn = np.random.default_rng(3), np.zeros(3)
    for _ in range(6_000):
        drawn[sequential(np.log(p), 2, generator).places] += 1
    assert drawn[0] / 6_000 == pytest.approx(1 - out_1, abs=0.02)


def test_sequential_approximation_agrees_with_drawing() -> None:
    policy = paper_corrected(Game(400, 40, 160, 10, 0.5, 0.5))
    pi = np.exp(sequential(policy.log_probabilities, 40, np.random.default_rng(0)).log_inclusion)
    generator, drawn = np.random.default_rng(1), np.zeros(400)
    for _ in range(4_000):
        drawn[sequential(policy.log_probabilities, 40, generator).places] += 1
    bands = np.array_split(np.arange(240, 372), 6)
    for band in bands:
        assert drawn[band].sum() / 4_000 == pytest.approx(pi[band].sum(), rel=0.02)


def test_sequential_drawing_loses_part_of_the_game_value() -> None:
    policy = exact(PUBLISHED)
    draw = sequential(policy.log_probabilities, 500, np.random.default_rng(0))
    kept = worst_case(draw.log_inclusion, PUBLISHED) / 500 / policy.value
    assert 0.90 < kept < 0.93


@pytest.mark.parametrize(
    ("log_p", "relative_value"),
    [
        (uniform(7_393), -1.7e34),
        (ends(7_393, 0, 500), -2.5e35),
        (ends(7_393, 6_893, 7_393), -0.37),
    ],
)
def test_simple_strategies_are_worth_what_the_game_says(
    log_p: np.ndarray,
    relative_value: float,
) -> None:
    worth = worst_case(log_inclusion(log_p, 500), PUBLISHED) / 500
    assert worth / exact(PUBLISHED).value == pytest.approx(relative_value, rel=0.03)


def test_equal_seeds_draw_equal_sessions() -> None:
    log_p = exact(PUBLISHED).log_probabilities
    for sampler in (systematic, sequential):
        first, again = (sampler(log_p, 500, np.random.default_rng(9)).places for _ in range(2))
        assert np.array_equal(first, again)
        other = sampler(log_p, 500, np.random.default_rng(10)).places
        assert not np.array_equal(first, other)
