"""The page: one HTML file that needs no network and no other file."""

from pathlib import Path
from typing import Any

import jinja2

from pipeline.evaluation import results
from pipeline.report import names, published, scripts
from pipeline.report.axes import axes
from pipeline.report.browser import browser
from pipeline.report.comparisons import comparisons, headlines, questions
from pipeline.report.groups import groups, metric_name, name_of
from pipeline.report.labels import CardView, card_view
from pipeline.report.made import made
from pipeline.report.money import money
from pipeline.report.plane import planes
from pipeline.report.slices import WORDS, noise, slices
from pipeline.report.sources import Sources
from pipeline.report.studies import studies
from pipeline.report.trials import trials

PARTS = {
    "results": "Results",
    "published": "Published",
    "bytes": "Bytes",
    "dollars": "Dollars",
    "studies": "Studies",
    "comparisons": "Comparisons",
    "slices": "Slices",
    "cards": "Label quality",
    "sessions": "Difficulty",
    "training": "Training",
    "labels": "Labels",
    "trials": "Tried",
    "made": "What was run",
}
"""The page's parts by the identifiers of their sections, in order."""
OPTIONAL = ("published", "studies", "comparisons", "slices", "cards", "trials")
"""Those that are there only if there is something to show."""


def render(sources: Sources) -> str:
    """Return the page's text; equal sources give equal bytes."""
    shown = _views(sources)
    without = {part for part in OPTIONAL if not shown[part]}
    parts = [(part, name) for part, name in PARTS.items() if part not in without]
    return _environment().get_template("page.html").render(**shown, parts=parts)


def _views(sources: Sources) -> dict[str, Any]:
    """Return what each part of the page shows."""
    found = groups(sources.metrics)
    return {
        "title": sources.title,
        "policy": scripts.policy(),
        "style": scripts.style(),
        "scripts": scripts.scripts(),
        "synthetic": sources.synthetic,
        "labellers": _labellers(sources),
        "notes": _notes(sources),
        "groups": found,
        "several": any(group.seeds > 1 for group in found),
        "published": list(published.comparisons(sources)),
        "source": published.table()["source"],
        "planes": list(planes(sources)),
        "money": list(money(sources)),
        "studies": studies(sources),
        "comparisons": comparisons(sources),
        "questions": questions(sources),
        "headlines": headlines(sources),
        "slices": slices(sources),
        "noise": noise(sources),
        "slice_words": WORDS,
        "cards": _cards(sources),
        "axes": axes(sources),
        "browser": browser(sources),
        "trials": list(trials(sources)),
        "made": made(sources),
        "glossary": [(name, of.words) for name, of in names.NAMES.items()],
    }


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["metric"] = metric_name
    environment.filters["number"] = format
    return environment


def _notes(sources: Sources) -> list[str]:
    """Return what the grids left out, and which are not finished."""
    cut = [f"Grid {name}: {of['cut']}" for name, of in sources.grids.items() if of["cut"]]
    return cut + [
        f"Grid {name} is not finished: {of['finished']:,} of {of['planned']:,} models."
        for name, of in sources.grids.items()
        if of["finished"] < of["planned"]
    ]


def _labellers(sources: Sources) -> dict[tuple[str, str], None]:
    """Return each dataset and, in words, who made its labels; once each, in order."""
    return dict.fromkeys(
        (cell.dataset, results.labelled_by(of.card["labeller"] if of.card else None))
        for cell, of in sources.cells.items()
    )


def _cards(sources: Sources) -> list[CardView]:
    """Return what the labels are worth, of the cells whose labels were judged."""
    return [
        card_view(name_of(cell), of.metrics["dataset"]["synthetic"], of.card)
        for cell, of in sources.cells.items()
        if of.card
    ]
