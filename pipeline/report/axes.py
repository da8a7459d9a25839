"""A group's pictures: training, quality, and where its labelling budget went."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.evaluation import results
from pipeline.paths import Cell
from pipeline.report import difficulty, training
from pipeline.report.charts import Chart
from pipeline.report.groups import where
from pipeline.report.sources import CellSource, Sources

MISSING = "Some of its tables are not here; `dvc pull` or `dvc repro` brings them."
DRAWN: dict[str, Callable[[str, Sequence[pl.DataFrame]], Chart]] = {
    "training": training.curves,
    "quality": training.quality,
    "selection": difficulty.selection,
    "policies": difficulty.policies,
}
"""What draws each table behind a picture."""


@dataclass(frozen=True)
class Axes:
    """One dataset, backbone and recipe: its pictures over seeds, and what its labels are."""

    name: str
    synthetic: bool
    training: Chart | None
    quality: Chart | None
    selection: Chart | None
    policies: Chart | None
    seeds: int
    labels: dict[str, int]
    """Counts, summed over the seeds."""
    labelled_by: str
    missing: str


def axes(sources: Sources) -> list[Axes]:
    """Return the pictures of each dataset, backbone and recipe, in the run's order."""
    found: dict[tuple[str, str, str], dict[Cell, CellSource]] = defaultdict(dict)
    for cell, of in sources.cells.items():
        found[where(cell)][cell] = of
    return [_axes(" · ".join(place), cells) for place, cells in found.items()]


def _axes(name: str, cells: dict[Cell, CellSource]) -> Axes:
    first = next(iter(cells.values()))
    drawn = {
        plot: draw(name, tables) if (tables := _tables(plot, cells)) else None
        for plot, draw in DRAWN.items()
    }
    return Axes(
        name=name,
        synthetic=bool(first.metrics["dataset"]["synthetic"]),
        **drawn,
        seeds=len(cells),
        labels=_summed([of.metrics["labels"] for of in cells.values()]),
        labelled_by=results.labelled_by(first.card["labeller"] if first.card else None),
        missing="" if all(drawn.values()) else MISSING,
    )


def _tables(plot: str, cells: dict[Cell, CellSource]) -> list[pl.DataFrame]:
    """Return the tables behind one picture, those that are here, each with its seed."""
    return [
        of.plots[plot].with_columns(seed=pl.lit(cell.seed))
        for cell, of in cells.items()
        if plot in of.plots
    ]


def _summed(labels: list[dict[str, int]]) -> dict[str, int]:
    return {part: sum(of[part] for of in labels) for part in labels[0]}
