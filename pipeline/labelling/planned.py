"""What `distilrec labels plan` tells: what is here, what is missing, and what that would cost."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipeline.errors import LabelError
from pipeline.labelling import plan, rankings, stale
from pipeline.labelling.batches.awaited import refuse_twice, to_buy
from pipeline.labelling.batches.sending import goes_by_batch
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import (
    context_of,
    hints_place,
    labels_place,
    wanted_hints,
    wanted_labels,
)
from pipeline.labelling.money import spending
from pipeline.labelling.money.gate import estimate, gate
from pipeline.labelling.money.prices import Price, listed, price_of
from pipeline.labelling.notes import is_readable
from pipeline.labelling.providers import provider_of
from pipeline.labelling.providers.base import Context, Provider
from pipeline.labelling.request import Request
from pipeline.labelling.stores import parts
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lost import way_back
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.tables import HINTS

Row = dict[str, Any]


def plan_rows(params: Params, paths: Paths, dataset: str) -> list[Row]:
    """Return what each of a dataset's two stores would ask for, hints first: they come first.

    Raises:
        LabelError: a file that names a store's parts cannot be read.
    """
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    known = HINTS.path(paths.hinted(dataset)).exists()
    hints = HINTS.read(paths.hinted(dataset)) if known else HINTS.empty()
    wanted = wanted_labels(params, paths, context, provider, hints)
    asked_hints = wanted_hints(params, paths, context) if provider.wants_hints else {}
    journal = Journal.here()
    spent = 0.0 if provider.free else spending.spent(paths, journal).total_usd

    first = _Planned(provider, context, hints_place(paths, dataset), journal, is_readable)
    then = replace(
        first,
        place=labels_place(paths, dataset),
        usable=lambda row: rankings.is_usable(row, params.label.min_ranking),
    )
    rows = [first.row(list(asked_hints.values()), spent)]
    labels = [request for cell in wanted for request in cell.requests.values()]
    rows += [then.row(labels, spent, rows[0]["cost_usd"] or 0.0)]
    not_recorded = (0, sum(cell.missing for cell in wanted))
    old = {"selection": stale.note(params, paths, dataset) or "as params.yaml says"}
    return [{**row, "not_recorded": n, **old} for row, n in zip(rows, not_recorded, strict=True)]


@dataclass(frozen=True)
class _Planned:
    """One store, and who would fill it."""

    provider: Provider
    context: Context
    place: Place
    journal: Journal
    usable: plan.Usable

    def row(self, requests: Sequence[Request], spent_usd: float, ahead_usd: float = 0.0) -> Row:
        """Return what is here and missing of some requests; nobody is asked.

        Args:
            requests: first askings.
            spent_usd: by the project until now.
            ahead_usd: what is to be bought before these.
        """
        label, transport = self.context.label, self.context.transport
        free = self.provider.free
        rows = self._rows(requests)
        made, *further = self._plans(requests, rows, plan.reuse_of(self.provider, label))
        again, asked = _missing(further), len({request.key for request in requests})
        missing = [*made.missing, *again]
        useless = plan.unanswered([made, *further], rows.every(), self._repeats)
        bought = [] if free else to_buy(missing, self.journal.folder, label.reuse)
        batched = self.provider.batched and goes_by_batch(bought, transport)
        needs = estimate(bought, transport)
        online, by_batch = (price_of(label, transport, batched=one) for one in (False, True))
        price = by_batch if batched else online
        verdict = "free" if free else self._verdict(missing, bought, made, spent_usd, ahead_usd)
        return {
            "store": self.place.title,
            "asked": asked,
            "here": len(made.stored),
            "in_journal": len(made.journal),
            "share_an_answer": asked - len(made.stored) - len(made.journal) - len(made.missing),
            "missing": len(missing),
            "of_these_further_tries": len(again),
            "of_these_in_batches_under_way": 0 if free else len(missing) - len(bought),
            "reused": made.reused,
            "reused_although_changed": self._reasons(requests, made, rows.kept),
            "refused_or_truncated": useless,
            "missing_under_reuse_request": len(_missing(self._plans(requests, rows, "request"))),
            "prompt_tokens": needs.prompt_tokens,
            "completion_tokens": needs.completion_tokens,
            "cost_usd": 0.0 if free else needs.cost_usd(price),
            "cost_online_usd": 0.0 if free else needs.cost_usd(online),
            "cost_by_batch_usd": 0.0 if free else needs.cost_usd(by_batch),
            "hours_at_the_limits": needs.hours,
            "spent_usd": spent_usd,
            "budget_left_usd": max(transport.budget_usd - spent_usd - ahead_usd, 0.0),
            "price": "nothing" if free else self._told(price),
            "gate": f"{verdict}; {plan.told(useless, self._repeats)}" if useless else verdict,
        }

    @property
    def _repeats(self) -> int:
        return 0 if self.provider.free else self.context.label.max_repeats

    def _rows(self, requests: Sequence[Request]) -> "_Rows":
        """Return what may serve: of a million stored rows only what tells which one serves."""
        index = self.place.store.read(plan.INDEX)
        tries = [replace(one, repeat=n) for n in range(self._repeats + 1) for one in requests]
        return _Rows(index, self.journal.read(tries, index["key"].to_list))

    def _plans(self, requests: Sequence[Request], rows: "_Rows", reuse: str) -> list[plan.Plan]:
        return plan.with_repeats(
            requests,
            rows.index,
            rows.kept,
            reuse,
            self.usable,
            self._repeats,
            lambda keys: self._bodies(keys, rows.kept),
        )

    def _bodies(self, keys: Collection[str], kept: pl.DataFrame) -> pl.DataFrame:
        columns = [*plan.INDEX, "request", "offered", "response"]
        ours = kept.filter(pl.col("key").is_in(list(keys))).select(columns)
        return pl.concat([self.place.store.read(columns, keys=keys), ours])

    def _reasons(
        self, requests: Sequence[Request], made: plan.Plan, kept: pl.DataFrame
    ) -> dict[str, int]:
        served = {**made.stored, **made.journal}
        other = {serving for key, serving in served.items() if key != serving}
        return plan.reasons(requests, self._bodies(other, kept), made) if other else {}

    def _told(self, price: Price | None) -> str:
        """Return the price, beside the table's where that is another: it may be an old model's."""
        label, transport = self.context.label, self.context.transport
        ours, theirs = price_of(label, transport), listed(label, transport)
        if ours is None or theirs is None or ours.source == theirs.source:
            return str(price or "not known")
        if (ours.prompt, ours.completion) == (theirs.prompt, theirs.completion):
            return str(price)
        return f"{price}; the table says {theirs}"

    def _verdict(
        self,
        missing: Sequence[Request],
        bought: Sequence[Request],
        made: plan.Plan,
        spent_usd: float,
        ahead_usd: float,
    ) -> str:
        """Return what the gate would say.

        Args:
            missing: what is neither in the store nor in the journal.
            bought: of that, what no batch under way will answer.
            made: who serves the rest.
            spent_usd: by the project until now.
            ahead_usd: what is to be bought before these.
        """
        batched = self.provider.batched and goes_by_batch(bought, self.context.transport)
        place, served = self.place, len(made.stored) + len(made.journal)
        gone = parts.absent(place.names, place.store)
        if gone:
            way = way_back(gone, place.title, self.journal)
            return f"{parts.are_not_here(len(gone))}: {way}"
        try:
            if not self.provider.batched:
                refuse_twice(missing, bought, place.title)
            if not bought:
                return "nothing to buy"
            gate(
                bought, self.context.label, self.context.transport, place.title,
                served, spent_usd, ahead_usd=ahead_usd, batched=batched,
                reused=made.reused,
            )  # fmt: skip
        except LabelError as refusal:
            return str(refusal).removeprefix(f"{place.title}: ")
        return "would buy"


@dataclass(frozen=True)
class _Rows:
    """What may serve."""

    index: pl.DataFrame
    """Of the store: the columns that decide."""
    kept: pl.DataFrame
    """Of the journal: whole rows that the store has not."""

    def every(self) -> pl.DataFrame:
        """Return both, with the columns that decide."""
        return pl.concat([self.index, self.kept.select(plan.INDEX)])


def _missing(plans: Iterable[plan.Plan]) -> list[Request]:
    return [request for one in plans for request in one.missing]
