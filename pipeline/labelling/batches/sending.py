"""Requests sent in batches: planned on disk, created once, looked after until they have ended.

The life of a batch, each step on disk before the next (`pipeline.labelling.batches.record`): its
requests are planned and their most is reserved, their file is uploaded, the batch is created,
looked at until it has ended, and fetched. A run that was killed anywhere leaves the rest to the
next one, which pays nothing twice. One task does everything, one step after another.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from pipeline import console
from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.batches import outcomes as batch_outcomes
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.batches.adoption import Adoption, Over, Patience
from pipeline.labelling.batches.awaited import to_buy
from pipeline.labelling.batches.creation import Creation
from pipeline.labelling.batches.earlier import keys_of, with_ours
from pipeline.labelling.batches.fetching import Fetching
from pipeline.labelling.batches.outcomes import Outcomes
from pipeline.labelling.batches.record import Plan, Record
from pipeline.labelling.batches.service import BatchService
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.money.gate import dollars
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.limiter import Clock, Sleep
from pipeline.labelling.online.sending import Progress, Sending
from pipeline.labelling.online.stopping import Stopped, Stopping
from pipeline.labelling.providers.base import Provider
from pipeline.labelling.request import Request
from pipeline.labelling.stores.ledger import Ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.params.labelling import LabelTransportParams

FIRST_PAUSE, LONGEST_PAUSE, SLOWER = 2.0, 60.0, 1.5  # seconds between looks
SAFE = (
    "it may take 24 hours. Ctrl-C is safe: the batch goes on, and the same command takes it up "
    "again"
)


@runtime_checkable
class BatchProvider(Provider, Protocol):
    """A provider that can also be asked in batches."""

    def batches(self) -> BatchService:
        """Return the wire to its Batch API."""
        ...

    @property
    def host(self) -> str:
        """Where that is, for messages."""
        ...


def goes_by_batch(bought: Sequence[Request], transport: LabelTransportParams) -> bool:
    """Return whether what is to be bought goes by batch, at its price; a few go online."""
    return len(bought) >= transport.batch_at_least


@dataclass
class BatchSending:
    """One run of sending; what was answered is in `rows`, also when it ends early."""

    provider: BatchProvider
    transport: LabelTransportParams
    price: Price
    """Of a request online; in a batch it is `label_transport.batch_factor` of it."""
    budget: Budget
    answers: LineFile
    ledger: Ledger
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    observe: Callable[[Progress], None] = lambda _: None
    """Told how far we are whenever that has changed."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    buys: bool = True
    """False: only what is in batches under way is awaited and fetched."""

    async def send(self, requests: Sequence[Request]) -> None:
        """Have all requests answered: by batches that exist, by new ones, a few online.

        Only what the gate counted at the price online goes online. What was once in a batch and
        comes back unanswered goes into another one.

        Raises:
            Stopped: somebody asked for it; the batches stay at the service.
            PipelineError: what ended the run early.
        """
        self.budget.begin()
        folder = self.answers.path.parent
        self._stopping = Stopping(lambda: "batches stay at the service; run again to fetch them")
        self._all, self._begun = len(requests), self.clock()
        self._outcomes = Outcomes(
            self.price.in_batches(self.transport.batch_factor),
            self.budget, self.answers, self.ledger, self.rows, self.failed,
            {request.key: request for request in requests},
            counted=batch_outcomes.under_way(folder, self.ledger.project),
        )  # fmt: skip
        bought = to_buy(requests, folder)
        self._gated = {request.key for request in bought}
        self._few = [] if goes_by_batch(bought, self.transport) else bought
        self._service = self.provider.batches()
        try:
            with LineFile(folder, batch_record.SUFFIX) as lines:
                self._prepare(Record(lines))
                await self._heeded(self._take_up(batch_record.plans(folder)))
                await self._send_few(at_once=True)
                await self._heeded(self._look_after())
        finally:
            self.answers.sync()
            await self._service.close()
            await self.provider.close()
        if self._outcomes.error is not None:
            raise self._outcomes.error
        await self._send_few(at_once=False)

    def _prepare(self, record: Record) -> None:
        self._record = record
        self._fetching = Fetching(
            self._service, record, self._outcomes, self.clock, self.answers.path.parent
        )
        over = self._stopping.wanted.is_set
        patience = Patience(self.transport.retry_seconds, self.clock, self._sleep, over)
        host, project = self.provider.host, self.ledger.project
        self._adoption = Adoption(self._service, record, patience, host, project)
        self._creation = Creation(
            self._service, record, self._outcomes, patience, self._adoption,
            self.answers.path.parent,
        )  # fmt: skip
        self._pause, self._shown = FIRST_PAUSE, (-1, -1)

    async def _heeded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some work, which ends early when somebody wants to stop.

        Raises:
            Stopped: somebody does.
        """

        async def heeding() -> None:
            try:
                await work
            except Over:
                self._tell_what_is_left()

        await self._stopping.run(heeding())

    async def _look_after(self) -> None:
        """Make batches of what is queued, and see all of them to their end."""
        while self._fetching.flights or (self._outcomes.queue and self.buys):
            if self.buys and self._outcomes.error is None:
                await self._submit()
            if await self._fetching.look():
                self._pause = FIRST_PAUSE
            self._show()
            if self._stopping.wanted.is_set() or self._outcomes.error is not None:
                self._tell_what_is_left()
                return
            if self._fetching.flights or self._fetching.full_for() > 0:
                await self._rest()

    def _tell_what_is_left(self) -> None:
        for flight in self._fetching.flights:
            keys = flight.plan.keys & self._outcomes.open.keys()
            most = dollars(self._outcomes.most(keys))
            console.note(f"{flight}: under way, {len(keys):,} requests for at most ${most}")

    async def _take_up(self, known: Sequence[Plan]) -> None:
        """Look after the batches that have our requests, and queue what is in none."""
        found = await with_ours(known, self._outcomes, self._adoption, self._creation)
        wanted, flying = self._outcomes.open, keys_of(found)
        few = {request.key for request in self._few}
        self._few = [one for one in self._few if one.key not in flying] if self.buys else []
        queued = wanted.keys() - flying - few
        self._outcomes.queue = {key: one for key, one in wanted.items() if key in queued}
        taken: set[str] = set()
        for plan in found:
            self._fetching.add(plan, "taken up, nothing is paid for it again")
            keys = sorted((plan.keys & wanted.keys()) - taken)
            taken.update(keys)
            self._outcomes.take_up(keys, ended=plan.tried)

    async def _submit(self) -> None:
        """Make batches of what is queued, as long as money and the service's queue allow it."""
        queue = self._outcomes.queue
        if self._too_many():
            return
        while queue and self._fetching.full_for() <= 0 and not self._stopping.wanted.is_set():
            requests = self._creation.cut(self._fetching.most_requests)
            if requests:
                plan = await self._creation.create(requests)
                self._fetching.add(plan, f"{len(requests):,} requests; {SAFE}")
                self._pause = FIRST_PAUSE
            elif self._fetching.flights:
                return  # until others have settled
            else:
                self._creation.refuse()

    def _too_many(self) -> bool:
        """Return whether requests came back that this run may not buy, once no batch is under way.

        The gate asked about those in no batch; what comes back from an earlier run's is added here.

        Raises:
            SpendRefused: it may not, and no batch is under way.
        """
        most, back = self.transport.max_new_requests, self._outcomes.queue.keys() - self._gated
        too_many = bool(back) and len(self._gated) + len(back) > most
        if too_many and not self._fetching.flights:
            raise SpendRefused(
                f"label_transport.max_new_requests is {most:,}, and {len(back):,} requests came "
                "back from an earlier run's batch without an answer"
            )
        return too_many

    async def _rest(self) -> None:
        """Wait until the next look, or until somebody wants to stop."""
        flying = bool(self._fetching.flights)
        await self._sleep(self._pause if flying else self._fetching.full_for())
        self._pause = min(self._pause * SLOWER, LONGEST_PAUSE)

    async def _sleep(self, seconds: float) -> None:
        """Wait, at most until somebody wants to stop."""
        waits = [
            asyncio.ensure_future(self.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wanted.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _show(self) -> None:
        done = len(self.rows), self.failed.total()
        if done == self._shown:  # a day has many looks
            return
        self._shown = done
        self.observe(
            Progress(
                requests=self._all,
                answered=done[0],
                failed=done[1],
                spent_usd=self.budget.spent_usd,
                cap_usd=self.budget.cap_usd,
                seconds=self.clock() - self._begun,
            )
        )

    async def _send_few(self, *, at_once: bool) -> None:
        """Ask online what is too little for a batch, before batches are awaited if money allows it.

        What then ends the run waits until the batches that have ended are fetched.
        """
        few = self._few
        most = sum(most_of(request, self.price) for request in few)
        if not few or (at_once and not self.budget.fits(most)):
            return
        self._few = []
        try:
            await self._online(few)
        except Stopped:
            self._tell_what_is_left()
            raise
        except LabelError as error:
            self._outcomes.error = error
        if not at_once and self._outcomes.error is not None:
            raise self._outcomes.error

    async def _online(self, requests: Sequence[Request]) -> None:
        await Sending(
            self.provider, self.transport, self.price, self.budget, self.answers, self.ledger,
            self.clock, self.sleep, self.observe, self.rows, self.failed,
        ).send(requests)  # fmt: skip
