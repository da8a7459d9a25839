"""What was run: parameters, data by their hashes, versions, prices, seeds, and what was cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.report.sources import Figures, Sources

Fact = tuple[str, str]
"""Name and value."""


@dataclass(frozen=True)
class Made:
    """What one part of the page was made with."""

    name: str
    about: list[Fact]
    details: list[tuple[str, list[Fact]]]
    """Longer lists, each with its headline."""


def made(sources: Sources) -> list[Made]:
    """Return what the cells and each grid were made with."""
    return [_of_cells(sources), *(_of_grid(name, of) for name, of in sources.grids.items())]


def _of_cells(sources: Sources) -> Made:
    seeds = sorted({cell.seed for cell in sources.cells})
    about = [
        ("cells", f"{len(sources.cells):,}"),
        ("seeds", ", ".join(map(str, seeds))),
        *(
            (f"SHA-256 of {table}, {dataset}", sha256)
            for dataset, of in sources.datasets.items()
            for table, sha256 in of.hashes.items()
        ),
        *((f"version of {name} that wrote this page", of) for name, of in sources.versions.items()),
        *_prices(sources),
    ]
    return Made("The run's cells", about, [("Parameters", list(flat(sources.parameters)))])


def _prices(sources: Sources) -> Iterator[Fact]:
    """Yield what the answers behind the labels have cost, as the cards say."""
    for cell, of in sources.cells.items():
        if of.card and of.card["cost"]["usd"]:
            cost = of.card["cost"]
            yield f"labels of {cell.folder}", f"${cost['usd']:,.2f} for {cost['answers']:,} answers"


def _of_grid(name: str, figures: Figures) -> Made:
    found = figures["made"]
    about = [
        ("finished", f"{figures['finished']:,} of {figures['planned']:,} models"),
        ("cut", figures["cut"] or "nothing"),
        *((f"seeds of {key}", _text(value)) for key, value in flat(figures["seeds"])),
        *((f"SHA-256 of {key}", _text(value)) for key, value in flat(found["data"])),
        *((f"version of {key}", _text(value)) for key, value in flat(found["versions"])),
        ("code", _text(found["code"])),
        ("taken over from earlier trainings", f"{found['taken_over']:,}"),
    ]
    if not found["prices"]:
        about.append(("prices", "none on record: figures are by the number of labels"))
    details = [
        ("Prices", list(flat(found["prices"] or {}))),
        ("Weights chosen on validation", list(flat(figures["tuned"]))),
        ("Parameters", list(flat(found["parameters"]))),
    ]
    return Made(f"Grid {name}", about, [(title, facts) for title, facts in details if facts])


def flat(value: Any, name: str = "") -> Iterator[Fact]:
    """Yield each value below a mapping with its name, dots between the parts."""
    if isinstance(value, dict) and value:
        for key, of in value.items():
            yield from flat(of, f"{name}.{key}" if name else str(key))
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
