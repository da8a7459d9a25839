"""Which sessions a unit learns from: the pool that costs nothing, the choice, other numbers of it.

Sets of different numbers are nested, as they are for somebody who buys more labels: 200 are among
the 300. They grow out of, and shrink from, the set that the parameters' own number gives. Each step
is a systematic draw whose probabilities are conditional on the set before, so that the inclusion
probabilities stay those of the policy (but for the rounding to a fixed number a step).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import seeds
from pipeline.grid.units import Unit, select_of, selection_of
from pipeline.params import Params
from pipeline.params.selection import SelectParams
from pipeline.selection import choice, sampling

COUNTS = (50, 100, 200, 300, 400, 500, 750, 1000, 2000)
"""Numbers of labels of the study `labels`."""
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """The chosen training sessions; their mean rank in the gain order as a share of the pool."""

    session_id: list[int]
    mean_rank: float


def choose(unit: Unit, pool: pl.DataFrame, params: Params) -> Chosen:
    """Return the sessions of a unit.

    Args:
        unit: its name and settings say how; draw 0 is that of the stage `select`, same pool given.
        pool: ``session_id`` and ``difficulty`` of the sessions that may be chosen, by the former.
        params: of the grid.

    Raises:
        DataError: the pool is smaller than the number asked for.
    """
    select = select_of(unit, params)
    own = select.model_copy(update={"count": params.select.count})
    difficulty = pool["difficulty"].to_numpy()
    choice.require(len(pool), select.count, "the grid's pool")

    ties = seeds.generator(unit.seed, "select", "ties", unit.dataset)
    order = choice.by_rank(difficulty, select.gain_order, ties)
    draw = [unit.draw] if unit.draw else []
    draws = seeds.generator(unit.seed, "select", "draws", unit.dataset, *draw)
    chain = steps(params.select.count, select.count)
    first = own.model_copy(update={"count": chain[0]})
    again = seeds.generator(unit.seed, "select", "ties", unit.dataset)
    ranks = choice.choose(difficulty, first, again, draws).ranks - 1

    def generator(count: int) -> np.random.Generator:
        words = (unit.dataset, selection_of(unit), unit.draw, count)
        return seeds.generator(unit.seed, "select", "labels", *words)

    ranks = walk(np.sort(ranks), chain, _inclusion(len(pool), select), generator)
    places = order[ranks]
    ids = sorted(pool["session_id"].gather(places).to_list())
    return Chosen(ids, float(np.mean(ranks + 1)) / len(pool))


def steps(own: int, wanted: int) -> list[int]:
    """Return the numbers from the parameters' own to the one wanted, those of COUNTS between."""
    low, high = sorted((own, wanted))
    between = {own, wanted, *(count for count in COUNTS if low < count < high)}
    return sorted(between, reverse=wanted < own)


def walk(
    ranks: Ranks,
    chain: Sequence[int],
    inclusion: Callable[[int], NDArray[np.float64]],
    generator: Callable[[int], np.random.Generator],
) -> Ranks:
    """Return the set at the chain's end; each step's set holds, or is held by, the one before.

    Args:
        ranks: the chosen places in the gain order, from 0.  # n
        chain: numbers, the first that of ``ranks``.
        inclusion: the policy's inclusion probabilities at a number.  # N
        generator: makes the draw of a step to a number.
    """
    for now, then in pairwise(chain):
        before, after = inclusion(now), inclusion(then)
        with np.errstate(divide="ignore", invalid="ignore"):
            if then < now:
                weights = np.log(after[ranks] / before[ranks])
                kept = sampling.systematic(weights, then, generator(then)).places
                ranks = ranks[kept]
            else:
                others = np.setdiff1d(np.arange(len(before)), ranks)
                left = np.maximum(1 - before[others], np.finfo(float).tiny)
                weights = np.log(np.maximum(after[others] - before[others], 0) / left)
                more = sampling.systematic(weights, then - now, generator(then)).places
                ranks = np.sort(np.concatenate([ranks, others[more]]))
    return ranks


def _inclusion(sessions: int, select: SelectParams) -> Callable[[int], NDArray[np.float64]]:
    def of(count: int) -> NDArray[np.float64]:
        params = select.model_copy(update={"count": count})
        probabilities: NDArray[np.float64] = np.exp(choice.log_inclusion(sessions, params))
        return probabilities

    return of
