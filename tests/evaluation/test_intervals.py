"""Bootstrap intervals: hand cases, coverage, and what pairing is for."""

import numpy as np
import pytest

from pipeline.evaluation.intervals import (
    Chance,
    bootstrap,
    chance_p,
    paired_difference,
    randomisation,
    sessions_needed,
)


def test_values_that_are_all_equal_leave_no_doubt() -> None:
    found = bootstrap(np.full(30, 0.25), 100, np.random.default_rng(0))
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


def test_interval_of_a_share_is_the_binomial_one() -> None:
    """40 of 400: standard error sqrt(.1 * .9 / 400) = .015."""
    values = np.repeat([1.0, 0.0], [40, 360])
    found = bootstrap(values, 20_000, np.random.default_rng(0))
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 1.96 * 0.015, abs=0.003)
    assert found.high == pytest.approx(0.1 + 1.96 * 0.015, abs=0.003)


def test_drawing_by_distinct_values_agrees_with_drawing_by_session() -> None:
    generator = np.random.default_rng(1)
    values = generator.choice([0, 0.3, 0.5, 1], size=200, p=[0.6, 0.2, 0.1, 0.1])
    found = bootstrap(values, 20_000, generator)
    means = values[generator.integers(0, 200, size=(20_000, 200))].mean(axis=1)
    assert [found.low, found.high] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.004)


def test_pairing_removes_what_makes_a_session_easy_for_both() -> None:
    generator = np.random.default_rng(2)
    easy = generator.integers(0, 2, size=500).astype(float)
    better = np.where(generator.random(500) < 0.1, 1.0, easy)
    paired = paired_difference(better, easy, 2_000, generator)
    assert paired.mean == pytest.approx((better - easy).mean())
    assert paired.low > 0
    alone = bootstrap(better, 2_000, generator)
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)


def test_equal_seeds_give_equal_intervals() -> None:
    values = np.random.default_rng(3).random(50)
    first, again = (bootstrap(values, 500, np.random.default_rng(4)) for _ in range(2))
    assert first == again


def test_the_randomisation_test_counts_sign_patterns() -> None:
    """Five sessions, all won by the same height: 2 of the 32 patterns are as far from 0."""
    p = randomisation(np.full(5, 0.3), 50_000, np.random.default_rng(5))
    assert p == pytest.approx(2 / 32, abs=0.005)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert randomisation(np.zeros(10), 100, np.random.default_rng(6)) == 1


def test_the_chance_test_knows_what_chance_would_give() -> None:
    """Four sessions with a hit of 1 in 10 by chance: four hits come about once in 10,000."""
    one = Chance((1.0, 0.0), (0.1, 0.9))
    assert one.mean == pytest.approx(0.1)
    hits = chance_p(np.ones(4), [one] * 4, 50_000, np.random.default_rng(7))
    assert hits < 0.001
    none = chance_p(np.zeros(4), [one] * 4, 50_000, np.random.default_rng(7))
    assert none > 0.9  # no hit in four is what chance gives two times of three


def test_sessions_needed_by_hand() -> None:
    """Mean .1, sd .5: (2.8 * .5 / .1)² = 196."""
    spread = 0.5 * np.sqrt(99 / 100)  # sample deviation of ± spread over 100 values is .5
    differences = 0.1 + np.tile([spread, -spread], 50)
    assert sessions_needed(differences) == 196
    assert sessions_needed(np.array([0.5])) is None
    assert sessions_needed(np.array([0.5, -0.5])) is None
