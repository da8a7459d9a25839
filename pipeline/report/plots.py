"""The tables behind ``dvc plots`` of what several cells and grids give together."""

from collections.abc import Iterable

import polars as pl

from pipeline.report.plane import Plane
from pipeline.report.sources import Sources, models_of

METRIC = "ndcg@10"


def size(planes: Iterable[Plane]) -> pl.DataFrame:
    """Return NDCG@10 and kB of every model: ``of`` (the dataset), ``model``, ``kind``."""
    rows = [
        (plane.name, point["name"], point["kind"], point["kilobytes"], point["quality"])
        for plane in planes
        for point in plane.points
    ]
    columns = {"of": pl.String, "model": pl.String, "kind": pl.String}
    return pl.DataFrame(rows, columns | {"kilobytes": pl.Float64, "ndcg": pl.Float64}, orient="row")


def study(sources: Sources, name: str, column: str) -> pl.DataFrame:
    """Return NDCG@10 of each method as one number grows: ``of`` (the place), ``method``.

    Args:
        sources: what the page is made from.
        name: of the grids' study.
        column: of the number, such as ``labels``.
    """
    rows = [
        (
            " ".join((dataset, one["backbone"], one["recipe"])),
            one["method"],
            one[column],
            *(one["metrics"][METRIC][part] for part in ("mean", "low", "high")),
        )
        for dataset, one in models_of(sources, name)
    ]
    columns = {"of": pl.String, "method": pl.String, column: pl.Int64}
    return pl.DataFrame(
        rows, columns | dict.fromkeys(("ndcg", "low", "high"), pl.Float64), orient="row"
    )
