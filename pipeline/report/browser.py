"""The browser of labels: sessions, candidates, rankings and held-back items, for a script to show.

Titles come from raw data and rankings from a service: all of it is data. It reaches the page as
JSON whose angle brackets are escaped, and the script writes it as text alone.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from pipeline.paths import Cell
from pipeline.report.groups import name_of
from pipeline.report.sources import Sources
from pipeline.tables import SELECTED

LABELS_OF_A_CELL = 500
LABELS_OF_A_PAGE = 2_000
"""Shared by the cells: a page should open on a phone."""


@dataclass(frozen=True)
class Browser:
    """What the script shows, and in words what is left out."""

    json: Markup
    shown: int
    of: int
    missing: list[str]
    """Cells whose tables are not here."""


def browser(sources: Sources) -> Browser:
    """Return the first labels of each cell, in the order of their sessions."""
    limit = min(LABELS_OF_A_CELL, LABELS_OF_A_PAGE // len(sources.cells))
    cells, used, every = [], dict[str, set[int]](), 0
    missing = []
    for cell, of in sources.cells.items():
        dataset = sources.datasets.get(cell.dataset)
        if dataset is None or of.labelled is None:
            missing.append(name_of(cell))
            continue
        every += len(of.labelled)
        labels = _labels(of.labelled.head(limit), of.selected, dataset.sessions)
        cells.append(_cell(cell, labels))
        used.setdefault(cell.dataset, set()).update(*map(_items, labels))
    content = {
        "cells": cells,
        "titles": {name: _titles(sources, name, of) for name, of in used.items()},
    }
    return Browser(
        json=htmlsafe_json_dumps(content, separators=(",", ":"), ensure_ascii=False),
        shown=sum(len(cell["labels"]) for cell in cells),
        of=every,
        missing=missing,
    )


def _cell(cell: Cell, labels: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name_of(cell), "dataset": cell.dataset, "labels": labels}


def _labels(
    labelled: pl.DataFrame, selected: pl.DataFrame | None, sessions: pl.DataFrame
) -> list[dict[str, Any]]:
    """Return labels with short keys: session, past, target, candidates, ranking, outcome."""
    offered = SELECTED.empty() if selected is None else selected
    labels = labelled.join(
        sessions.select("session_id", "items"), on="session_id", maintain_order="left"
    ).join(
        offered.select("session_id", "candidates"),
        on="session_id",
        how="left",
        maintain_order="left",
    )
    return [
        {
            "s": row["session_id"],
            "p": row["items"][:-1],
            "t": row["items"][-1],
            "c": row["candidates"] or [],
            "r": row["ranking"],
            "o": row["outcome"].replace("_", " "),
        }
        for row in labels.iter_rows(named=True)
    ]


def _items(label: dict[str, Any]) -> set[int]:
    return {label["t"], *label["p"], *label["c"], *label["r"]}


def _titles(sources: Sources, dataset: str, used: set[int]) -> dict[int, str]:
    """Return the titles of the items that are named on the page, and of no other."""
    catalog = sources.datasets[dataset].catalog
    rows = catalog.filter(pl.col("item_index").is_in(sorted(used)))
    return dict(rows.select("item_index", "title").iter_rows())
