"""Requests under way: speed, retries, reservation, journal and ledger around single attempts."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline import console
from pipeline.errors import LabelError, PipelineError
from pipeline.labelling import store
from pipeline.labelling.budget import Budget, Price, most_of
from pipeline.labelling.journal import SYNC_SECONDS, LineFile
from pipeline.labelling.ledger import Ledger
from pipeline.labelling.limiter import Clock, Limiter, Sleep
from pipeline.labelling.providers.base import Provider
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.retry import Failed, TryAgain, policy
from pipeline.params import LabelTransportParams

HOPELESS = 10  # failures one after another, none answered between, end the run


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
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    _stopped_by: PipelineError | None = None
    _failed_in_a_row: int = 0

    async def send(self, requests: Sequence[Request]) -> None:
        """Send all requests; after an error nothing new is sent and what is under way is awaited.

        Raises:
            PipelineError: what ended the run early.
        """
        concurrency = min(self.transport.concurrency, len(requests))
        limiter = Limiter(self.transport.requests_per_minute, concurrency, self.clock, self.sleep)
        self.budget.begin()
        left = iter(requests)
        watch = asyncio.create_task(self._watch(len(requests)))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._work(left, limiter))
        finally:
            watch.cancel()
            await self.provider.close()
        if self._stopped_by is not None:
            raise self._stopped_by

    async def _work(self, left: Iterator[Request], limiter: Limiter) -> None:
        for request in left:
            try:
                await self._one(request, limiter)
                self._failed_in_a_row = 0
            except Failed as fault:
                self._count(fault)
            except PipelineError as error:
                self._stopped_by = self._stopped_by or error
            if self._stopped_by is not None:
                return

    async def _one(self, request: Request, limiter: Limiter) -> None:
        async for attempt in policy(self.transport.retry_seconds, self.clock, self.sleep):
            with attempt:
                number = attempt.retry_state.attempt_number
                await self._attempt(request, limiter, number)

    async def _attempt(self, request: Request, limiter: Limiter, number: int) -> None:
        most = most_of(request, self.price)
        async with limiter.place():
            await self.budget.reserve(most)
            cost = most  # of whatever ends without a word: a cancelled request may be billed
            try:
                self.ledger.note(request, "sent", most)
                answer = await self.provider.answer(request)
            except Failed as fault:
                cost = most if fault.may_be_billed else 0.0
                state = "unknown" if fault.may_be_billed else "failed"
                self.ledger.note(request, f"{state}:{fault.why}", cost, fault.said)
                self._obey(fault, limiter)
                raise
            except asyncio.CancelledError:
                self.ledger.note(request, "unknown:interrupted", most)
                raise
            except LabelError as error:
                cost = 0.0
                self.ledger.note(request, "failed:refused by the service", cost, str(error))
                raise
            else:
                cost = self._cost(answer, most)
                self._keep(request, replace(answer, attempts=number, cost_usd=cost))
            finally:
                await self.budget.settle(most, cost)

    def _keep(self, request: Request, answer: Answer) -> None:
        """Write first, then count."""
        row = store.row(request, answer)
        self.answers.append(row)
        self.ledger.note(request, answer.outcome, answer.cost_usd)
        self.rows.append(row)

    def _cost(self, answer: Answer, most: float) -> float:
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            return most
        return self.price.of(answer.prompt_tokens, answer.completion_tokens)

    def _obey(self, fault: Failed, limiter: Limiter) -> None:
        """Hold everybody if the service asked for patience that we have."""
        if (
            isinstance(fault, TryAgain)
            and fault.wait
            and fault.wait <= self.transport.retry_seconds
        ):
            limiter.hold(fault.wait)

    def _count(self, fault: Failed) -> None:
        self.failed[fault.why] += 1
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= max(HOPELESS, self.transport.concurrency):
            self._stopped_by = self._stopped_by or LabelError(
                f"{self._failed_in_a_row} requests in a row failed (last: {fault.why}); stopped, "
                f"{len(self.rows):,} answers are saved; look at label_transport in params.yaml"
            )

    async def _watch(self, total: int) -> None:
        """Bound what a power cut can take, and say now and then what was spent."""
        shown = time.monotonic()
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(SYNC_SECONDS)
                self.answers.sync()
                if time.monotonic() - shown > console.LOG_SECONDS:
                    shown = time.monotonic()
                    console.note(
                        f"labels: {len(self.rows):,} of {total:,} answered, "
                        f"{self.failed.total():,} failed, ${self.budget.spent_usd:.4f} spent of "
                        f"{self.budget.cap_usd:g}"
                    )
