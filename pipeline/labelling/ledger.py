"""The ledger: what became of every attempt, in line files beside the journal.

States: `sent`; then `answered`, `refused`, `truncated`, or `failed:<why>`; `unknown` where a
request may have been billed although no answer came (a timeout, a cut connection, Ctrl-C). Failures
live here alone: they are never in the store, and never count as an answer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.labelling.journal import LineFile, checked_lines
from pipeline.labelling.request import Request

SUFFIX = "ledger.jsonl"


class Ledger:
    """Writes states of requests."""

    def __init__(self, lines: LineFile) -> None:
        self._lines = lines

    def note(
        self, request: Request, state: str, at_most_usd: float = 0.0, detail: str = ""
    ) -> None:
        """Write one state of a request, with the most it can have cost by then."""
        entry = {
            "key": request.key,
            "dataset": request.dataset,
            "kind": request.kind,
            "subject_id": request.subject_id,
            "state": state,
            "at_most_usd": at_most_usd,
        }
        self._lines.append(entry | ({"detail": detail} if detail else {}))


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what the ledgers in a folder say, oldest file first."""
    for path in sorted(folder.glob(f"*.{SUFFIX}")):
        yield from checked_lines(path)
