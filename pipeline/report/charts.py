"""Charts as vega-lite specifications: plain dictionaries that hold their data.

A chart stands twice on the page: as a picture drawn beforehand, for print and for browsers without
scripts, and as the specification, from which a script draws it again with tooltips and as wide as
the screen. Text and axes take the page's colour (``currentColor``), so that one picture serves
light, dark and print. Series differ by dash or shape as well as by colour.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any, TypeVar

import vl_convert
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from pipeline.report.names import COLOURS, DASHES, PALETTE

Spec = dict[str, Any]
Row = Mapping[str, Any]
Of = TypeVar("Of")

WIDTH, HEIGHT = 340, 220
INK = "currentColor"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing is fetched
DIGITS = 4
"""Significant ones of what is drawn: more could not be seen."""


@dataclass(frozen=True)
class Chart:
    """A picture, its specification, and what it shows in words."""

    words: str
    spec: Spec
    wide: bool = False

    @property
    def svg(self) -> Markup:
        """The picture as an SVG element; equal specifications give equal text."""
        return drawn(json.dumps(self.spec, sort_keys=True))

    @property
    def json(self) -> Markup:
        """The specification as JSON that may stand inside a script element."""
        return htmlsafe_json_dumps(self.spec, sort_keys=True, separators=(",", ":"))


@cache
def drawn(spec: str) -> Markup:
    """Return the SVG element of a specification given as JSON."""
    text = vl_convert.vegalite_to_svg(spec)
    return Markup(text.replace('width="', 'aria-hidden="true" width="', 1))  # noqa: S704


def chart(
    words: str,
    rows: Iterable[Row],
    *layers: Spec,
    encoding: Spec | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
    legend_columns: int = 3,
    legend_symbol: str = "circle",
) -> Chart:
    """Return a chart of rows.

    Args:
        words: what it shows, for those who do not see it.
        rows: the data; numbers are rounded to four significant digits.
        layers: marks, each with the encoding it has beyond the common one.
        encoding: what all layers have in common.
        width: of the picture, without axes; the script makes it fit the screen.
        height: the same.
        legend_columns: entries in a line of the legend.
        legend_symbol: ``circle``, or ``stroke`` where lines differ by dash.
    """
    spec = {
        "$schema": SCHEMA,
        "width": width,
        "height": height,
        "background": None,
        "data": {"values": [{name: rounded(of) for name, of in row.items()} for row in rows]},
        "encoding": encoding or {},
        "layer": list(layers),
        "config": {
            "aria": False,
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": _axis(),
            "axisY": {"minExtent": 38},  # a browser's digits may be wider than those measured here
            "legend": _legend(legend_columns, legend_symbol),
            "text": {"color": INK, "fontSize": 10},
            "rule": {"color": INK},
        },
    }
    return Chart(words, spec, wide=width > WIDTH)


def _axis() -> Spec:
    lines = {"labelColor": INK, "titleColor": INK, "domainColor": INK, "tickColor": INK}
    return {**lines, "gridColor": INK, "gridOpacity": 0.15, "titleFontWeight": "normal"}


def _legend(columns: int, symbol: str) -> Spec:
    return {
        "labelColor": INK,
        "orient": "bottom",
        "columns": columns,
        "labelFontSize": 11,
        "labelLimit": 220,
        "title": None,
        "symbolType": symbol,
        "symbolOpacity": 1,
        "symbolBaseFillColor": INK,
        "symbolBaseStrokeColor": INK,
        "symbolStrokeWidth": 2,
        "layout": {"bottom": {"direction": "vertical", "anchor": "start"}},
        "symbolSize": 320 if symbol == "stroke" else 90,
    }


def quantity(field: str, title: str, *, zero: bool = False, **more: Any) -> Spec:
    """Return a channel for a number; keywords replace parts of its scale or axis."""
    scale = more.get("scale", {"zero": zero, "nice": True})
    axis = {"tickCount": 5, **more.get("axis", {})}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def log_scale(field: str, title: str) -> Spec:
    """Return a channel for a number above 0 on a logarithmic scale."""
    axis = {"format": "~s", "gridOpacity": 0.06, "labelOverlap": "greedy", "tickCount": 6}
    return quantity(field, title, scale={"type": "log", "nice": False, "padding": 14}, axis=axis)


def root_scale(field: str, title: str) -> Spec:
    """Return a channel for a number from 0 on, small ones further apart than large ones."""
    return quantity(field, title, scale={"type": "sqrt", "zero": True, "nice": False})


def named(field: str, names: Sequence[str], colours: Mapping[str, str] | None = None) -> Spec:
    """Return a channel that gives each name its colour, a known one the same in all charts."""
    scale = {"domain": list(names), "range": _given(names, colours or COLOURS, PALETTE)}
    return {"field": field, "type": "nominal", "title": None, "scale": scale}


def dashed(field: str, names: Sequence[str]) -> Spec:
    """Return a channel that gives each name its dash, a known one the same in all charts."""
    known = dict(zip(COLOURS, cycle(DASHES), strict=False))
    scale = {"domain": list(names), "range": [list(one) for one in _given(names, known, DASHES)]}
    return {"field": field, "type": "nominal", "title": None, "scale": scale}


def _given(names: Sequence[str], known: Mapping[str, Of], others: Sequence[Of]) -> list[Of]:
    """Return what each name has: its own if it is known, else the next that no known one has."""
    taken = [known[name] for name in names if name in known]
    free = cycle([one for one in others if one not in taken] or others)
    return [known[name] if name in known else next(free) for name in names]


def tooltip(**fields: str) -> list[Spec]:
    """Return what is shown at a mark: fields by name, each with its title."""
    return [{"field": field, "title": title} for field, title in fields.items()]


def rounded(value: Any) -> Any:
    """Return a number with four significant digits; whole numbers and texts as they are."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
