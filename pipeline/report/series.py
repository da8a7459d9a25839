"""Lines with intervals: one metric of several methods as something grows."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from pipeline.report.charts import (
    Chart,
    Row,
    Spec,
    chart,
    dashed,
    log_scale,
    named,
    quantity,
    root_scale,
    tooltip,
)
from pipeline.report.names import ordered

DODGE = 0.006
"""Of the axis: how far intervals of neighbouring series stand apart."""


def series(
    words: str,
    rows: Sequence[Row],
    *,
    x: str,
    y: str,
    scale: str = "linear",
    width: int = 340,
) -> Chart:
    """Return a chart with a line a method, and its interval at each point.

    Args:
        words: what it shows.
        rows: `method`, `x`, `mean`, `low` and `high`.
        x: title of the axis of `x`.
        y: title of the axis of `mean`.
        scale: of `x`: ``linear``, ``log`` (all above 0) or ``root`` (all from 0 on).
        width: of the picture.
    """
    names = ordered({str(row["method"]) for row in rows})
    height = quantity("mean", y)
    tips = tooltip(method="method", x=x, mean=y, low="from", high="to")
    across = {"log": log_scale, "root": root_scale}.get(scale, quantity)("at", x)
    keys = {"legend": None} if len(names) == 1 else {}
    interval: Spec = {
        "mark": {"type": "rule", "opacity": 0.45},
        "encoding": {"y": {**height, "field": "low"}, "y2": {"field": "high"}},
    }
    line: Spec = {
        "mark": {"type": "line", "strokeWidth": 1.6},
        "encoding": {"y": height, "strokeDash": {**dashed("method", names), **keys}},
    }
    point: Spec = {
        "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
        "encoding": {"y": height, "tooltip": tips},
    }
    return chart(
        words,
        _dodged(rows, names, scale),
        interval,
        line,
        point,
        encoding={"x": across, "color": {**named("method", names), **keys}},
        width=width,
        height=260,
        legend_symbol="stroke",
    )


def _dodged(rows: Sequence[Row], names: list[str], scale: str) -> list[Mapping[str, Any]]:
    """Return the rows with `at`: `x` moved aside a little, so that intervals can be told apart."""
    places = [float(row["x"]) for row in rows]
    low, high = min(places), max(places)
    middle = (len(names) - 1) / 2
    found: list[Mapping[str, Any]] = []
    for row in rows:
        step = DODGE * (names.index(str(row["method"])) - middle)
        x = float(row["x"])
        if scale == "log":
            at = x * (high / low) ** step
        elif scale == "root":
            at = max(0.0, sqrt(x) + step * sqrt(high)) ** 2 if x else 0.0
        else:
            at = x + step * (high - low)
        found.append({**row, "at": at})
    return found
