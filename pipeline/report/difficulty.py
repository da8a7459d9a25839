"""The difficulty axis: how many sessions of each tenth were chosen, and by which policy."""

from collections.abc import Sequence

import polars as pl

from pipeline.report.charts import Chart, chart, dashed, named, quantity, tooltip
from pipeline.report.names import ordered

AXIS = "tenth of the {}, easiest first"


def selection(name: str, tables: Sequence[pl.DataFrame]) -> Chart:
    """Return how many sessions of each tenth were chosen to be labelled.

    Args:
        name: of the group.
        tables: `selection` (`decile`, `selected`, `pool`) of each cell; their mean is shown.
    """
    mean = (
        pl.concat(tables)
        .group_by("decile")
        .agg(pl.col("selected", "pool").cast(pl.Float64).mean())
        .sort("decile")
    )
    tips = tooltip(decile="tenth", selected="chosen", pool="of")
    return chart(
        f"{name}: sessions chosen to be labelled, along the difficulty axis",
        mean.to_dicts(),
        {
            "mark": {"type": "bar", "opacity": 0.15},
            "encoding": {"y": quantity("pool", "sessions", zero=True)},
        },
        {
            "mark": {"type": "bar", "color": "#3b82c4"},
            "encoding": {"y": quantity("selected", "sessions", zero=True), "tooltip": tips},
        },
        encoding={
            "x": {
                "field": "decile",
                "type": "ordinal",
                "title": AXIS.format("training sessions"),
                "axis": {"labelAngle": 0},
            }
        },
    )


def policies(name: str, tables: Sequence[pl.DataFrame]) -> Chart:
    """Return how many sessions of each tenth each policy would choose, with equal numbers in all.

    Args:
        name: of the group.
        tables: `policies` (`decile`, `policy`, `selected`) of each cell; their mean is shown.
    """
    mean = (
        pl.concat(tables)
        .group_by("policy", "decile")
        .agg(pl.col("selected").cast(pl.Float64).mean())
        .sort("policy", "decile")
    )
    names = ordered(set(mean["policy"]))
    tips = tooltip(policy="policy", decile="tenth", selected="sessions")
    return chart(
        f"{name}: what each policy would choose, along the difficulty axis",
        mean.to_dicts(),
        {
            "mark": {"type": "line", "strokeWidth": 1.6, "point": {"size": 14}},
            "encoding": {"strokeDash": dashed("policy", names), "tooltip": tips},
        },
        encoding={
            "x": {
                "field": "decile",
                "type": "ordinal",
                "title": AXIS.format("pool"),
                "axis": {"labelAngle": 0},
            },
            "y": quantity("selected", "sessions chosen", zero=True),
            "color": named("policy", names),
        },
        legend_symbol="stroke",
    )
