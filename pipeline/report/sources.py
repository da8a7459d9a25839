"""What the page is made from: the JSON and Parquet files of the run, read once.

In a clone whose data were not pulled, figures in Git are there and tables are not: what is missing
is left out here, and the page says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import files
from pipeline.evaluation import results
from pipeline.evaluation.card_words import Card
from pipeline.evaluation.results import Metrics
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.tables import CATALOG, LABELLED, SELECTED, SESSIONS, Table
from pipeline.versions import versions

PLOTS = ("training", "quality", "selection", "policies")
SHOWN_PARAMETERS = (
    "run",
    "sessions",
    "training",
    "difficulty",
    "select",
    "hints",
    "label",
    "distill",
    "hybrid",
    "evaluate",
)
"""Sections whose values are on the page. `dvc.yaml` names the same: others do not change it."""

Figures = dict[str, Any]
"""The content of a grid's ``figures.json``."""


@dataclass(frozen=True)
class CellSource:
    """The files of one cell; what is not here is none, or missing."""

    metrics: Metrics
    card: Card | None = None
    plots: dict[str, pl.DataFrame] = field(default_factory=dict)
    selected: pl.DataFrame | None = None
    labelled: pl.DataFrame | None = None


@dataclass(frozen=True)
class DatasetSource:
    """The tables of one dataset, and their SHA-256."""

    sessions: pl.DataFrame
    catalog: pl.DataFrame
    hashes: dict[str, str]


@dataclass(frozen=True)
class Sources:
    """Everything that the page is made from."""

    title: str
    cells: dict[Cell, CellSource]
    datasets: dict[str, DatasetSource]
    grids: dict[str, Figures]
    """By name, the one with the most trainings first; of the run's datasets alone."""
    parameters: dict[str, Any]
    versions: dict[str, str]
    """Of what wrote the page."""

    @property
    def metrics(self) -> dict[Cell, Metrics]:
        """The figures of each cell."""
        return {cell: of.metrics for cell, of in self.cells.items()}

    @property
    def synthetic(self) -> list[str]:
        """The datasets that were made up."""
        made_up = {of["dataset"]["name"] for of in self.metrics.values() if _synthetic(of)}
        return sorted(made_up)

    def place(self, dataset: str, of: Figures) -> str:
        """Return dataset, backbone and recipe in words; a counting model has the first alone."""
        words = (self.named(dataset), of["backbone"], of["recipe"])
        return " · ".join(word for word in words if word)

    def named(self, dataset: str) -> str:
        """Return a dataset's name, and whether it was made up."""
        return f"{dataset} (synthetic)" if dataset in self.synthetic else dataset


def read(params: Params, paths: Paths) -> Sources:
    """Return what is here of the run's cells, its datasets and the grids of these datasets.

    Raises:
        DataError: no cell has been evaluated, or a file is damaged.
    """
    found = results.read_cells(paths, params.run)
    datasets = dict.fromkeys(cell.dataset for cell in found)
    read_datasets = {name: _dataset(paths.sessions(name)) for name in datasets}
    return Sources(
        title=params.report.title,
        cells={cell: _cell(paths, cell, metrics) for cell, metrics in found.items()},
        datasets={name: of for name, of in read_datasets.items() if of is not None},
        grids=_grids(paths, params.run.datasets),
        parameters=params.model_dump(mode="json", include=set(SHOWN_PARAMETERS)),
        versions=versions(),
    )


def models_of(sources: Sources, *studies: str) -> Iterator[tuple[str, Figures]]:
    """Yield dataset and figures of each model that a grid made in some studies; none: in any."""
    for grid in sources.grids.values():
        for dataset, figures in grid["datasets"].items():
            for model in figures["models"]:
                if not studies or model["study"] in studies:
                    yield dataset, model


def _synthetic(metrics: Metrics) -> bool:
    return bool(metrics["dataset"]["synthetic"])


def _cell(paths: Paths, cell: Cell, metrics: Metrics) -> CellSource:
    plots = {name: paths.plots(cell) / f"{name}.csv" for name in PLOTS}
    card = paths.card(cell)
    return CellSource(
        metrics=metrics,
        card=files.read_json(card) if card.exists() else None,
        plots={name: pl.read_csv(path) for name, path in plots.items() if path.exists()},
        selected=_table(SELECTED, paths.selected(cell)),
        labelled=_table(LABELLED, paths.labelled(cell)),
    )


def _dataset(folder: Path) -> DatasetSource | None:
    sessions, catalog = _table(SESSIONS, folder), _table(CATALOG, folder)
    if sessions is None or catalog is None:
        return None
    hashes = {one.name: files.sha256(one.path(folder)) for one in (SESSIONS, CATALOG)}
    return DatasetSource(sessions, catalog, hashes)


def _table(table: Table, folder: Path) -> pl.DataFrame | None:
    return table.read(folder) if table.path(folder).exists() else None


def _grids(paths: Paths, datasets: tuple[str, ...]) -> dict[str, Figures]:
    """Return the figures of the run's datasets of each grid.

    The grid with the most trainings is first: where two know a model, it is the one that is shown.
    """
    found = sorted(paths.grids.glob("*/figures.json"))
    grids = {path.parent.name: files.read_json(path) for path in found}
    for figures in grids.values():
        there = figures["datasets"]
        figures["datasets"] = {name: there[name] for name in datasets if name in there}
    shown = [(name, figures) for name, figures in grids.items() if figures["datasets"]]
    return dict(sorted(shown, key=lambda one: -one[1]["finished"]))
