"""The ledger: what became of every attempt, in line files beside the journal.

States: `sent`; then `answered`, `refused`, `truncated`, or `failed:<why>`; `unknown` where a
request may have been billed although no answer came (a timeout, a cut connection, Ctrl-C); `in
batch` while a service has it among others. Failures live here alone: they are never in the store,
and never count as an answer. A line of another kind says which part of a store got the answers to
which requests, so that no money is counted twice.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pipeline.labelling.request import Request
from pipeline.labelling.stores.lines import LineFile, checked_lines

SUFFIX = "ledger.jsonl"
UNDER_WAY = frozenset({"sent", "in batch"})
"""States of an attempt that has not ended."""


class Ledger:
    """Writes states of requests."""

    def __init__(self, lines: LineFile, project: str = "") -> None:
        self._lines = lines
        self.project = project

    def note(
        self, request: Request, state: str, at_most_usd: float = 0.0, detail: str = ""
    ) -> None:
        """Write one state of a request, with the most it can have cost by then."""
        entry = {
            "project": self.project,
            "key": request.key,
            "dataset": request.dataset,
            "kind": request.kind,
            "endpoint": request.endpoint,
            "model": request.model,
            "subject_id": request.subject_id,
            "state": state,
            "at_most_usd": at_most_usd,
        }
        self._lines.append(entry | ({"detail": detail} if detail else {}))

    def note_part(self, part: Path | None, keys: Collection[str]) -> None:
        """Write which part of a store holds the answers to requests; none was needed for none."""
        if part is not None:
            self._lines.append({"project": self.project, "part": part.name, "keys": sorted(keys)})


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what the ledgers in a folder say of requests, oldest file first."""
    return (entry for entry in lines(folder) if "key" in entry)


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield all that the ledgers in a folder say, oldest file first."""
    for path in sorted(folder.glob(f"*.{SUFFIX}")):
        yield from checked_lines(path)


def of_others(folder: Path, project: str) -> set[str]:
    """Return the keys that ledgers know of other projects alone."""
    ours, others = set[str](), set[str]()
    for entry in entries(folder):
        (ours if entry.get("project", project) == project else others).add(entry["key"])
    return others - ours
