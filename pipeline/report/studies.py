"""The grids' other studies: one metric as a setting changes, whatever the setting is."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.charts import Chart, chart, named, quantity, rounded, tooltip
from pipeline.report.names import ordered
from pipeline.report.series import series
from pipeline.report.sources import Figures, Sources

METRIC = "ndcg@10"
TITLES = {
    "dimensions": "How many numbers an item is described with",
    "shares": "Assumed shares of effective and incorrect answers",
    "counts": "The assumed numbers of answers against the true ones",
    "correctness": "How many answers are correct",
}
KINDS_OF_ANSWERS = (
    "An answer is effective if it gives the held-back item more weight than a teacher that has not "
    "seen the session, incorrect if less, similar if the same."
)
ABOUT = {
    "dimensions": "The student, and what rankings make of it, when it is wider or narrower.",
    "shares": f"The max-min policy assumes how many answers are of which kind. {KINDS_OF_ANSWERS}",
    "counts": "Whether it matters that the policy assumes numbers that are not the true ones.",
    "correctness": "The held-back item is put among a ranking's first five at this rate, else "
    "below them; all other items keep their order.",
}
"""What is changed, for those who have not read the paper."""
AXES = {
    "dimension": "numbers an item",
    "effective": "assumed share of effective answers",
    "incorrect": "assumed share of incorrect answers",
    "rate": "share of answers made correct",
    "counts": "numbers of answers",
}
ANSWERS = ("effective", "similar", "incorrect")
ELSEWHERE = {"table", "labels", "bytes"}
"""Studies that other parts of the page show."""


@dataclass(frozen=True)
class Study:
    """A study's pictures."""

    title: str
    about: str
    charts: list[Chart]
    lines: list[str]
    """What else it found."""


def studies(sources: Sources) -> list[Study]:
    """Return the studies that grids have made, with a picture a dataset, backbone and recipe."""
    found: dict[str, list[Chart]] = defaultdict(list)
    for grid, figures in sources.grids.items():
        for dataset, of in figures["datasets"].items():
            for (study, *_), models in _by_place(of["models"]).items():
                name = f"{sources.place(dataset, models[0])} (grid {grid})"
                found[study] += _charts(name, models)
    return [
        Study(
            title=TITLES.get(name, name),
            about=ABOUT.get(name, ""),
            charts=charts,
            lines=_answers(sources) if name == "counts" else [],
        )
        for name, charts in found.items()
    ]


def _answers(sources: Sources) -> list[str]:
    """Return how many recorded answers of each kind there are in truth, a line a cell."""
    return [
        f"{cell}: {', '.join(f'{kinds[kind]:,} {kind}' for kind in ANSWERS)}, "
        f"of {sum(kinds.values()):,} answers"
        for grid in sources.grids.values()
        for cell, kinds in grid["answers"].items()
        if cell.split("/")[0] in grid["datasets"]
    ]


def _by_place(models: list[Figures]) -> dict[tuple[str, str, str], list[Figures]]:
    found: dict[tuple[str, str, str], list[Figures]] = defaultdict(list)
    for one in models:
        if one["study"] not in ELSEWHERE and one["setting"]:
            found[one["study"], one["backbone"], one["recipe"]].append(one)
    return found


def _charts(name: str, models: list[Figures]) -> Iterator[Chart]:
    """Yield a line where one number changes, a map where two do, else a row for each setting."""
    settings = [one["setting"] for one in models]
    changing = [key for key in settings[0] if len({of.get(key) for of in settings}) > 1]
    numbers = all(isinstance(of.get(key), int | float) for of in settings for key in changing)
    if numbers and len(changing) == 1:
        yield _line(name, changing[0], models)
    elif numbers and len(changing) == 2:
        for method in ordered({one["method"] for one in models}):
            yield _map(name, changing, method, [one for one in models if one["method"] == method])
    else:
        yield _rows(name, models)


def _line(name: str, key: str, models: list[Figures]) -> Chart:
    rows = [{"method": one["method"], "x": float(one["setting"][key])} | _of(one) for one in models]
    title = AXES.get(key, key.replace("_", " "))
    return series(
        f"{name}: NDCG@10 by {title}",
        sorted(rows, key=lambda row: (row["method"], row["x"])),
        x=title,
        y="NDCG@10",
        scale="log" if key == "dimension" else "linear",
    )


def _rows(name: str, models: list[Figures]) -> Chart:
    words = [", ".join(f"{key} {value}" for key, value in one["setting"].items()) for one in models]
    rows = [
        {"method": one["method"], "setting": of} | _of(one)
        for of, one in zip(words, models, strict=True)
    ]
    names = ordered({row["method"] for row in rows})
    place = {"field": "setting", "type": "nominal", "title": None, "sort": None}
    across = quantity("mean", "NDCG@10")
    keys = {"legend": None} if len(names) == 1 else {}
    return chart(
        f"{name}: NDCG@10 by {', '.join(AXES.get(key, key) for key in models[0]['setting'])}",
        rows,
        {
            "mark": {"type": "rule", "opacity": 0.6},
            "encoding": {"x": {**across, "field": "low"}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": across, "tooltip": _tips(setting="setting", method="method")},
        },
        encoding={
            "y": place,
            "yOffset": {"field": "method", "type": "nominal"},
            "color": {**named("method", names), **keys},
        },
        height=max(60, 36 * len(set(words)) * len(names)),
    )


def _map(name: str, keys: list[str], method: str, models: list[Figures]) -> Chart:
    across, up = keys
    rows = [
        {"across": one["setting"][across], "up": one["setting"][up]} | _of(one) for one in models
    ]
    x, y = (AXES.get(key, key.replace("_", " ")) for key in keys)
    tone = quantity("mean", "NDCG@10", scale={"scheme": "blues"})
    white = {"test": f"datum.mean > {_middle(rows)}", "value": "#ffffff"}
    return chart(
        f"{name}, {method}: NDCG@10 by {x} and {y}",
        rows,
        {
            "mark": {"type": "rect"},
            "encoding": {
                "color": {key: tone[key] for key in tone if key != "axis"} | {"legend": None},
                "tooltip": _tips(across=x, up=y),
            },
        },
        {
            "mark": {"type": "text"},
            "encoding": {
                "text": {"field": "mean", "format": ".4f"},
                "color": {"condition": white, "value": "#10263c"},
            },
        },
        encoding={
            "x": {"field": "across", "type": "ordinal", "title": x, "axis": {"labelAngle": 0}},
            "y": {"field": "up", "type": "ordinal", "title": y, "sort": "descending"},
        },
    )


def _of(one: Figures) -> dict[str, float]:
    return {part: one["metrics"][METRIC][part] for part in ("mean", "low", "high")}


def _tips(**fields: str) -> list[dict[str, Any]]:
    return tooltip(**fields, mean="NDCG@10", low="from", high="to")


def _middle(rows: Sequence[Mapping[str, Any]]) -> float:
    means = [row["mean"] for row in rows]
    middle: float = rounded((min(means) + max(means)) / 2)
    return middle
