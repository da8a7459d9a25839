"""The tables behind ``dvc plots``: training curve, quality by cutoff, selection by difficulty."""

import polars as pl

from pipeline.evaluation.metrics import recall

LARGEST_CUTOFF = 50


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
