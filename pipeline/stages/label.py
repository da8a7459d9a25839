"""Have the LLM rank the candidates of the selected sessions. Can cost money.

Reads: `data/sessions`, `data/hinted`, and `data/selected` of the run's cells.
Writes: `data/labels/<dataset>` (raw answers, append-only), and the names of its parts with what
they cost and who made them in `reports/<dataset>/label_parts.json`.
Parameters: `label`; `label_transport` says how and up to what cost.
"""

from dataclasses import dataclass

from pipeline import console
from pipeline.errors import LabelError
from pipeline.labelling import plan
from pipeline.labelling.buyer import Buyer
from pipeline.labelling.cases import context_of, labels_place, refuse_without_hints, wanted_labels
from pipeline.labelling.providers import PROVIDERS, labeller, provider_of
from pipeline.labelling.rankings import is_usable
from pipeline.labelling.stores import parts
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.tables import HINTS


@dataclass(frozen=True)
class Summary:
    """What was asked, who answered and what it took; null: none."""

    labeller: str
    asked: int
    here: int | None
    from_journal: int | None
    reused: int | None
    refused: int | None
    truncated: int | None
    answered: int | None
    failed: int | None
    not_recorded: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float


def run(params: Params, paths: Paths, dataset: str) -> Summary:
    """Ask for the rankings of the run's cells that are not here."""
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    hints = HINTS.read(paths.hinted(dataset))
    if provider.wants_hints:
        refuse_without_hints(params, dataset, hints)
    wanted = wanted_labels(params, paths, context, provider, hints)
    requests = [request for asked in wanted for request in asked.requests.values()]
    not_recorded = sum(asked.missing for asked in wanted)
    if not requests:
        raise LabelError(
            f"dataset '{dataset}': none of the {not_recorded:,} selected sessions is recorded; "
            "with label.provider replay set select.pool: recorded in params.yaml"
        )

    place = labels_place(paths, dataset)
    buyer = Buyer(provider, place, params.label, params.label_transport)
    bought = buyer.obtain(requests, lambda row: is_usable(row, params.label.min_ranking))
    useless = {"refused": bought.refused, "truncated": bought.truncated}
    if any(useless.values()):
        console.note(f"{place.title}: {plan.told(useless, params.label.max_repeats)}")
    parts.write_labeller(place.names, labeller(params.label))

    return Summary(
        labeller=f"{params.label.provider} ({PROVIDERS[params.label.provider]})",
        asked=bought.asked,
        here=bought.stored or None,
        from_journal=bought.from_journal or None,
        reused=bought.reused or None,
        refused=bought.refused or None,
        truncated=bought.truncated or None,
        answered=bought.made or None,
        failed=sum(bought.failed.values()) or None,
        not_recorded=not_recorded or None,
        prompt_tokens=bought.prompt_tokens or None,
        completion_tokens=bought.completion_tokens or None,
        cost_usd=bought.cost_usd,
    )
