"""Quality against bytes: every model on one plane, and the frontier of those that nothing beats."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pipeline.evaluation import results
from pipeline.evaluation.frontier import on_frontier
from pipeline.report.charts import Chart, Spec, chart, log_scale, named, quantity, tooltip
from pipeline.report.names import KINDS, kind, setting_label, setting_words
from pipeline.report.sources import Figures, Sources, models_of

METRIC = "ndcg@10"
STUDIES = ("table", "dimensions", "bytes")
SHAPES = ["circle", "triangle-up", "square", "diamond", "cross"]
NEAR = 0.12
"""Of the plane's width and height: names closer than this would lie on each other."""
INK: Spec = {"color": "currentColor", "opacity": 0.5}
Point = dict[str, Any]


@dataclass(frozen=True)
class Plane:
    """The models of one dataset."""

    name: str
    chart: Chart
    points: list[Point]
    frontier: list[Point]


def planes(sources: Sources) -> Iterator[Plane]:
    """Yield a plane for each dataset of the run."""
    for dataset in dict.fromkeys(cell.dataset for cell in sources.cells):
        points = list(_points(sources, dataset))
        kept = on_frontier([(point["bytes"], point["quality"]) for point in points])
        best = [point for point, on_it in zip(points, kept, strict=True) if on_it]
        best.sort(key=lambda point: (point["bytes"], point["quality"]))
        yield Plane(dataset, _chart(dataset, points, best), points, best)


def _points(sources: Sources, dataset: str) -> Iterator[Point]:
    """Yield each model once: as a grid has it, else as the run's cells have it."""
    seen = set()
    for of, model in models_of(sources, *STUDIES):
        point = _of_grid(model)
        if of == dataset and point["name"] not in seen:
            seen.add(point["name"])
            yield point
    table: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in results.rows(sources.metrics):
        if row.dataset == dataset:
            counting = row.model in results.COUNTING
            place = ("", "") if counting else (row.backbone, row.recipe)
            table.setdefault((row.model, *place), {})[row.metric] = row.mean
    for (name, backbone, recipe), metrics in table.items():
        point = _point(name, backbone, recipe, metrics["bytes"], metrics[METRIC], {})
        if point["name"] not in seen:
            yield point


def _of_grid(model: Figures) -> Point:
    place, quality = (model["backbone"], model["recipe"]), model["metrics"][METRIC]
    setting = dict(model["setting"])
    if model["study"] == "dimensions" and model["dimension"]:
        setting = {"d": model["dimension"]}
    return _point(model["method"], *place, model["bytes"], quality["mean"], setting) | {
        "interval": f"{quality['low']:.4f} to {quality['high']:.4f}"
    }


def _point(
    method: str, backbone: str, recipe: str, size: float, quality: float, setting: dict[str, Any]
) -> Point:
    words = [method, *setting_words(setting), backbone, recipe]
    return {
        "method": method,
        "name": " ".join(word for word in words if word),
        "short": ", ".join([method, *setting_label(setting)]),
        "kind": kind(method),
        "recipe": recipe or "no recipe",
        "bytes": size,
        "kilobytes": size / 1000,
        "quality": quality,
        "interval": "only grids compute one",
    }


def _chart(dataset: str, points: list[Point], best: list[Point]) -> Chart:
    kinds = [name for name in KINDS if any(point["kind"] == name for point in points)]
    kinds += sorted({point["kind"] for point in points}.difference(kinds))
    recipes = sorted({point["recipe"] for point in points})
    middle = math.sqrt(best[0]["bytes"] * best[-1]["bytes"])
    labels = _labels(best)
    rows: list[Point] = [
        {**point, "best": any(one is point for one in best), "left": point["bytes"] < middle}
        | {"label": labels.get(point["name"])}
        for point in points
    ]
    rows.sort(key=lambda row: row["best"])  # what is on the frontier is drawn over what is not
    tips = tooltip(name="model", kilobytes="kB", quality="NDCG@10", interval="95 % interval")
    shapes = {"domain": recipes, "range": SHAPES[: len(recipes)]}
    return chart(
        f"{dataset}: NDCG@10 by bytes, every model; the line joins those that nothing beats",
        rows,
        {
            "transform": [{"filter": "datum.best"}],
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.2} | INK,
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.9},
            "encoding": {
                "color": named("kind", kinds, KINDS),
                "shape": {"field": "recipe", "type": "nominal", "title": None, "scale": shapes},
                "tooltip": tips,
            },
        },
        _names("datum.left", {"align": "left", "dx": 7, "dy": -7}),
        _names("!datum.left", {"align": "right", "dx": -7, "dy": -7}),
        encoding={
            "x": log_scale("kilobytes", "kB of all files that are needed to score"),
            "y": quantity("quality", "NDCG@10", zero=True),
        },
        width=620,
        height=340,
        legend_columns=5,
    )


def _labels(best: list[Point]) -> dict[str, str]:
    """Return what is written at points of the frontier: equal ones share a place, near ones none.

    The last one, which is the best, always has its name.
    """
    found: dict[str, str] = {}
    places = [list(of) for _, of in groupby(best, key=lambda one: (one["bytes"], one["quality"]))]
    width = math.log(best[-1]["bytes"] / best[0]["bytes"]) or 1.0
    height = best[-1]["quality"] or 1.0
    last: Point | None = None
    for of in reversed(places):
        point = of[0]
        near = last is not None and (
            math.log(last["bytes"] / point["bytes"]) < NEAR * width
            and last["quality"] - point["quality"] < NEAR * height
        )
        if not near:
            found[point["name"]] = "; ".join(dict.fromkeys(_label(one, best) for one in of))
            last = point
    return found


def _label(point: Point, best: list[Point]) -> str:
    """Return a point's name, with its recipe if another's point would have the same name."""
    recipes = {one["recipe"] for one in best if one["short"] == point["short"]}
    return f"{point['short']} ({point['recipe']})" if len(recipes) > 1 else str(point["short"])


def _names(where: str, place: Spec) -> Spec:
    """Return the layer that names points on the frontier: those on the left at their right."""
    return {
        "transform": [{"filter": f"datum.label && {where}"}],
        "mark": {"type": "text", **place},
        "encoding": {"text": {"field": "label"}},
    }
