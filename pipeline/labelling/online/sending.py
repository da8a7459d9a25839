"""Requests under way: speed, retries, reservation, journal and ledger around single attempts.

What ends a run early (an error, Ctrl-C, a parent's death) drains it: nothing new is sent, waiting
for a turn ends, and what is under way is awaited and saved (`stopping` beside this module).
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from pipeline import console
from pipeline.errors import LabelError
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.money.gate import dollars
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.announced import Announced
from pipeline.labelling.online.limiter import WINDOW_SECONDS, Clock, Limiter, Passed, Sleep
from pipeline.labelling.online.retry import RATE_LIMIT, Failed, TryAgain, policy
from pipeline.labelling.online.stopping import Stopped, Stopping
from pipeline.labelling.online.tokens import TokenGauge
from pipeline.labelling.providers.base import Provider
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import table
from pipeline.labelling.stores.ledger import Ledger
from pipeline.labelling.stores.lines import SYNC_SECONDS, LineFile
from pipeline.params.labelling import LabelTransportParams

LONGEST_SHOWN = 300  # characters of a service's words on a terminal
HOPELESS = 10  # failures one after another, none answered between, end the run


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    requests: int
    answered: int
    failed: int
    spent_usd: float
    cap_usd: float
    seconds: float
    """Since it began."""


@dataclass
class Sending:
    """One run of sending; what was answered is in `rows`, also when it ends early."""

    provider: Provider
    transport: LabelTransportParams
    price: Price
    budget: Budget
    answers: LineFile
    ledger: Ledger
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    observe: Callable[[Progress], None] = lambda _: None
    """Told about every second how far we are, and once at the end."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    _stopped_by: Exception | None = None
    _failed_in_a_row: int = 0
    _limits_told: float = -math.inf
    _pause_told: float = -math.inf
    _under_way: set[asyncio.Task[Any] | None] = field(default_factory=set)
    _cut_off: list[float] = field(default_factory=list)
    """The most that each request can cost that was under way when everything had to stop."""

    async def send(self, requests: Sequence[Request]) -> None:
        """Send all requests; after an error nothing new is sent and what is under way is awaited.

        Raises:
            Stopped: somebody asked for it.
            Exception: what ended the run early, also an error that nobody thought of.
        """
        self.budget.begin()
        self._stopping = Stopping(self._told)
        try:
            await self._stopping.run(self._send(requests))
        except Stopped as stopped:
            raise Stopped(stopped.why, stopped.status, self._told_unknown()) from None
        finally:
            await self.provider.close()
        if self._stopped_by is not None:
            raise self._stopped_by

    async def _send(self, requests: Sequence[Request]) -> None:
        concurrency = min(self.transport.concurrency, len(requests))
        self._limiter = Limiter(
            self.transport.requests_per_minute,
            concurrency,
            self.transport.tokens_per_minute,
            self.clock,
            max(self.transport.retry_seconds, WINDOW_SECONDS),
        )
        self._tokens = TokenGauge(self.transport.tokens_counted)
        left, watches = iter(requests), []
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work(left)) for _ in range(concurrency)]
                watches = [
                    asyncio.create_task(self._watch(len(requests))),
                    asyncio.create_task(self._end_waiting(workers)),
                ]
        finally:
            for watch in watches:
                watch.cancel()

    async def _work(self, left: Iterator[Request]) -> None:
        while not self._stopping.wanted.is_set():
            request = next(left, None)
            if request is None:
                return
            try:
                await self._one(request)
                self._failed_in_a_row = 0
            except Failed as fault:
                self._count(fault)
            except Exception as error:  # noqa: BLE001 - raised once what is under way is saved
                self._stop(error)

    def _stop(self, error: Exception) -> None:
        self._stopped_by = self._stopped_by or error
        self._stopping.wanted.set()

    async def _end_waiting(self, workers: Sequence[asyncio.Task[None]]) -> None:
        """Let go, once we are to stop, of those that wait for a turn, a try or money."""
        await self._stopping.wanted.wait()
        for worker in workers:
            if worker not in self._under_way:
                worker.cancel()

    def _told(self) -> str:
        return f"{len(self._under_way):,} requests are under way, their answers are saved"

    def _told_unknown(self) -> str:
        """Return what those that were not awaited may cost; nothing if all were."""
        count, most = len(self._cut_off), dollars(sum(self._cut_off))
        if not count:
            return ""
        return f"{count:,} under way may have been billed, at most ${most}, and will be asked again"

    async def _one(self, request: Request) -> None:
        wanted, seconds = self._stopping.wanted.is_set, self.transport.retry_seconds
        async for attempt in policy(seconds, self.clock, self.sleep, wanted):
            with attempt:
                number = attempt.retry_state.attempt_number
                await self._attempt(request, number)

    async def _attempt(self, request: Request, number: int) -> None:
        """Ask once: money first, then a turn; between the turn and the sending nothing waits."""
        most, cost = most_of(request, self.price), 0.0
        await self.budget.reserve(most)
        try:
            async with self._limiter.place(self._tokens.before(request)) as passed:
                self._under_way.add(asyncio.current_task())
                cost = most  # of whatever ends without a word: a cancelled request may be billed
                try:
                    answer = await self._ask(request, most, passed)
                except (Failed, LabelError) as error:
                    cost = most if isinstance(error, Failed) and error.may_be_billed else 0.0
                    raise
                cost = self._cost(answer, most)
                self._keep(request, replace(answer, attempts=number, cost_usd=cost))
        finally:
            await self.budget.settle(most, cost)
            self._under_way.discard(asyncio.current_task())

    async def _ask(self, request: Request, most: float, passed: Passed) -> Answer:
        """Return the answer; the ledger knows of the request before and after, whatever happens."""
        self.ledger.note(request, "sent", most)
        try:
            answer = await self.provider.answer(request)
        except Failed as fault:
            state, cost = ("unknown", most) if fault.may_be_billed else ("failed", 0.0)
            self._obey(fault, passed)
            self.ledger.note(request, f"{state}:{fault.why}", cost, fault.said)
            raise
        except asyncio.CancelledError:
            self._cut_off.append(most)
            self.ledger.note(request, "unknown:interrupted", most)
            raise
        except LabelError as error:
            self.ledger.note(request, "failed:refused by the service", 0.0, str(error))
            raise
        self._limiter.settle(passed, self._tokens.after(request, answer))
        self._learn(answer.announced, passed)
        return answer

    def _keep(self, request: Request, answer: Answer) -> None:
        """Write first, then count; the store may have room where the journal's disk has none."""
        row = table.row(request, answer)
        try:
            self.answers.append(row)
        finally:
            self.rows.append(row)
            self.ledger.note(request, answer.outcome, answer.cost_usd)

    def _cost(self, answer: Answer, most: float) -> float:
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            return most
        cached = answer.cached_tokens or 0
        return self.price.of(answer.prompt_tokens, answer.completion_tokens, cached)

    def _learn(self, said: Announced | None, passed: Passed) -> None:
        """Obey announced limits, and tell: what a service means otherwise would only seem slow."""
        changed = self._limiter.learn(said, passed) if said is not None else ""
        self._tell_pause()
        if changed and self.clock() - self._limits_told >= console.LOG_SECONDS:
            self._limits_told = self.clock()
            console.note(f"the service announces its limits: now at most {changed} a minute")

    def _obey(self, fault: Failed, passed: Passed) -> None:
        """Slow down after a refusal, and hold everybody if that is asked and we have patience."""
        if not isinstance(fault, TryAgain):
            return
        self._learn(fault.announced, passed)
        if fault.why == RATE_LIMIT:
            self._limiter.slow_down(passed)
        if fault.wait and fault.wait <= self.transport.retry_seconds:
            self._limiter.hold(fault.wait)
            self._tell_pause()

    def _tell_pause(self) -> None:
        """Tell of a long pause, once for all replies that ask for the same one."""
        seconds, now = self._limiter.held_seconds, self.clock()
        if seconds > console.LOG_SECONDS and now >= self._pause_told:
            self._pause_told = now + seconds
            console.note(f"the service asks for a pause: nothing is sent for {seconds:.0f} seconds")

    def _count(self, fault: Failed) -> None:
        if fault.said and not self.failed[fault.why]:  # some servers call a wrong field a 500
            console.note(f"a request failed ({fault.why}): {fault.said[:LONGEST_SHOWN]}")
        self.failed[fault.why] += 1
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= max(HOPELESS, self.transport.concurrency):
            self._stop(
                LabelError(
                    f"{self._failed_in_a_row} requests in a row failed (last: {fault.why}, at "
                    f"{_host(self.transport.base_url)}); "
                    f"stopped, {len(self.rows):,} answers are saved; look at label_transport in "
                    "params.yaml"
                )
            )

    async def _watch(self, total: int) -> None:
        """Bound what a power cut can take, and tell how far we are."""
        started = time.monotonic()
        try:
            while True:
                await asyncio.sleep(SYNC_SECONDS)
                self.answers.sync_soon()
                self.observe(self._progress(total, time.monotonic() - started))
        finally:
            self.observe(self._progress(total, time.monotonic() - started))

    def _progress(self, total: int, seconds: float) -> Progress:
        return Progress(
            requests=total,
            answered=len(self.rows),
            failed=self.failed.total(),
            spent_usd=self.budget.spent_usd,
            cap_usd=self.budget.cap_usd,
            seconds=seconds,
        )


def _host(url: str) -> str:
    """Return host and port alone: the rest of an address may tell more than a log should."""
    found = urlsplit(url)
    return f"{found.hostname}:{found.port}" if found.port else str(found.hostname)
