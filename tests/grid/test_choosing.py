"""Other numbers of labels are nested, and keep the policy's inclusion probabilities."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from pipeline import seeds
from pipeline.errors import DataError
from pipeline.grid.choosing import choose, steps, walk
from pipeline.grid.units import CONTROLS, POLICIES, RIVALS, SELECTIONS, Unit
from pipeline.params import Params
from pipeline.params.selection import SelectParams
from pipeline.selection import choice, sampling
from tests.recommenders.toys import SHIPPED

UNIT = Unit("tiny", "fpmc", "strong", 1, "exact")
POOL = pl.DataFrame(
    {
        "session_id": range(1000, 1600),
        "difficulty": np.random.default_rng(1).random(600),
    }
)
COUNTS = (50, 100, 200, 300, 400, 500)


def params(count: int = 200) -> Params:
    return SHIPPED.model_copy(update={"select": SHIPPED.select.model_copy(update={"count": count})})


def ids(unit: Unit, **settings: float) -> list[int]:
    return choose(replace(unit, setting=tuple(settings.items())), POOL, params()).session_id


@pytest.mark.parametrize("method", SELECTIONS)
def test_fewer_labels_are_among_more(method: str) -> None:
    for draw in (0, 1) if method == "random" else (0,):
        unit = replace(UNIT, method=method, draw=draw)
        sets = [set(ids(unit, labels=count)) for count in COUNTS]
        assert [len(one) for one in sets] == list(COUNTS)
        assert all(few < many for few, many in pairwise(sets))
        assert set(ids(unit)) == sets[2]  # the parameters' own number


def test_hardest_and_easiest_take_the_ends() -> None:
    by_difficulty = POOL.sort("difficulty")["session_id"].to_list()
    for count in COUNTS:
        assert set(ids(replace(UNIT, method="easiest"), labels=count)) == {*by_difficulty[:count]}
        assert set(ids(replace(UNIT, method="hardest"), labels=count)) == {*by_difficulty[-count:]}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_own_number_is_what_the_stage_would_choose(policy: str) -> None:
    select = SelectParams.model_validate({**params().select.model_dump(), "policy": policy})
    words = ("select", "ties", "tiny"), ("select", "draws", "tiny")
    ties, draws = (seeds.generator(1, *one) for one in words)
    chosen = choice.choose(POOL["difficulty"].to_numpy(), select, ties, draws)
    assert ids(replace(UNIT, method=policy)) == sorted(
        POOL["session_id"].gather(chosen.places).to_list()
    )


@pytest.mark.parametrize("method", [*CONTROLS, *RIVALS])
def test_controls_and_rivals_learn_from_the_sessions_of_exact(method: str) -> None:
    for seed in (1, 2):
        exact = replace(UNIT, seed=seed)
        assert ids(replace(exact, method=method)) == ids(exact)
        assert ids(replace(exact, method=method), labels=50) == ids(exact, labels=50)


def test_draws_and_seeds_differ_and_equal_ones_are_equal() -> None:
    random = replace(UNIT, method="random")
    sets = [ids(replace(random, draw=draw, seed=seed)) for draw in (0, 1) for seed in (1, 2)]
    assert len({tuple(one) for one in sets}) == 4
    assert ids(replace(random, draw=1)) == ids(replace(random, draw=1))


def test_a_pool_that_is_too_small_is_one_line() -> None:
    with pytest.raises(DataError, match=r"only 600 training sessions are in the grid's pool"):
        choose(replace(UNIT, setting=(("labels", 601),)), POOL, params())


def test_numbers_between_are_stops_on_the_way() -> None:
    assert steps(500, 150) == [500, 400, 300, 200, 150]
    assert steps(500, 1000) == [500, 750, 1000]
    assert steps(500, 500) == [500]


def generators(number: int) -> Callable[[int], np.random.Generator]:
    return lambda count: np.random.default_rng([count, number])


@pytest.mark.parametrize("chain", [[6, 3], [3, 6], [6, 4, 2]])
def test_each_step_keeps_the_policy_s_inclusion_probabilities(chain: list[int]) -> None:
    weights = np.array([1.0, 1, 2, 2, 3, 3, 1, 2, 2, 3])
    weights /= weights.sum()

    def inclusion(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return count * weights

    times, counted = 1000, np.zeros(10)
    for number in range(times):
        generator = np.random.default_rng(number)
        first = sampling.systematic(np.log(weights), chain[0], generator).places
        last = walk(first, chain, inclusion, generators(number))
        assert len(set(last.tolist())) == chain[-1]
        counted[last] += 1
    assert np.abs(counted / times - chain[-1] * weights).max() < 0.07
