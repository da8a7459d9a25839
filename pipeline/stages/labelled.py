"""Read rankings from the raw answers: free, and as often as one likes.

Reads: `data/sessions`, `data/selected` and `data/difficulty` of the cell, `data/hinted`,
`data/labels`.
Writes: table `labelled` of the cell, one row a selected session, whatever became of it; table
`label_ranks` and `card.json`: what the labels are worth.
Parameters: `label`; `evaluate.bootstrap_draws` for the card's intervals.
"""

from dataclasses import dataclass

from pipeline import files
from pipeline.labelling import rankings
from pipeline.labelling.cases import context_of
from pipeline.labelling.parse import PARSER_VERSION
from pipeline.labelling.providers import provider_of
from pipeline.labelling.quality import cards
from pipeline.labelling.quality.judged import label_ranks
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.tables import LABEL_RANKS, LABELLED

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
    folds = cards.folds_of(paths, cell)

    answers = cards.cell_answers(params, paths, cell, context, provider_of(context))
    sessions = [case.session_id for case in answers.cases]
    recorded = params.label.provider == "replay"
    table = rankings.labelled(sessions, answers.found, context, recorded=recorded)
    ranks = label_ranks(answers, context, folds)

    LABELLED.write(table, paths.labelled(cell), {"parser_version": str(PARSER_VERSION)})
    LABEL_RANKS.write(ranks, paths.label_ranks(cell))
    files.write_json(paths.card(cell), cards.card_of(ranks, params, cell.dataset))
    outcomes = dict(table.group_by("outcome").len().iter_rows())
    return Summary(
        sessions=table.height,
        usable=outcomes.pop("usable", 0),
        **{name: outcomes.get(name) for name in OUTCOMES},
        contain_target=int(table["contains_target"].sum()),
    )
