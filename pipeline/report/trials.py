"""What else was tried for accuracy on the published datasets, most of it in vain."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import files
from pipeline.report.sources import Sources

PLACE = Path(__file__).with_name("trials.json")
"""The table of docs/trials.md; prototypes, not models of this project."""


@dataclass(frozen=True)
class Trial:
    """A setting and its Recall@10 / NDCG@10, as text; '' where they were not measured."""

    data: str
    """``films``, ``games`` or ``both``."""
    setting: str
    validation: str
    test: str
    read: str
    """Which reading of the test part: T1 to T4, or once."""
    bytes: str


def table() -> list[Trial]:
    """Return all trials in the order in which they were made."""
    return [Trial(**row) for row in files.read_json(PLACE)["trials"]]


def trials(sources: Sources) -> Iterator[tuple[str, list[Trial]]]:
    """Yield each dataset of the run for which something was tried, and what."""
    known, every = files.read_json(PLACE)["datasets"], table()
    for name in dict.fromkeys(cell.dataset for cell in sources.cells):
        if name in known:
            yield name, [one for one in every if one.data in (known[name], "both")]
