"""From requests to stored answers: plan, gate, send, journal, store. The only way money is spent.

Nothing is sent before the gate; an answer is in the journal before it counts; the store gets one
part a run, also when the run is stopped.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import console
from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling import plan
from pipeline.labelling.batches.awaited import asked_before, refuse_twice, to_buy
from pipeline.labelling.batches.sending import BatchProvider, BatchSending, goes_by_batch
from pipeline.labelling.money import spending
from pipeline.labelling.money.budget import Budget
from pipeline.labelling.money.gate import dollars, gate
from pipeline.labelling.money.meter import Meter
from pipeline.labelling.money.prices import Price, price_of
from pipeline.labelling.online.sending import Sending
from pipeline.labelling.plan import Usable
from pipeline.labelling.providers.base import Provider
from pipeline.labelling.request import Request
from pipeline.labelling.stores import lock, parts, table
from pipeline.labelling.stores.identity import project_identity, refuse_unsure
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.ledger import SUFFIX, Ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.labelling.stores.store import Store
from pipeline.params.labelling import LabelParams, LabelTransportParams
from pipeline.paths import Paths


@dataclass(frozen=True)
class Place:
    """Where one stage's answers are kept."""

    store: Store
    names: Path
    """The file in Git that names the store's parts."""
    aside: Path
    """Where damaged parts go."""
    lock: Path
    title: str
    """The store's folder as a user types it."""
    root: Path = Path()
    """The project's folder: all its stores share one budget."""


@dataclass(frozen=True)
class Bought:
    """What became of the requests."""

    asked: int = 0
    """Distinct requests."""
    stored: int = 0
    from_journal: int = 0
    reused: int = 0
    """Of those two: served by an answer about the same subject with other hints or candidates."""
    refused: int = 0
    truncated: int = 0
    """Of those, too: no answers, and no further try of them is allowed."""
    made: int = 0
    """Answered in this run."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """By reason; the ledger has each."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0

    def plus(self, other: "Bought") -> "Bought":
        """Return the sum, for further tries of the same subjects."""
        both = {
            entry.name: getattr(self, entry.name) + getattr(other, entry.name)
            for entry in fields(self)
            if entry.name != "failed"
        }
        return Bought(**both, failed=dict(Counter(self.failed) + Counter(other.failed)))


