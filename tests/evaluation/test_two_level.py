"""Intervals over seeds and sessions: SciPy, slow loops, how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.evaluation.metrics import Values
from pipeline.evaluation.two_level import Estimate, estimates


def one(values: Values, draws: int = 2_000) -> Estimate:
    return estimates([values], draws, "test")[0]


def made(R: int, S: int, seed: float, session: float, rest: float, at: int = 0) -> Values:
    """Return values of truth 0 with these deviations of their parts.  # R S."""
    generator = np.random.default_rng(at)
    parts = generator.normal(0, seed, (R, 1)), generator.normal(0, session, (1, S))
    values: Values = parts[0] + parts[1] + generator.normal(0, rest, (R, S))
    return values


def test_with_one_seed_it_is_the_bootstrap_of_scipy() -> None:
    values = np.random.default_rng(1).choice([0, 0.4, 1], (1, 300), p=[0.8, 0.1, 0.1])
    ours = one(values, 20_000)
    theirs = stats.bootstrap(
        (values[0],), np.mean, n_resamples=20_000, method="percentile", rng=2
    ).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.002)
    assert ours.error == pytest.approx(stats.sem(values[0]))
    assert ours.sd is None
    assert ours.degrees == np.inf


def slow_draws(values: Values, draws: int, generator: np.random.Generator) -> Values:
    """Return means drawn pair by pair: R - 1 seeds, and the same drawn sessions under each."""
    R, S = values.shape
    means = np.empty(draws)
    for draw in range(draws):
        seeds = [int(generator.integers(R)) for _ in range(R - 1)]
        sessions = [int(generator.integers(S)) for _ in range(S)]
        means[draw] = np.mean([[values[seed, session] for session in sessions] for seed in seeds])
    return means


def stretch(found: Estimate) -> float:
    return float(stats.t.ppf(0.975, found.degrees) / stats.norm.ppf(0.975))


def test_without_a_rest_it_is_the_mean_over_drawn_seeds_and_drawn_sessions() -> None:
    values = made(5, 40, 0.3, 1.0, 0.0)
    found = one(values, 20_000)
    means = slow_draws(values, 2_000, np.random.default_rng(3))
    edges = values.mean() + stretch(found) * (np.quantile(means, [0.025, 0.975]) - values.mean())
    assert [found.low, found.high] == pytest.approx(edges, abs=0.05)


def test_with_a_rest_it_is_narrower_than_drawing_both_at_once_and_not_too_narrow() -> None:
    values = made(5, 60, 0.0, 0.0, 1.0, at=4)
    found = one(values, 20_000)
    both_at_once = np.ptp(
        np.quantile(slow_draws(values, 2_000, np.random.default_rng(5)), [0.025, 0.975])
    )
    width = (found.high - found.low) / stretch(found)
    assert width < 0.95 * both_at_once
    assert width > 2 * 1.96 / np.sqrt(5 * 60)  # of 300 independent values


def test_the_standard_error_by_hand() -> None:
    """Seeds' means 1 and 3: variance 2, over 2 seeds 1. Sessions' 1.5 and 2.5: .5, over 2: .25."""
    found = one(np.array([[0.5, 1.5], [2.5, 3.5]]))
    assert found.mean == 2
    assert found.sd == pytest.approx(np.sqrt(2))
    assert found.error == pytest.approx(np.sqrt(1.25))
    assert found.degrees == pytest.approx(1.25**2)  # Satterthwaite: (1 + .25)² / (1² / 1)
    assert found.p == pytest.approx(2 * stats.t.sf(2 / np.sqrt(1.25), 1.25**2))


@pytest.mark.parametrize(
    ("R", "seed", "session", "rest"),
    [
        (5, 0.1, 1.0, 1.0),  # as between two recommenders
        (5, 0.05, 0.3, 1.0),
        (3, 0.1, 1.0, 0.5),
        (5, 1.0, 0.3, 0.1),  # nothing but seeds: five of them are all that is known
        (1, 0.0, 1.0, 0.0),
    ],
)
def test_the_interval_holds_the_truth_nineteen_times_of_twenty(
    R: int, seed: float, session: float, rest: float
) -> None:
    repeats = 400
    tries = [made(R, 100, seed, session, rest, at=100 + at) for at in range(repeats)]
    found = estimates(tries, 400, "coverage")
    held = np.mean([each.low <= 0 <= each.high for each in found])
    assert 0.92 <= held <= 0.99  # .95 give or take what 400 tries and 400 draws leave open
    wrong = np.mean([each.p <= 0.05 for each in found])
    assert wrong <= 0.08


def test_all_that_is_estimated_together_has_the_same_draws() -> None:
    values = made(3, 50, 0.1, 1.0, 1.0)
    together = estimates([values, 2 * values, values], 300, "test")
    assert together[0].low == pytest.approx(together[2].low, abs=1e-12)
    assert together[0].low == pytest.approx(one(values, 300).low, abs=1e-12)
    assert together[1].low == pytest.approx(2 * together[0].low)
    assert estimates([], 300, "test") == []


def test_blocks_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = made(2, 30, 0.1, 1.0, 1.0)
    whole = one(values, 200)
    monkeypatch.setattr("pipeline.evaluation.two_level.COUNTS_AT_ONCE", 30 * 7)
    assert one(values, 200).low == pytest.approx(whole.low, abs=1e-12)


def test_values_that_are_all_equal_leave_no_doubt() -> None:
    found = one(np.full((3, 20), 0.25))
    assert (found.low, found.mean, found.high) == (0.25, 0.25, 0.25)
    assert found.p == 0
    assert one(np.zeros((3, 20))).p == 1


def test_figures_of_a_metric_stay_between_0_and_1() -> None:
    few = np.zeros((3, 10))
    few[0, 0] = 1.0
    assert one(few).low < 0
    assert one(few).of_metric()["low"] == 0
    assert one(1 - few).of_metric()["high"] == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(2, 12), st.integers(0, 50))
def test_swapping_sides_mirrors_everything(R: int, S: int, at: int) -> None:
    values = made(R, S, 0.2, 1.0, 0.5, at=at)
    ours, theirs = estimates([values, -values], 200, "mirror")
    assert theirs.mean == pytest.approx(-ours.mean)
    assert [theirs.low, theirs.high] == pytest.approx([-ours.high, -ours.low])
    assert theirs.p == pytest.approx(ours.p)
    assert 0 <= ours.p <= 1
