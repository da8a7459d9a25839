"""Charts as vega-lite specifications: plain dictionaries that hold their data.

Text and axes take the page's colour (``currentColor``), so that one picture serves light, dark and
print. Series differ by dash as well as by colour.
"""

from typing import Any

import polars as pl
import vl_convert

Spec = dict[str, Any]

COLOURS = {
    "popularity": "#8a8a8a",
    "itemknn": "#b07d2b",
    "student": "#3b82c4",
    "teacher": "#8b5fbf",
    "distilled": "#d1495b",
    "control": "#2a9d7c",
}
"""One colour a model, told apart on white and on black."""

WIDTH, HEIGHT = 300, 190
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"  # a name; nothing is fetched


def training(log: pl.DataFrame) -> Spec:
    """Return the validation curves of a cell's trainings (`model`, `step`, `validation_ndcg`)."""
    return _chart(
        log.select("model", "step", "validation_ndcg"),
        mark={"type": "line", "strokeWidth": 1.8},
        x=_quantity("step", "optimiser step"),
        y=_quantity("validation_ndcg", "validation NDCG@10"),
        more={"strokeDash": _models("strokeDash", log)},
    )


def quality(figures: pl.DataFrame) -> Spec:
    """Return Recall@k of every model for growing k (`model`, `cutoff`, `recall`)."""
    return _chart(
        figures.select("model", "cutoff", "recall"),
        mark={"type": "line", "strokeWidth": 1.8},
        x=_quantity("cutoff", "k"),
        y=_quantity("recall", "Recall@k"),
        more={"strokeDash": _models("strokeDash", figures)},
    )


def selection(deciles: pl.DataFrame) -> Spec:
    """Return how many sessions were chosen along the difficulty axis (`decile`, `selected`)."""
    spec = _chart(
        deciles.select("decile", "selected"),
        mark={"type": "bar", "color": COLOURS["student"]},
        x={
            "field": "decile",
            "type": "ordinal",
            "title": "tenth of the training sessions, easiest first",
            "axis": {"labelAngle": 0},
        },
        y=_quantity("selected", "selected sessions"),
        more={},
    )
    del spec["encoding"]["color"]
    return spec


def svg(spec: Spec) -> str:
    """Return the picture as an SVG element; equal specifications give equal text."""
    drawn = vl_convert.vegalite_to_svg(spec)
    return drawn.replace('width="', 'role="img" width="', 1)


def _quantity(field: str, title: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": field != "validation_ndcg"},
        "axis": {"tickCount": 5},
    }


def _models(channel: str, rows: pl.DataFrame) -> Spec:
    names = [name for name in COLOURS if name in set(rows["model"])]
    places = [list(COLOURS).index(name) for name in names]
    ranges: dict[str, list[Any]] = {
        "color": list(COLOURS.values()),
        "strokeDash": [[1, 3], [6, 2, 1, 2], [4, 3], [8, 3], [1, 0], [2, 2]],
    }
    return {
        "field": "model",
        "type": "nominal",
        "title": None,
        "scale": {"domain": names, "range": [ranges[channel][place] for place in places]},
    }


def _chart(rows: pl.DataFrame, *, mark: Spec, x: Spec, y: Spec, more: Spec) -> Spec:
    colour = _models("color", rows) if "model" in rows.columns else {}
    ink = "currentColor"
    axis = {"labelColor": ink, "titleColor": ink, "domainColor": ink, "tickColor": ink}
    return {
        "$schema": SCHEMA,
        "width": WIDTH,
        "height": HEIGHT,
        "background": None,
        "data": {"values": rows.to_dicts()},
        "mark": mark,
        "encoding": {"x": x, "y": y, "color": colour, **more},
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": {**axis, "gridColor": ink, "gridOpacity": 0.15, "titleFontWeight": "normal"},
            "axisY": {"minExtent": 38},  # a browser's digits may be wider than those measured here
            "legend": {"labelColor": ink, "orient": "bottom", "columns": 3, "labelFontSize": 11},
        },
    }
