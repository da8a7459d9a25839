"""Read rankings from the raw answers: free, and as often as one likes.

Reads: `data/sessions`, `data/selected` of the cell, `data/hinted`, `data/labels`.
Writes: table `labelled` of the cell, one row a selected session, whatever became of it.
Parameters: `label`.
"""

from dataclasses import dataclass

from pipeline.labelling import rankings
from pipeline.labelling.cases import asked, cell_cases, context_of, labels_place
from pipeline.labelling.providers import provider_of
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.tables import HINTS, LABELLED

OUTCOMES = ("too_short", "refused", "truncated", "missing")


@dataclass(frozen=True)
class Summary:
    """Sessions by what became of them; null: none."""

    sessions: int
    usable: int
    too_short: int | None
    refused: int | None
    truncated: int | None
    missing: int | None
    contain_target: int


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Find and read the row of each selected session."""
    context = context_of(params, paths, cell.dataset)
    cases = cell_cases(paths, cell, context, HINTS.read(paths.hinted(cell.dataset)))
    rows = labels_place(paths, cell.dataset).store.read()

    label, provider = params.label, provider_of(context)
    requests = asked(cases, provider).requests
    reuse = "request" if provider.free else label.reuse
    found = rankings.ranked(requests, rows, reuse, label.max_repeats, label.min_ranking)
    sessions = [case.session_id for case in cases]
    table = rankings.labelled(sessions, found, context, recorded=label.provider == "replay")

    LABELLED.write(table, paths.labelled(cell))
    outcomes = dict(table.group_by("outcome").len().iter_rows())
    return Summary(
        sessions=table.height,
        usable=outcomes.pop("usable", 0),
        **{name: outcomes.get(name) for name in OUTCOMES},
        contain_target=int(table["contains_target"].sum()),
    )
