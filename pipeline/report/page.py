"""The page: one HTML file that needs no network, no script and no other file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from pipeline import files
from pipeline.evaluation import results
from pipeline.evaluation.results import Metrics, Row
from pipeline.paths import Cell, Paths
from pipeline.report import charts
from pipeline.report.labels import CardView, card_view

Rows = dict[str, dict[str, Row]]
"""Model to metric to figure."""

PLOTS = {"training": charts.training, "quality": charts.quality, "selection": charts.selection}
METRIC_NAMES = {"recall": "Recall", "ndcg": "NDCG", "mrr": "MRR"}


@dataclass(frozen=True)
class Group:
    """The results of one dataset, backbone and recipe over its seeds."""

    name: str
    synthetic: bool
    seeds: int
    sessions: int
    metrics: list[str]
    """Those of quality, by cutoff; sizes are apart."""
    models: Rows
    best: dict[str, float]
    """Metric to the highest mean."""
    differences: list[str]


@dataclass(frozen=True)
class CellView:
    """One cell: its pictures, and what its labels are."""

    name: str
    synthetic: bool
    pictures: dict[str, Markup]
    labels: dict[str, Any]
    labelled_by: str


def render(title: str, paths: Paths, found: dict[Cell, Metrics]) -> str:
    """Return the page's text; equal figures give equal bytes.

    Args:
        title: the headline.
        paths: where the tables behind the pictures are.
        found: the figures of each cell, in the order in which they are shown.
    """
    groups = [_group(where, seeds, found) for where, seeds in results.over_seeds(found).items()]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            synthetic=sorted(
                {cell.dataset for cell in found if found[cell]["dataset"]["synthetic"]}
            ),
            labellers=dict.fromkeys(
                (cell.dataset, results.labelled_by(results.labeller(paths, cell))) for cell in found
            ),
            groups=groups,
            several=any(group.seeds > 1 for group in groups),
            cards=_cards(paths, found),
            cells=[_cell(paths, cell, metrics) for cell, metrics in found.items()],
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["metric"] = _metric_name
    environment.filters["number"] = format
    return environment


def _metric_name(metric: str) -> str:
    name, _, cutoff = metric.partition("@")
    return f"{METRIC_NAMES.get(name, name)}@{cutoff}"


def _group(where: tuple[str, str, str], seeds: list[Metrics], found: dict[Cell, Metrics]) -> Group:
    models: Rows = {}
    for row in results.rows({c: m for c, m in found.items() if _where(c) == where}):
        models.setdefault(row.model, {})[row.metric] = row
    every = [row for of in models.values() for row in of.values()]
    metrics = sorted({row.metric for row in every if "@" in row.metric}, key=_cutoff_then_name)
    return Group(
        name=" · ".join(where),
        synthetic=seeds[0]["dataset"]["synthetic"],
        seeds=len(seeds),
        sessions=every[0].sessions,
        metrics=metrics,
        models=models,
        best={one: max(row.mean for row in every if row.metric == one) for one in metrics},
        differences=_differences(seeds),
    )


def _differences(seeds: list[Metrics]) -> list[str]:
    kept = results.undistilled(seeds)
    lines = [line for name in seeds[0]["differences"] for line in _lines(name, seeds)]
    return [kept, *lines] if kept else lines


def _cutoff_then_name(metric: str) -> tuple[int, int]:
    name, _, cutoff = metric.partition("@")
    return int(cutoff), list(METRIC_NAMES).index(name)


def _where(cell: Cell) -> tuple[str, str, str]:
    return cell.dataset, cell.backbone, cell.recipe


def _lines(name: str, seeds: list[Metrics]) -> list[str]:
    """Return a difference of two models in words: over sessions with one seed, else over seeds."""
    words = name.replace("_minus_", " − ")  # noqa: RUF001 - a minus sign
    lines = []
    for metric, first in seeds[0]["differences"][name].items():
        each = [one["differences"][name][metric]["mean"] for one in seeds]
        mean, _ = results.mean_and_sd(each)
        if len(seeds) == 1:
            spread = f"95 % interval over sessions {first['low']:+.4f} to {first['high']:+.4f}"
        else:
            spread = f"positive with {sum(one > 0 for one in each)} of {len(each)} seeds"
        lines.append(f"{words}, {_metric_name(metric)}: {mean:+.4f} ({spread})")
    return lines


def _cards(paths: Paths, found: dict[Cell, Metrics]) -> list[CardView]:
    """Return what the labels are worth, of the cells whose labels were judged."""
    return [
        card_view(_name(cell), metrics["dataset"]["synthetic"], files.read_json(paths.card(cell)))
        for cell, metrics in found.items()
        if paths.card(cell).exists()
    ]


def _name(cell: Cell) -> str:
    return " · ".join((*_where(cell), f"seed {cell.seed}"))


def _cell(paths: Paths, cell: Cell, metrics: Metrics) -> CellView:
    folder = paths.plots(cell)
    return CellView(
        name=_name(cell),
        synthetic=metrics["dataset"]["synthetic"],
        pictures={
            name: Markup(charts.svg(draw(pl.read_csv(folder / f"{name}.csv"))))  # noqa: S704
            for name, draw in PLOTS.items()
        },
        labels=metrics["labels"],
        labelled_by=results.labelled_by(results.labeller(paths, cell)),
    )
