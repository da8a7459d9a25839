"""The closed form against the linear programme, the printed numbers and its own laws."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, linprog

from pipeline.errors import ParamsError
from pipeline.params import read_params
from pipeline.selection import lp, maxmin
from pipeline.selection.maxmin import Floats, Game, exact, paper_corrected, worst_case
from pipeline.selection.strategies import rad_bc

HALF = 0.5


def published(sessions: int, gain_power: float = 10) -> Game:
    """Return the published setting: 1:5:4, mu = 10, a = b = 1/2."""
    effective, incorrect = sessions // 10, round(0.4 * sessions)
    return Game(sessions, effective, incorrect, gain_power, HALF, HALF)


def random_games(count: int, seed: int) -> list[Game]:
    """Return small games of random size, counts, power and ratios that every policy can win."""
    generator = np.random.default_rng(seed)
    games: list[Game] = []
    while len(games) < count:
        n = int(generator.integers(2, 40))
        effective = int(generator.integers(0, n + 1))
        incorrect = int(generator.integers(0, n - effective + 1))
        a, b = generator.uniform(0.05, 0.95, size=2)
        game = Game(n, effective, incorrect, float(generator.choice([0.2, 0.5, 1, 2, 4])), a, b)
        if a * game.similar + effective * (a + b) / (1 + b) > b * incorrect:
            games.append(game)
    return games


def first_segment(game: Game) -> tuple[int, float]:
    """Return length and value of the best prefix that stops at rank k_in + k_si."""
    k = np.arange(1, game.incorrect + game.similar + 1)
    lost = game.incorrect_ratio * np.minimum(k, game.incorrect)
    payoff = game.similar_ratio * np.maximum(k - game.incorrect, 0) - lost
    values = payoff / np.cumsum(np.exp(game.log_costs()[: len(k)]))
    return int(values.argmax()) + 1, float(values.max())


def by_programme(p: Floats, gains: lp.Gains) -> float:
    """Return min_c sum_s p_s w_s by the adversary's own linear programme."""
    n = len(p)
    found = linprog(
        (p[:, None] * gains.weights()).ravel(),  # N 3
        A_eq=np.vstack([np.repeat(np.eye(n), 3, axis=1), np.tile(np.eye(3), n)]),
        b_eq=np.concatenate([np.ones(n), gains.counts]),
        options=lp.TIGHT,
    )
    return float(found.fun)


@pytest.mark.parametrize(
    ("sessions", "k_exact", "value", "k_paper", "paper_value"),
    [
        (20, 19, 1.4709, 19, 1.4366),
        (100, 94, 1.8455, 94, 1.7991),
        (500, 468, 1.9354, 469, 1.8856),
        (1_000, 935, 1.9469, 937, 1.8967),
        (2_000, 1_870, 1.9526, 1_875, 1.9024),
        (4_000, 3_740, 1.9554, 3_750, 1.9052),
        (7_393, 6_912, 1.95692, 6_930, 1.90675),
        (12_000, 11_220, 1.95736, 11_249, 1.90705),
        (12_054, 11_271, 1.95622, 11_301, 1.90588),
        (12_323, 11_522, 1.95748, 11_552, 1.90725),
        (20_091, 18_785, 1.95815, 18_834, 1.90789),
    ],
)
def test_published_setting_has_the_printed_supports_and_values(
    sessions: int, k_exact: int, value: float, k_paper: int, paper_value: float
) -> None:
    last_digit = 6e-6 if sessions > 4_000 else 6e-5
    best, paper = exact(published(sessions)), paper_corrected(published(sessions))
    assert (best.k_star, paper.k_star) == (k_exact, k_paper)
    assert best.value == pytest.approx(value, abs=last_digit)
    assert paper.value == pytest.approx(paper_value, abs=last_digit)


@pytest.mark.parametrize(("sessions", "k_star"), [(7_393, 4_879), (12_054, 7_956)])
def test_binary_policy_has_the_printed_support(sessions: int, k_star: int) -> None:
    assert rad_bc(published(sessions)).k_star == k_star


def test_two_sessions_by_hand() -> None:
    """One similar, one incorrect, g = 1, 1/2, a = 1/2, b = 1/4: level both, y = 1/(1 + 2)."""
    policy = exact(Game(2, 0, 1, 1, 0.5, 0.25))
    assert policy.k_star == 2
    assert policy.probabilities == pytest.approx([1 / 3, 2 / 3])
    assert policy.value == pytest.approx((0.5 - 0.25) / 3 / 0.5)  # in units of g_2 = 1/2


def test_closed_form_equals_the_linear_programme_on_200_random_games() -> None:
    for game in random_games(200, seed=1):
        policy, programme = exact(game), lp.solve(lp.Gains.of(game))
        assert policy.value == pytest.approx(programme.value, abs=1e-9, rel=1e-9)
        attained = worst_case(programme.log_probabilities, game)
        assert attained == pytest.approx(policy.value, abs=1e-9, rel=1e-9)


