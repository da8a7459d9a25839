"""Our figures beside the published table, cell by cell: Recall alone.

The published NDCG was summed while iterating over a set, so that its discounts belong to no rank.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.evaluation import results
from pipeline.report.sources import Sources, models_of

METRICS = ("recall@5", "recall@10")
Place = tuple[str, str, str]
"""Dataset, backbone, recipe."""


@dataclass(frozen=True)
class Figure:
    """One metric of one of our methods."""

    method: str
    mean: float
    sd: float | None
    seeds: int


Mine = dict[str, dict[str, Figure]]
"""Method to metric to figure."""


@dataclass(frozen=True)
class Line:
    """A printed method and ours, metric by metric."""

    printed: str
    published: dict[str, float | None]
    ours: dict[str, dict[str, Figure | None]]
    """Recipe to metric."""

    @property
    def called(self) -> str:
        """What ours is called: a rule of selection may stand for one that was not run."""
        figures = (figure for of in self.ours.values() for figure in of.values() if figure)
        return ", ".join(dict.fromkeys(figure.method for figure in figures))


@dataclass(frozen=True)
class Comparison:
    """The published table of a dataset and backbone beside ours."""

    name: str
    sessions: int
    recipes: list[str]
    lines: list[Line]


def table() -> dict[str, Any]:
    """Return the published numbers: by dataset, backbone, method and metric."""
    found: dict[str, Any] = files.read_json(Path(__file__).with_name("published.json"))
    return found


def comparisons(sources: Sources) -> Iterator[Comparison]:
    """Yield a comparison for each dataset and backbone that both we and the paper have."""
    printed, ours = table(), _ours(sources)
    for dataset, backbones in printed["datasets"].items():
        for backbone in (one for one in backbones if one != "sessions"):
            mine = {place[2]: of for place, of in ours.items() if place[:2] == (dataset, backbone)}
            lines = [
                _line(name, published, printed["methods"][name], mine)
                for name, published in backbones[backbone].items()
            ]
            if mine:
                name = f"{dataset} · {backbone}"
                yield Comparison(name, backbones["sessions"], list(mine), lines)


def _line(
    printed: str,
    published: Mapping[str, float],
    methods: list[str],
    mine: Mapping[str, Mine],
) -> Line:
    ours = {}
    for recipe, of in mine.items():
        found = next((of[name] for name in methods if name in of), {})
        ours[recipe] = {metric: found.get(metric) for metric in METRICS}
    return Line(printed, {metric: published.get(metric) for metric in METRICS}, ours)


def _ours(sources: Sources) -> dict[Place, Mine]:
    """Return our figures by place; a grid's main comparison counts before the run's cells."""
    found: dict[Place, Mine] = {}
    for dataset, model in models_of(sources, "table"):
        of = found.setdefault((dataset, model["backbone"], model["recipe"]), {})
        figures = {
            metric: Figure(model["method"], one["mean"], one["sd"], model["seeds"])
            for metric, one in model["metrics"].items()
        }
        of.setdefault(model["method"], figures)
    for row in results.rows(sources.metrics):
        of = found.setdefault((row.dataset, row.backbone, row.recipe), {})
        figure = Figure(row.model, row.mean, row.sd, row.seeds)
        of.setdefault(row.model, {}).setdefault(row.metric, figure)
    return found
