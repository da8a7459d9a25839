"""From difficulties to chosen sessions, recorded lists included."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.params import read_params
from pipeline.params.selection import SelectParams
from pipeline.selection import lp, recorded
from pipeline.selection.choice import Choice, by_rank, choose
from pipeline.selection.maxmin import Game, exact, worst_case
from pipeline.selection.sampling import log_inclusion


@pytest.fixture
def select(project: Path) -> SelectParams:
    """Return the shipped parameters, for 4 sessions."""
    return read_params(project / "params.yaml").select.model_copy(update={"count": 4})


def chosen(difficulty: list[float], select: SelectParams, **changes: object) -> Choice:
    params = select.model_copy(update=changes)
    ties, draws = np.random.default_rng(1), np.random.default_rng(2)
    return choose(np.array(difficulty), params, ties, draws)


AXIS = [float(d) for d in range(20)]


def test_hardest_and_easiest_are_the_ends_whatever_the_gain_order(select: SelectParams) -> None:
    for order in ("hard_first", "easy_first"):
        hardest = chosen(AXIS, select, policy="hardest", gain_order=order)
        easiest = chosen(AXIS, select, policy="easiest", gain_order=order)
        assert sorted(hardest.places) == [16, 17, 18, 19]
        assert sorted(easiest.places) == [0, 1, 2, 3]


def test_rank_one_is_the_hardest_session_under_hard_first() -> None:
    difficulty = np.array([0.1, 0.9, 0.5])
    assert by_rank(difficulty, "hard_first", np.random.default_rng(0)).tolist() == [1, 2, 0]
    assert by_rank(difficulty, "easy_first", np.random.default_rng(0)).tolist() == [0, 2, 1]


def test_equal_difficulties_are_ordered_by_the_seed_and_not_by_place() -> None:
    orders = [by_rank(np.zeros(50), "hard_first", np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert sorted(orders[0]) == list(range(50))


def test_max_min_policies_take_fairly_easy_sessions_under_hard_first(select: SelectParams) -> None:
    axis = list(np.linspace(0, 1, 2_000))
    found = chosen(axis, select, count=200)
    assert 0.8 < np.median(found.ranks) / 2_000 < 0.95
    assert np.median(np.array(axis)[found.places]) < 0.2
    other = chosen(axis, select, count=200, gain_order="easy_first")
    assert np.median(np.array(axis)[other.places]) > 0.8


@pytest.mark.parametrize("policy", ["exact", "paper_corrected", "lp", "rad_bc"])
def test_policies_report_what_they_promise_and_what_they_keep(
    policy: str, select: SelectParams
) -> None:
    found = chosen(list(np.linspace(0, 1, 200)), select, policy=policy, count=10)
    assert found.value is not None
    assert found.worst_case is not None
    assert found.inclusion is not None
    assert (found.k_star or 0) > 0
    if policy != "rad_bc":
        assert found.worst_case == pytest.approx(found.value, abs=1e-8)


@pytest.mark.parametrize("count", [20, 40, 60])
def test_large_sets_are_worth_the_linear_programme_with_the_cap(
    count: int, select: SelectParams
) -> None:
    found = chosen(list(np.linspace(0, 1, 200)), select, count=count)
    programme = lp.solve(lp.Gains.of(Game.of(200, select)), 1 / count)
    assert found.worst_case == pytest.approx(programme.value, rel=2e-3)


@pytest.mark.parametrize(("sessions", "count"), [(60, 15), (60, 30), (200, 60), (200, 150)])
def test_large_sets_lose_less_than_by_the_plain_cap(
    sessions: int, count: int, select: SelectParams
) -> None:
    found = chosen(list(np.linspace(0, 1, sessions)), select, count=count)
    game = Game.of(sessions, select)
    plain = worst_case(log_inclusion(exact(game).log_probabilities, count), game) / count
    assert found.worst_case is not None
    assert found.worst_case > plain


def test_count_above_the_pool_names_both_numbers(select: SelectParams) -> None:
    with pytest.raises(DataError, match=r"select.count is 21, but only 20 training sessions"):
        chosen(AXIS, select, count=21)


def test_difficulty_that_is_no_number_is_refused(select: SelectParams) -> None:
    with pytest.raises(DataError, match="1 of 3 sessions have no number"):
        chosen([0.1, float("nan"), 0.2], select, count=1)


def test_programme_refuses_a_pool_it_would_not_finish(select: SelectParams) -> None:
    with pytest.raises(ParamsError, match="at most 30,000 sessions, the pool has 30,001"):
        chosen([0.0] * 30_001, select, policy="lp")


def test_programme_refuses_gains_beyond_float64(select: SelectParams) -> None:
    with pytest.raises(ParamsError, match="20 sessions with gain_power 300 are beyond float64"):
        chosen(AXIS, select, policy="lp", gain_power=300.0)
    assert chosen(AXIS, select, policy="exact", gain_power=300.0).k_star is not None


def test_the_prefix_is_longer_than_the_policy_s_where_sessions_are_certain(
    select: SelectParams,
) -> None:
    """500 of 1,690: the game's support ends at 1,580, the draw uses every rank."""
    pool = [float(d) for d in range(1_690)]
    many, few = chosen(pool, select, count=500), chosen(pool, select, count=5)
    assert (many.k_star, many.prefix) == (1_580, 1_690)
    assert 1_580 < many.ranks.max() <= 1_690
    assert few.prefix == few.k_star == 1_580
    hardest = chosen(pool, select, policy="hardest", count=5)
    assert (hardest.k_star, hardest.prefix) == (None, 5)


POOL = pl.DataFrame({"session_id": [3, 5, 8, 9], "difficulty": [0.3, 0.1, 0.2, 0.4]})
LISTS = pl.DataFrame(
    {"list": ["a"] * 4, "position": [0, 1, 2, 3], "session_id": [8, 77, 3, 5]},
    schema_overrides={"position": pl.Int32},
)


def test_recorded_list_is_taken_in_its_order_and_from_the_pool_alone(select: SelectParams) -> None:
    params = select.model_copy(update={"count": 2, "recorded_list": "a"})
    found = recorded.choose(POOL, LISTS, params, np.random.default_rng(0))
    assert POOL["session_id"].gather(found.places).to_list() == [8, 3]
    assert found.ranks.tolist() == [3, 2]
    assert found.inclusion is None


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (LISTS, "no list 'alkdrec'; the dataset has the lists a; change select.recorded_list"),
        (LISTS.clear(), "the dataset has no recorded selections"),
    ],
)
def test_missing_recorded_list_says_what_there_is(
    lists: pl.DataFrame, message: str, select: SelectParams
) -> None:
    with pytest.raises(DataError, match=message):
        recorded.choose(POOL, lists, select, np.random.default_rng(0))


def test_recorded_list_that_is_too_short_names_both_numbers(select: SelectParams) -> None:
    params = select.model_copy(update={"recorded_list": "a"})
    with pytest.raises(DataError, match="is 4, but only 3 training sessions are in the recorded"):
        recorded.choose(POOL, LISTS, params, np.random.default_rng(0))


def test_recorded_pool_has_sessions_with_a_ranking_that_is_not_empty() -> None:
    rankings = pl.DataFrame({"session_id": [8, 9, 3], "ranking": [[1, 2], [], [4]]})
    assert recorded.with_ranking(POOL, rankings)["session_id"].to_list() == [3, 8]