def test_programme_agrees_with_the_closed_form_at_a_thousand_sessions() -> None:
    game = published(1_000)
    programme = lp.solve(lp.Gains.of(game))
    assert programme.value == pytest.approx(exact(game).value, abs=2e-9)
    assert programme.k_star == 935


@pytest.mark.parametrize("game", random_games(40, seed=2))
def test_sorting_finds_the_adversary_of_any_policy(game: Game) -> None:
    p = np.random.default_rng(game.sessions).dirichlet(np.full(game.sessions, 0.5))
    with np.errstate(divide="ignore"):
        by_sorting = worst_case(np.log(p), game)
    assert by_sorting == pytest.approx(by_programme(p, lp.Gains.of(game)), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("game", random_games(60, seed=3))
def test_policies_are_distributions_over_a_prefix_and_keep_their_value(game: Game) -> None:
    for solve in (exact, paper_corrected):
        policy = solve(game)
        assert policy.probabilities.sum() == pytest.approx(1, abs=1e-12)
        assert (policy.probabilities[: policy.k_star] > 0).all()
        assert (policy.probabilities[policy.k_star :] == 0).all()
        assert worst_case(policy.log_probabilities, game) == pytest.approx(policy.value, rel=1e-9)


@pytest.mark.parametrize("game", random_games(60, seed=4))
def test_exact_is_no_worse_than_the_paper_and_the_paper_than_its_first_segment(game: Game) -> None:
    values = [exact(game).value, paper_corrected(game).value]
    if game.similar_ratio * game.similar > game.incorrect_ratio * game.incorrect:
        values.append(first_segment(game)[1])
    assert values == sorted(values, reverse=True) or np.ptp(values) < 1e-12 * values[0]


def test_the_support_is_found_behind_the_first_local_maximum() -> None:
    game = published(4_000)
    assert first_segment(game)[0] == 3_520
    assert exact(game).k_star == 3_740


@pytest.mark.parametrize("gain_power", [1e-6, 0.25, 10, 60, 1_000, 1e5])
def test_nothing_is_lost_at_extreme_powers(gain_power: float) -> None:
    game = published(20_091, gain_power)
    for solve in (exact, paper_corrected, rad_bc):
        policy = solve(game)
        assert policy.value > 0
        assert not np.isnan(policy.log_probabilities).any()
        assert policy.probabilities.sum() == pytest.approx(1, abs=1e-9)


def test_every_rank_of_the_support_has_a_probability_that_float32_would_lose() -> None:
    policy = exact(published(20_091))
    inside = policy.probabilities[: policy.k_star]
    assert (inside > 0).all()
    assert (inside.astype(np.float32) == 0).any()


def test_counts_of_each_kind_are_those_of_the_shares(project: Path) -> None:
    params = read_params(project / "params.yaml").select
    game = Game.of(7_393, params)
    assert (game.effective, game.similar, game.incorrect) == (739, 3_697, 2_957)
    uneven = params.model_copy(update={"share_effective": 0.29, "share_incorrect": 0.5})
    assert Game.of(100, uneven).effective == 29  # 0.29 * 100 is 28.999... in floating point


def test_assumptions_that_leave_nothing_to_gain_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"1 effective and 9 incorrect of 10 sessions"):
        exact(Game(10, 1, 9, 10, HALF, HALF))


def test_programme_serves_gains_that_are_not_proportional() -> None:
    """Its value cannot be beaten by, or fall below, what a policy attains against an adversary."""
    generator = np.random.default_rng(5)
    gain = np.sort(generator.uniform(0.2, 2, size=9))[::-1].copy()
    gains = lp.Gains(gain, gain * generator.uniform(0.1, 0.9, 9), gain[::-1].copy(), (3, 4, 2))
    policy = lp.solve(gains)
    value = policy.value * gain.min()
    assert by_programme(policy.probabilities, gains) == pytest.approx(value, abs=1e-8)
    for p in generator.dirichlet(np.ones(9), size=200):
        assert by_programme(p, gains) <= value + 1e-9


def test_a_solver_that_gives_up_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    gave_up = OptimizeResult(status=4, message="Numerical\n difficulties.")
    monkeypatch.setattr(lp, "linprog", lambda *_, **__: gave_up)
    with pytest.raises(ParamsError, match=r"for 20 sessions \(Numerical difficulties\.\); use ex"):
        lp.solve(lp.Gains.of(published(20)))


def test_loss_beyond_float64_is_infinite_and_not_a_fault() -> None:
    game = published(20_091, 1_000)
    assert worst_case(np.full(20_091, -np.log(20_091)), game) == -np.inf
    assert maxmin.exact(game).value > 0
