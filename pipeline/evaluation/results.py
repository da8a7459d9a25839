"""The one results table, from the cells' ``metrics.json`` alone; fast, so no table library here."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline import files
from pipeline.errors import DataError
from pipeline.params.run import RunParams
from pipeline.paths import Cell, Paths, cells

MODELS = (
    "popularity",
    "itemknn",
    "itemknn_titles",
    "hybrid",
    "student",
    "teacher",
    "distilled",
    "control",
)
"""In the order of every table: the dumb ones first."""
COUNTING = MODELS[:3]
"""Of a dataset, the same for every backbone, recipe and seed."""

BOUGHT = ("count", "prompt_tokens", "completion_tokens", "cost_usd", "seconds")
Metrics = dict[str, Any]
"""The content of a cell's ``metrics.json``."""


@dataclass(frozen=True)
class Row:
    """One metric of one model over the seeds of a dataset, backbone and recipe."""

    dataset: str
    backbone: str
    recipe: str
    model: str
    metric: str
    mean: float
    sd: float | None
    """Sample standard deviation over seeds; none with one seed."""
    seeds: int
    sessions: int
    """Test sessions behind the figure."""


def read_cells(paths: Paths, run: RunParams) -> dict[Cell, Metrics]:
    """Return the figures of the run's cells that have been evaluated, in the run's order.

    Raises:
        DataError: none has.
    """
    wanted = cells(run)
    found = {cell: paths.metrics(cell) for cell in wanted if paths.metrics(cell).exists()}
    if not found:
        raise DataError(
            f"reports/cells: none of the {len(wanted)} cells of `run` has been evaluated; "
            "run `dvc repro` (or `make repro`)"
        )
    return {cell: files.read_json(path) for cell, path in found.items()}


def labeller(paths: Paths, cell: Cell) -> dict[str, Any] | None:
    """Return who made a cell's labels, as its card says."""
    path = paths.card(cell)
    return files.read_json(path)["labeller"] if path.exists() else None


def bought(paths: Paths, dataset: str) -> dict[str, float]:
    """Return what a dataset's answers, hints included, have cost so far."""
    names = (paths.hint_parts(dataset), paths.label_parts(dataset))
    each = [files.read_json(path)["bought"] for path in names if path.exists()]
    return {name: sum(one[name] for one in each) for name in BOUGHT}


def labelled_by(labeller: dict[str, Any] | None) -> str:
    """Return in words who made labels."""
    if labeller is None:
        return "labels by nobody on record; run `dvc repro`"
    if labeller["offline_stand_in"]:
        return f"labels by {labeller['provider']} (offline stand-in, no LLM)"
    if labeller["model"] is None:
        return "labels recorded with the dataset"
    return f"labels by {labeller['model']} at {labeller['endpoint']}"


def mean_and_sd(values: Iterable[float]) -> tuple[float, float | None]:
    """Return the mean and the sample standard deviation, which one value does not have."""
    known = list(values)
    return statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None


def over_seeds(found: dict[Cell, Metrics]) -> dict[tuple[str, str, str], list[Metrics]]:
    """Return the figures of each dataset, backbone and recipe, one entry a seed."""
    groups: dict[tuple[str, str, str], list[Metrics]] = {}
    for cell, metrics in found.items():
        groups.setdefault((cell.dataset, cell.backbone, cell.recipe), []).append(metrics)
    return groups


def undistilled(seeds: list[Metrics]) -> str:
    """Return, in words, with how many seeds distilled and student agree in every figure.

    Then no step of the distillation was better on the validation part than none. Empty: no seed.
    """
    differences = [one["differences"].get("distilled_minus_student", {}) for one in seeds]
    equal = sum(
        bool(one) and not any(any(interval.values()) for interval in one.values())
        for one in differences
    )
    text = "validation kept the undistilled weights"
    return f"{text} ({equal} of {len(seeds)} seeds)" if equal and len(seeds) > 1 else text * equal


def without_student(seeds: list[Metrics]) -> str:
    """Return, in words, with how many seeds the hybrid is counting with titles and nothing else.

    Empty: no seed.
    """
    pairs = [(one["models"].get("itemknn_titles"), one["models"].get("hybrid")) for one in seeds]
    equal = sum(bool(one) and _quality(one) == _quality(two or {}) for one, two in pairs)
    text = "hybrid is itemknn_titles here: validation gave the student no weight"
    return f"{text} ({equal} of {len(seeds)} seeds)" if equal and len(seeds) > 1 else text * equal


def _quality(figures: Metrics) -> Metrics:
    return {name: value for name, value in figures.items() if "@" in name}


def rows(found: dict[Cell, Metrics]) -> list[Row]:
    """Return every metric of every model with its mean and deviation over seeds."""
    return [row for where, seeds in over_seeds(found).items() for row in _rows(where, seeds)]


def _rows(where: tuple[str, str, str], seeds: list[Metrics]) -> Iterator[Row]:
    sessions = seeds[0]["dataset"]["test_sessions"]
    for model in MODELS:
        having = [one["models"][model] for one in seeds if model in one["models"]]
        for metric in having[0] if having else ():
            values = [one[metric] for one in having if metric in one]
            mean, sd = mean_and_sd(values)
            yield Row(*where, model, metric, mean, sd, len(values), sessions)
