"""Choose the training sessions worth a prompt.

Reads the tables ``sessions``, ``difficulty``, ``recorded_rankings`` and ``recorded_selections``.
Writes the table ``selected``, ``policy.json``, and the table behind a plot: what each policy would
choose. Obeys the section ``select``.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline import files, seeds
from pipeline.errors import ParamsError
from pipeline.evaluation import plots
from pipeline.params import Params
from pipeline.params.selection import SelectParams
from pipeline.paths import Cell, Paths
from pipeline.selection import choice, recorded
from pipeline.selection.maxmin import Floats, Game
from pipeline.tables import DIFFICULTY, RECORDED_RANKINGS, RECORDED_SELECTIONS, SELECTED, SESSIONS

SHOWN = ("exact", "paper_corrected", "rad_bc", "random", "hardest", "easiest")


@dataclass(frozen=True)
class Summary:
    """Counts of a selection."""

    pool: int
    selected: int
    k_star: int | None
    share_with_target: float


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Choose the cell's sessions."""
    folder, select = paths.sessions(cell.dataset), params.select
    training = SESSIONS.read(folder).filter(part="training")
    target = training.select("session_id", target=pl.col("items").list.last())
    pool = DIFFICULTY.read(paths.difficulty(cell)).join(target, on="session_id")
    if select.pool == "recorded":
        pool = recorded.with_ranking(pool, RECORDED_RANKINGS.read(folder))
    pool = pool.sort("session_id")

    ties = seeds.generator(cell.seed, "select", "ties", cell.dataset)
    draws = seeds.generator(cell.seed, "select", "draws", cell.dataset)
    if select.policy == "recorded":
        chosen = recorded.choose(pool, RECORDED_SELECTIONS.read(folder), select, ties)
    else:
        chosen = choice.choose(pool["difficulty"].to_numpy(), select, ties, draws)
    selected = _selected(pool, chosen)
    policy = _policy(select, len(pool), chosen, selected)

    SELECTED.write(selected, paths.selected(cell))
    files.write_json(paths.selected(cell) / "policy.json", policy)
    table = plots.policies(_inclusion(select, len(pool)), select.gain_order)
    files.write_bytes(paths.plots(cell) / "policies.csv", table.write_csv().encode())
    return Summary(len(pool), len(selected), chosen.k_star, policy["share_with_target"])


def _selected(pool: pl.DataFrame, chosen: choice.Choice) -> pl.DataFrame:
    return pool[chosen.places].with_columns(
        pl.Series("difficulty_rank", chosen.ranks, dtype=pl.Int32),
        pl.Series("inclusion_probability", chosen.inclusion, dtype=pl.Float64)
        if chosen.inclusion is not None
        else pl.lit(None, dtype=pl.Float64).alias("inclusion_probability"),
    )


def _policy(
    select: SelectParams, pool: int, chosen: choice.Choice, selected: pl.DataFrame
) -> dict[str, Any]:
    """Return the facts of ``policy.json``; values are in units of the smallest gain."""
    game = Game.of(pool, select)
    with_target = selected.select(pl.col("candidates").list.contains(pl.col("target"))).to_series()
    return {
        "policy": select.policy,
        "sampler": select.sampler,
        "gain_order": select.gain_order,
        "pool": pool,
        "count": len(selected),
        "k_effective": game.effective,
        "k_incorrect": game.incorrect,
        "k_star": chosen.k_star,
        "prefix": chosen.prefix,
        "value": _finite(chosen.value),
        "worst_case": _finite(chosen.worst_case),
        "share_with_target": with_target.sum() / len(selected),
    }


def _inclusion(select: SelectParams, pool: int) -> dict[str, Floats]:
    """Return each policy's probability of choosing each rank; not of one that has no solution."""
    found = {}
    for policy in SHOWN:
        with suppress(ParamsError):
            other = select.model_copy(update={"policy": policy})
            found[policy] = np.exp(choice.log_inclusion(pool, other))
    return found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
