"""Have each teacher's behaviour summarised, for the prompts of `label`. Can cost money.

Reads: `data/sessions`, and `data/difficulty` of the run's cells (the teachers' lists).
Writes: `data/hints/<dataset>` (raw answers), `data/hinted/<dataset>` (table `hints`), and the names
of the store's parts with what they cost in `reports/<dataset>/hint_parts.json`.
Parameters: `hints`, `label`; `label_transport` says how and up to what cost.
"""

from dataclasses import dataclass

from pipeline.labelling.buyer import Buyer
from pipeline.labelling.cases import context_of, hints_place, wanted_hints
from pipeline.labelling.notes import hints_table, is_readable, no_hints_table
from pipeline.labelling.providers import provider_of
from pipeline.params import Params
from pipeline.paths import Paths, cells
from pipeline.tables import HINTS


@dataclass(frozen=True)
class Summary:
    """What was asked and what it took; null: none."""

    cells: int
    asked: int
    here: int | None
    from_journal: int | None
    bought: int | None
    cost_usd: float


def run(params: Params, paths: Paths, dataset: str) -> Summary:
    """Ask for the hints of the run's cells that are not here, and read the answers."""
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    wanted = wanted_hints(params, paths, context) if provider.wants_hints else {}

    place = hints_place(paths, dataset)
    buyer = Buyer(provider, place, params.label, params.label_transport)
    bought = buyer.obtain(list(wanted.values()), is_readable)

    run_cells = cells(params.run, dataset)
    if provider.wants_hints:
        table = hints_table(wanted, place.store.read(), params.label, buyer.reuse)
    else:
        table = no_hints_table(run_cells, f"label.provider {params.label.provider} needs none")
    HINTS.write(table, paths.hinted(dataset))
    return Summary(
        cells=len(run_cells),
        asked=bought.asked,
        here=bought.stored or None,
        from_journal=bought.from_journal or None,
        bought=bought.made or None,
        cost_usd=bought.cost_usd,
    )