@dataclass(frozen=True)
class Buyer:
    """Who answers, where answers are kept, and what is allowed."""

    provider: Provider
    place: Place
    label: LabelParams
    transport: LabelTransportParams
    journal: Journal = field(default_factory=Journal.here)

    @property
    def reuse(self) -> str:
        """How an answer serves."""
        return plan.reuse_of(self.provider, self.label)

    def obtain(self, requests: Sequence[Request], usable: Usable = lambda _: True) -> Bought:
        """Have every request answered: by what is here, by the journal, or by the provider.

        Args:
            requests: equal ones are asked once.
            usable: whether an answer will do; if not, up to `label.max_repeats` further tries.

        Raises:
            SpendRefused: more would be spent than was allowed; what was answered before is saved.
            LabelError: parts are missing, another labeller is at work, or the service refuses.
        """
        place = self.place
        place.store.make_folder()
        with lock.held(place.lock, place.title):
            place.store.set_aside(place.aside)
            if self.provider.free:
                return self._make_again(requests)
            parts.refuse_absent(place.names, place.store, place.title)
            with self._purse() as ledger:
                try:
                    return self._buy_with_repeats(requests, usable, ledger)
                finally:
                    parts.write_names(place.names, place.store)

    def _make_again(self, requests: Sequence[Request]) -> Bought:
        """Make labels that cost nothing, all of them: quicker than to look which are here."""
        distinct = {request.key: request for request in requests}

        async def make() -> list[dict[str, Any]]:
            return [table.row(one, await self.provider.answer(one)) for one in distinct.values()]

        self.place.store.replace_free(table.frame(asyncio.run(make())))
        parts.write_names(self.place.names, self.place.store)
        return Bought(asked=len(distinct), made=len(distinct))

    @contextmanager
    def _purse(self) -> Iterator[Ledger]:
        """Give the ledger; during the block nobody else spends the project's budget here."""
        refuse_unsure(self.place.root)
        project = project_identity(self.place.root)
        purse = self.journal.folder / f"{project}.lock"
        with (
            lock.held(purse, "the budget of this project's labels"),
            LineFile(self.journal.folder, SUFFIX) as lines,
        ):
            yield Ledger(lines, project)

    def _buy_with_repeats(
        self, requests: Sequence[Request], usable: Usable, ledger: Ledger
    ) -> Bought:
        bought, here = Bought(), self.place.store
        for repeat in range(self.label.max_repeats + 1):
            tries = [replace(request, repeat=repeat) for request in requests]
            bought = bought.plus(self._buy(tries, ledger))
            if repeat == self.label.max_repeats:
                break
            index = here.read(plan.INDEX)
            requests = plan.without_use(tries, index, self.reuse, usable, self._bodies)
            if not requests:
                break
        if bought.asked and not (bought.made or bought.stored or bought.from_journal):
            why = ", ".join(f"{count} x {why}" for why, count in sorted(bought.failed.items()))
            title = self.place.title
            raise LabelError(f"{title}: none of {bought.asked} requests was answered ({why})")
        return bought

    def _bodies(self, keys: Collection[str]) -> pl.DataFrame:
        return self.place.store.read(keys=keys)

    def _buy(self, requests: Sequence[Request], ledger: Ledger) -> Bought:
        index = self.place.store.read(plan.INDEX)
        kept = self.journal.read(requests, index["key"].to_list)
        made = plan.compare(requests, index, kept, self.reuse)
        saved = kept.filter(pl.col("key").is_in(list(set(made.journal.values()))))
        self._save(saved, ledger)
        rows = pl.concat([index, kept.select(plan.INDEX)])
        useless = plan.unanswered([made], rows, self.label.max_repeats)
        served = Bought(
            asked=len({request.key for request in requests}),
            stored=len(made.stored),
            from_journal=len(made.journal),
            reused=made.reused,
            refused=useless.get("refused", 0),
            truncated=useless.get("truncated", 0),
        )
        if made.missing and self._fetch_alike(made.missing, ledger):
            return self._buy(requests, ledger)
        return served.plus(self._send(made, ledger)) if made.missing else served

    def _fetch_alike(self, missing: Sequence[Request], ledger: Ledger) -> bool:
        """Await the answers of batches that serve although they were asked in other words."""
        if self.reuse == "request" or not isinstance(self.provider, BatchProvider):
            return False
        alike = asked_before(missing, self.journal.folder)
        price = price_of(self.label, self.transport)
        if not alike or price is None:
            return False
        with self.journal.writer() as answers:
            means = (self.transport, price, self._budget(), answers, ledger)
            asyncio.run(BatchSending(self.provider, *means, buys=False).send(alike))
        return True

    def _save(self, rows: pl.DataFrame, ledger: Ledger) -> None:
        """Write a part and note which answers it has, so that no money is counted twice."""
        ledger.note_part(self.place.store.write(rows), rows["key"].to_list())

    def _send(self, made: plan.Plan, ledger: Ledger) -> Bought:
        title, budget = self.place.title, self._budget()
        meter = Meter(title)
        price = self._allowed(made, budget)
        with self.journal.writer() as answers:
            means = (self.transport, price, budget, answers, ledger)
            sending: Sending | BatchSending
            if isinstance(self.provider, BatchProvider):
                sending = BatchSending(self.provider, *means, observe=meter.show)
            else:
                sending = Sending(self.provider, *means, observe=meter.show)
            try:
                with meter:
                    asyncio.run(sending.send(made.missing))
            except SpendRefused as refusal:
                raise SpendRefused(
                    f"{title}: {refusal}; {len(sending.rows):,} of {len(made.missing):,} planned "
                    "requests were answered and are saved. To buy the others raise it below "
                    "label_transport in params.yaml and run the same command; to fetch what others "
                    f"bought run `dvc pull {title}`"
                ) from None
            finally:
                self._save(table.frame(sending.rows), ledger)
                bought = _bought(sending)
                console.note(f"{title}: {_told(bought, budget)}")
        return bought

    def _budget(self) -> Budget:
        """Return what may be spent, and what was until now."""
        spent = spending.spent(Paths(self.place.root), self.journal)
        return Budget(self.transport.budget_usd, spent.total_usd)

    def _allowed(self, made: plan.Plan, budget: Budget) -> Price:
        """Pass the gate and return the price online, of which sending makes that of batches."""
        missing, served = made.missing, len(made.stored) + len(made.journal)
        bought = to_buy(missing, self.journal.folder, self.reuse)
        if not self.provider.batched:
            refuse_twice(missing, bought, self.place.title)
        batched = self.provider.batched and goes_by_batch(bought, self.transport)
        price = gate(
            bought, self.label, self.transport, self.place.title, served, budget.spent_usd,
            batched=batched, reused=made.reused,
        )  # fmt: skip
        return price_of(self.label, self.transport) or price


def _bought(sending: Sending | BatchSending) -> Bought:
    rows = table.frame(sending.rows)
    return Bought(
        made=rows.height,
        failed=dict(sending.failed),
        prompt_tokens=int(rows["prompt_tokens"].sum()),
        completion_tokens=int(rows["completion_tokens"].sum()),
        cost_usd=float(rows["cost_usd"].sum()),
    )


def _told(bought: Bought, budget: Budget) -> str:
    return (
        f"{bought.made:,} answered, {sum(bought.failed.values()):,} failed, "
        f"{bought.prompt_tokens:,} + {bought.completion_tokens:,} tokens, "
        f"${dollars(bought.cost_usd)}; ${dollars(budget.spent_usd)} of budget_usd "
        f"{budget.cap_usd:g} spent in all, ${dollars(budget.left_usd)} left"
    )
