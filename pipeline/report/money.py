"""Quality against dollars: what each rule of selection gets out of a number of labels."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.report.charts import Chart
from pipeline.report.series import series
from pipeline.report.sources import Figures, Sources

METRIC = "ndcg@10"
START = "student"
"""What each rule starts from, with no label."""


PARTS = ("mean", "low", "high")


@dataclass(frozen=True)
class Money:
    """One dataset, backbone and recipe: the curves, and each rule's area over random."""

    name: str
    chart: Chart
    areas: list[Figures]
    priced: bool


def money(sources: Sources) -> Iterator[Money]:
    """Yield what each rule of selection gets out of its labels, from the grids' study `labels`."""
    for grid, figures in sources.grids.items():
        for dataset, of in figures["datasets"].items():
            for place, models in _by_place(of["models"]).items():
                areas = [one for one in of["areas"] if _place(one) == place]
                name = sources.place(dataset, models[0])
                begin = start(of["models"], models[0])
                yield _view(f"{name} (grid {grid})", models, begin, areas)


def _place(one: Figures) -> tuple[str, str]:
    return one["backbone"], one["recipe"]


def start(every: list[Figures], first: Figures) -> list[Figures]:
    """Return the student without labels, if it is there; the one of as many seeds if there is.

    The table may have more seeds than the study of labels; a curve that began with their mean would
    rise or fall by the seeds alone.

    Args:
        every: models of a dataset.
        first: of the study of labels.
    """
    alike = [one for one in every if one["method"] == START and _place(one) == _place(first)]
    whole = [one for one in alike if one["study"] in ("table", "dimensions")]
    found = [one for one in whole if one["dimension"] == first["dimension"]]
    found.sort(key=lambda one: (one["seeds"] != first["seeds"], one["study"] != "table"))
    return found[:1]


def _by_place(models: list[Figures]) -> dict[tuple[str, str], list[Figures]]:
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for one in models:
        if one["study"] == "labels" and one["method"] != START:
            found[_place(one)].append(one)
    return found


def _view(name: str, models: list[Figures], start: list[Figures], areas: list[Figures]) -> Money:
    priced = all(one["usd"] for one in models)
    axis = "usd" if priced else "labels"
    curves: dict[str, list[Figures]] = defaultdict(list)
    for one in models:
        curves[one["method"]].append(one)
    rows = [_row(method, 0.0, one) for method in curves for one in start]
    rows += [_row(method, float(one[axis]), one) for method, of in curves.items() for one in of]
    chart = series(
        f"{name}: NDCG@10 by {'dollars' if priced else 'labels'}, a line a rule of selection",
        sorted(rows, key=lambda row: (str(row["method"]), row["x"])),
        x="US dollars for labels" if priced else "labelled sessions",
        y="NDCG@10",
        scale="root",
        width=620,
    )
    shown = [one for one in areas if one["axis"] == axis and one["metric"] == METRIC]
    return Money(name, chart, shown, priced)


def _row(method: str, x: float, one: Figures) -> Figures:
    return {"method": method, "x": x} | {part: one["metrics"][METRIC][part] for part in PARTS}
