"""The tables behind ``dvc plots``: training curve, quality by cutoff, selection by difficulty."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline.evaluation.metrics import Values, recall

LARGEST_CUTOFF = 50
TENTHS = 10


def training(logs: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return step, model and validation NDCG@10 of each model's training log."""
    columns = {"step": pl.Int32, "model": pl.String, "validation_ndcg": pl.Float64}
    tables = [log.with_columns(model=pl.lit(name)).select(*columns) for name, log in logs.items()]
    return pl.concat([pl.DataFrame(schema=columns), *tables])


def quality(ranks: pl.DataFrame) -> pl.DataFrame:
    """Return Recall@k of every model for k = 1 to 50, from the table ``ranks``."""
    rows = [
        (k, model, float(recall(group["rank"].to_numpy(), k).mean()))
        for (model,), group in ranks.group_by("model", maintain_order=True)
        for k in range(1, LARGEST_CUTOFF + 1)
    ]
    return pl.DataFrame(rows, schema=["cutoff", "model", "recall"], orient="row")


def selection(difficulty: pl.DataFrame, selected: pl.DataFrame) -> pl.DataFrame:
    """Return how many sessions each tenth of the difficulty axis has, and how many were chosen.

    Tenth 1 is the easiest; sessions of equal difficulty stand in the order of their identifiers.
    """
    ordered = difficulty.select("session_id", "difficulty").sort("difficulty", "session_id")
    decile = 1 + 10 * pl.int_range(pl.len()) // pl.len()
    chosen = pl.col("session_id").is_in(selected["session_id"].implode())
    return (
        ordered.with_columns(decile=decile)
        .group_by("decile")
        .agg(selected=chosen.sum(), pool=pl.len())
        .sort("decile")
    )


def policies(inclusion: Mapping[str, Values], gain_order: str) -> pl.DataFrame:
    """Return how many sessions of each tenth of the difficulty axis a policy chooses on average.

    Args:
        inclusion: for each policy, the probability of each rank of the pool to be chosen.  # N
        gain_order: ``hard_first`` if rank 1 is the hardest session, else it is the easiest.

    Returns:
        Columns ``decile`` (1 is the easiest tenth), ``policy`` and ``selected``.
    """
    rows = [
        (decile, policy, float(tenth.sum()))
        for policy, by_rank in inclusion.items()
        for decile, tenth in enumerate(_tenths(by_rank, gain_order), 1)
    ]
    return pl.DataFrame(rows, schema=["decile", "policy", "selected"], orient="row")


def _tenths(by_rank: Values, gain_order: str) -> list[Values]:
    """Return the values of each tenth of the pool, the easiest first, as `selection` cuts it."""
    easiest_first = by_rank[::-1] if gain_order == "hard_first" else by_rank
    tenth = TENTHS * np.arange(len(by_rank)) // max(1, len(by_rank))
    return [easiest_first[tenth == place] for place in range(TENTHS)]
