"""The running cap: each request reserves the most it can cost and settles with what it did cost.

So the cap holds with any number of requests under way. It is a total: what was spent before counts.
"""

import asyncio
import json

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.money.prices import Price
from pipeline.labelling.request import Request, json_text

FRAME_TOKENS = 40  # what a service adds around messages


def most_of(request: Request, price: Price) -> float:
    """Return the most a request can cost: a token has at least one byte.

    Raises:
        SpendRefused: the answer's length has no bound, so neither has its cost.
    """
    bound = completion_bound(request)
    if bound is None and price.completion > 0:
        raise SpendRefused(
            "params.yaml: label.max_tokens is null, so what an answer costs has no bound; set it, "
            "or label.extra_body.max_completion_tokens"
        )
    return price.most(body_bytes(request) + FRAME_TOKENS, bound or 0)


def completion_bound(request: Request) -> int | None:
    """Return the most tokens the answer may have, reasoning included, if the request says so.

    Of two bounds the larger one: services differ in which they heed.
    """
    named = (request.body.get(name) for name in ("max_completion_tokens", "max_tokens"))
    bounds = [int(bound) for bound in named if bound is not None]
    return max(bounds) * int(request.body.get("n") or 1) if bounds else None


def body_bytes(request: Request) -> int:
    """Return the length of all that can count as the prompt: messages, schema, tools and more."""
    return len(json_text(request.body).encode())


def prompt_bytes(request: Request) -> int:
    """Return the length of what usually is the prompt, for estimates: messages and schema."""
    body = json.dumps(request.body.get("messages"), ensure_ascii=False)
    schema = request.body.get("response_format")
    return len(body.encode()) + (len(json.dumps(schema)) if schema else 0)


class Budget:
    """What may still be spent: reserve before sending, settle after."""

    def __init__(self, cap_usd: float, spent_usd: float = 0.0) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = spent_usd
        self._reserved_usd = 0.0
        self._reservations = 0
        self.begin()

    @property
    def left_usd(self) -> float:
        """What is neither spent nor, while requests are under way, counted as spent by them."""
        return max(self.cap_usd - self.spent_usd, 0.0)

    def begin(self) -> None:
        """Begin a round of requests: waiting belongs to one event loop, what was spent stays.

        What is reserved stays as well; in this round nobody settles it, so nobody waits for it.
        """
        self._before = self._reservations
        self._changed = asyncio.Condition()

    def fits(self, most_usd: float) -> bool:
        """Return whether a reservation would be granted at once."""
        return self.spent_usd + self._reserved_usd + most_usd <= self.cap_usd

    def take_up(self, most_usd: float, counted_usd: float) -> None:
        """Reserve for what an earlier run sent; nothing new is spent, so the cap is not asked.

        Args:
            most_usd: the most it can cost.
            counted_usd: what `spent_usd` counts for it, at the price of then; no longer after.
        """
        self._hold(most_usd)
        self.spent_usd = max(self.spent_usd - counted_usd, 0.0)

    def take(self, most_usd: float, requests: int = 1) -> None:
        """Set aside, at once or not at all, the most that requests can cost together.

        Raises:
            SpendRefused: it does not fit.
        """
        if not self.fits(most_usd):
            raise self._refusal(most_usd)
        self._hold(most_usd, requests)

    async def reserve(self, most_usd: float) -> None:
        """Set aside the most a request can cost, waiting for others to settle if need be.

        Raises:
            SpendRefused: it does not fit although nothing is under way.
        """
        async with self._changed:
            while not self.fits(most_usd):
                if self._reservations <= self._before:
                    raise self._refusal(most_usd)
                await self._changed.wait()
            self._hold(most_usd)

    async def settle(self, most_usd: float, cost_usd: float) -> None:
        """Give a reservation back and count what was spent.

        Raises:
            LabelError: the service counted more than the request allowed.
        """
        async with self._changed:
            self._reservations -= 1
            # of many small amounts, taken from their sum, a residue would be left
            self._reserved_usd = self._reserved_usd - most_usd if self._reservations > 0 else 0.0
            self.spent_usd += cost_usd
            self._changed.notify_all()
        if cost_usd > most_usd * (1 + 1e-9):
            raise LabelError(
                f"the service counted ${cost_usd:.6f} for a request that may cost "
                f"${most_usd:.6f}: it does not obey max_tokens; stopped after saving the answer"
            )

    def _hold(self, most_usd: float, requests: int = 1) -> None:
        self._reserved_usd += most_usd
        self._reservations += requests

    def _refusal(self, most_usd: float) -> SpendRefused:
        return SpendRefused(
            f"label_transport.budget_usd {self.cap_usd:g} is used up: ${self.spent_usd:.4f} is "
            f"spent on this project's labels and the next request may cost ${most_usd:.4f}"
        )
