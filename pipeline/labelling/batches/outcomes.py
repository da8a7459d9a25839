"""What becomes of each request that goes by batch: answered, failed, or to be sent again.

What was spent before counts the attempts that the ledger shows as under way, at their most. They
are no longer counted there once a run looks after them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.errors import LabelError
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.retry import Failed, TryAgain
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import ledger, table
from pipeline.labelling.stores.ledger import Ledger
from pipeline.labelling.stores.lines import LineFile

SENT_AGAIN = 1  # times that a request goes into another batch of the same run


@dataclass
class Outcomes:
    """The requests of one run, with their money, journal and ledger."""

    price: Price
    budget: Budget
    answers: LineFile
    ledger: Ledger
    rows: list[dict[str, Any]]
    failed: Counter[str]
    open: dict[str, Request]
    """By key: neither answered nor failed."""
    queue: dict[str, Request] = field(default_factory=dict)
    """Of those: in no batch."""
    asked: frozenset[str] = field(init=False)
    """Keys of all, answered or not."""
    counted: dict[str, float] = field(default_factory=dict)
    """Of attempts under way: what was spent counts this for them, at the price of their day."""
    error: LabelError | None = None
    """What is to end the run once all that is here was read."""
    _again: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.asked = frozenset(self.open)

    def most(self, keys: Iterable[str]) -> float:
        """Return the most that some open requests can cost."""
        return sum(most_of(self.open[key], self.price) for key in keys)

    def sent(self, keys: Iterable[str]) -> None:
        """Take requests, whose most is reserved, out of the queue: they go into a batch."""
        for key in keys:
            self.ledger.note(self.open[key], "sent", self.most([key]))
            del self.queue[key]

    def take_up(self, keys: Iterable[str], *, ended: bool = False) -> None:
        """Look after requests that an earlier run, or another machine, has put into a batch.

        Args:
            keys: of open requests.
            ended: the ledger has an end of them already.
        """
        for key in keys:
            most = self.most([key])
            self._reserve(key, most)
            if not ended:
                self.ledger.note(self.open[key], "in batch", most)

    def _reserve(self, key: str, most: float) -> None:
        self.budget.take_up(most, self.counted.pop(key, 0.0))

    async def answered(self, key: str, answer: Answer) -> None:
        """Keep an answer to an open request."""
        self.queue.pop(key, None)
        await self._keep(self.open.pop(key), answer)

    async def answered_too(self, request: Request, answer: Answer) -> None:
        """Keep an answer to what an earlier run asked; it is paid for."""
        self._reserve(request.key, most_of(request, self.price))
        await self._keep(request, answer)

    async def _keep(self, request: Request, answer: Answer) -> None:
        """Write first, then count; the store may have room where the journal's disk has none."""
        most = most_of(request, self.price)
        row = table.row(request, replace(answer, cost_usd=self._cost(answer, most)))
        try:
            self.answers.append(row)
        finally:
            self.rows.append(row)
            self.ledger.note(request, answer.outcome, row["cost_usd"])
        try:
            await self.budget.settle(most, row["cost_usd"])
        except LabelError as error:
            self.error = self.error or error

    async def ended(self, key: str, fault: Failed) -> None:
        """Count a request without an answer as failed, or queue it where that may help."""
        request, most = self.open[key], self.most([key])
        state, cost = ("unknown", most) if fault.may_be_billed else ("failed", 0.0)
        self.ledger.note(request, f"{state}:{fault.why}", cost, fault.said)
        await self.budget.settle(most, cost)
        if isinstance(fault, TryAgain) and self._again[key] < SENT_AGAIN:
            self._again[key] += 1
            self.queue[key] = request
        else:
            del self.open[key]
            self.failed[fault.why] += 1

    async def put_back(self, keys: Iterable[str], why: str) -> None:
        """Queue requests that certainly were not worked on."""
        for key in keys:
            self.ledger.note(self.open[key], f"failed:{why}")
            await self.budget.settle(self.most([key]), 0.0)
            self.queue[key] = self.open[key]

    def _cost(self, answer: Answer, most: float) -> float:
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            return most
        cached = answer.cached_tokens or 0
        return self.price.of(answer.prompt_tokens, answer.completion_tokens, cached)


def under_way(folder: Path, project: str) -> dict[str, float]:
    """Return what the ledger in a folder counts for a project's attempts under way, by key.

    Of several attempts at one request that is the last one, whose end comes first.
    """
    attempts: dict[str, list[float]] = defaultdict(list)
    for entry in ledger.entries(folder):
        key, state = entry["key"], entry["state"]
        if entry.get("project") != project:
            continue
        if state == "sent" or (state in ledger.UNDER_WAY and not attempts[key]):
            attempts[key].append(entry["at_most_usd"])
        elif state not in ledger.UNDER_WAY and attempts[key]:
            attempts[key].pop()
    return {key: most[-1] for key, most in attempts.items() if most}
