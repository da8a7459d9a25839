"""Bootstrap intervals: hand cases, coverage, and what pairing is for."""

import numpy as np
import pytest

from pipeline.evaluation.intervals import bootstrap, paired_difference


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
