"""A group's pictures over its seeds: training curves and quality by cutoff."""

from collections.abc import Sequence

import polars as pl

from pipeline.report.charts import Chart, chart, dashed, named, quantity, tooltip
from pipeline.report.names import ordered

POINTS = 60
"""Of a training curve: a training looks at validation up to 500 times."""
CUTOFFS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50)


def curves(name: str, logs: Sequence[pl.DataFrame]) -> Chart:
    """Return the validation curves of the trainings, a line a model and seed.

    Args:
        name: of the group.
        logs: `training` (`model`, `step`, `validation_ndcg`, and `seed`) of each cell.
    """
    rows = [row for log in logs for row in _thinned(log).to_dicts()]
    names = ordered({row["model"] for row in rows})
    tips = tooltip(model="model", seed="seed", step="step", validation_ndcg="NDCG@10")
    return chart(
        f"{name}: validation NDCG@10 while training",
        rows,
        {
            "mark": {"type": "line", "strokeWidth": 1.6, "opacity": 0.8},
            "encoding": {"strokeDash": dashed("model", names), "tooltip": tips},
        },
        encoding={
            "x": quantity("step", "optimiser step", zero=True),
            "y": quantity("validation_ndcg", "validation NDCG@10"),
            "color": named("model", names),
            "detail": {"field": "seed", "type": "nominal"},
        },
        legend_symbol="stroke",
    )


def quality(name: str, tables: Sequence[pl.DataFrame]) -> Chart:
    """Return Recall@k of every model for growing k, the mean over seeds.

    Args:
        name: of the group.
        tables: `quality` (`model`, `cutoff`, `recall`) of each cell.
    """
    mean = (
        pl.concat(tables)
        .filter(pl.col("cutoff").is_in(CUTOFFS))
        .group_by("model", "cutoff")
        .agg(pl.col("recall").mean())
        .sort("model", "cutoff")
    )
    names = ordered(set(mean["model"]))
    tips = tooltip(model="model", cutoff="k", recall="Recall@k")
    return chart(
        f"{name}: share of test targets among the first k",
        mean.to_dicts(),
        {
            "mark": {"type": "line", "strokeWidth": 1.6, "point": {"size": 12}},
            "encoding": {"strokeDash": dashed("model", names), "tooltip": tips},
        },
        encoding={
            "x": quantity("cutoff", "k", zero=True),
            "y": quantity("recall", "Recall@k", zero=True),
            "color": named("model", names),
        },
        legend_symbol="stroke",
    )


def _thinned(log: pl.DataFrame) -> pl.DataFrame:
    """Return at most about 60 rows a model, the best one among them."""
    place = pl.int_range(pl.len()).over("model")
    rows = pl.len().over("model")
    best = pl.col("validation_ndcg") == pl.col("validation_ndcg").max().over("model")
    return log.filter((place % (rows // POINTS + 1) == 0) | (place == rows - 1) | best)
