"""How much more data it takes: by hand, and that so much of it does it."""

import numpy as np
import pytest

from pipeline.evaluation.intervals import sessions_needed
from pipeline.evaluation.power import needed
from pipeline.evaluation.two_level import estimates


def test_with_one_seed_it_is_the_number_of_sessions_alone() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1, (1, 200))
    assert needed(differences) == (sessions_needed(differences[0]), None)


def test_two_seeds_by_hand() -> None:
    """Seeds' part of the variance: .5 of 2; sessions' part: .25 of 4.

    Mean 2.15 allows (2.15 / 2.8)² = .5896 in all: .0896 for the sessions, 4 · .25 / .0896 = 11.2;
    .3396 for the seeds, 2 · .5 / .3396 = 2.9.
    """
    sessions = np.array([1, 1, -1, -1]) * np.sqrt(3) / 2
    seeds = np.array([1, -1]) * np.sqrt(0.5)
    assert needed(2.15 + seeds[:, None] + sessions) == (12, 3)
    assert needed(1.6 + seeds[:, None] + sessions) == (None, 14)  # .3265: seeds alone have more
    assert needed(1.3 + seeds[:, None] + sessions) == (None, None)


def test_no_difference_takes_more_than_there_is() -> None:
    assert needed(np.zeros((3, 10))) == (None, None)
    assert needed(np.ones((2, 1))) == (None, None)


def test_with_so_many_sessions_four_of_five_tries_see_it() -> None:
    generator = np.random.default_rng(1)
    asked = needed(generator.normal(0.1, 1, (1, 100_000))).sessions
    assert asked == pytest.approx((2.8 / 0.1) ** 2, rel=0.1)
    tries = estimates([generator.normal(0.1, 1, (1, asked or 0)) for _ in range(400)], 200, "power")
    assert np.mean([one.p <= 0.05 for one in tries]) == pytest.approx(0.8, abs=0.07)
