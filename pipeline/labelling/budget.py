"""What answers cost, and whether it may be spent: the estimate, the gate and the running cap.

Before the first paid request the gate compares the plan with what was allowed. While requests are
under way each one reserves the most it can cost and settles with what it did cost, so that the cap
holds with any number of them at once. It holds for one run of a paying stage, further tries
included; the next run may spend as much again.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.request import Request
from pipeline.params import LabelTransportParams

BYTES_PER_TOKEN = 3.5  # of our prompts, for estimates only; a bound uses 1
TOKENS_PER_LABEL = 6  # `"C12",` in the answer
FRAME_TOKENS = 40  # what a service adds around messages


@dataclass(frozen=True)
class Price:
    """US dollars a million tokens."""

    prompt: float
    completion: float

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost in US dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclass(frozen=True)
class Estimate:
    """About what a list of requests takes."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """Null: no price is known."""
    minutes: float
    """At the allowed rate."""


def price_of(transport: LabelTransportParams) -> Price | None:
    """Return the price in the parameters, if both halves are there."""
    if transport.price_input is None or transport.price_output is None:
        return None
    return Price(transport.price_input, transport.price_output)


def estimate(requests: Sequence[Request], transport: LabelTransportParams) -> Estimate:
    """Return about what requests take; nothing is asked for that."""
    prompt = sum(int(_prompt_bytes(request) / BYTES_PER_TOKEN) for request in requests)
    completion = sum(_likely_completion(request) for request in requests)
    price = price_of(transport)
    return Estimate(
        requests=len(requests),
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_usd=price.of(prompt, completion) if price else None,
        minutes=len(requests) / transport.requests_per_minute,
    )


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
    return price.of(_prompt_bytes(request) + FRAME_TOKENS, bound or 0)


def completion_bound(request: Request) -> int | None:
    """Return the most tokens the answer may have, reasoning included, if the request says so."""
    bounds = (request.body.get(name) for name in ("max_completion_tokens", "max_tokens"))
    return next((int(bound) for bound in bounds if bound is not None), None)


def gate(
    missing: Sequence[Request],
    transport: LabelTransportParams,
    store: str,
    here: int,
    spent_usd: float = 0.0,
) -> Price:
    """Return the price if these requests may be sent; nothing has been sent when this raises.

    Args:
        missing: what is neither in the store nor in the journal.
        transport: limits and prices.
        store: the store's folder as the user types it.
        here: requests that are served already, for the message.
        spent_usd: what this run has spent before, on first tries.

    Raises:
        SpendRefused: a price is unknown, or more is missing than was allowed.
    """
    plan = estimate(missing, transport)
    price = price_of(transport)
    if price is None:
        line = "price_input" if transport.price_input is None else "price_output"
        raise SpendRefused(
            f"{store}: {plan.requests:,} missing and the price is not known: add "
            f"`label_transport.{line}: <US dollars a million tokens>` to params.yaml (0 for a "
            "server of your own)"
        )
    most = max((most_of(request, price) for request in missing), default=0.0)
    about = plan.cost_usd or 0.0
    faults, ways = [], []
    if plan.requests > transport.max_new_requests:
        faults.append(f"label_transport.max_new_requests is {transport.max_new_requests:,}")
        ways.append(f"max_new_requests: {plan.requests}")
    if spent_usd + about > transport.budget_usd:
        faults.append(f"label_transport.budget_usd is {transport.budget_usd:g}")
        ways.append(f"budget_usd: {_rounded_up(spent_usd + max(1.2 * about, about + most))}")
    if faults:
        before = f"${_dollars(spent_usd)} went to first tries, no further one was sent"
        sent = before if spent_usd else "nothing was sent"
        raise SpendRefused(
            f"{store}: {plan.requests:,} missing ({here:,} here), about {plan.prompt_tokens:,} + "
            f"{plan.completion_tokens:,} tokens, about ${_dollars(about)}, and "
            f"{' and '.join(faults)}; {sent}. To buy them set {', '.join(ways)} below "
            "label_transport in params.yaml (each run of hints or label may spend the budget); to "
            f"fetch what others bought run `dvc pull {store}`"
        )
    return price


class Budget:
    """The running cap of one run of a stage: reserve before sending, settle after."""

    def __init__(self, cap_usd: float) -> None:
        self.cap_usd = cap_usd
        self.spent_usd = 0.0
        self.begin()

    def begin(self) -> None:
        """Begin a round of requests: waiting belongs to one event loop, what was spent stays."""
        self._reserved_usd = 0.0
        self._changed = asyncio.Condition()

    async def reserve(self, most_usd: float) -> None:
        """Set aside the most a request can cost, waiting for others to settle if need be.

        Raises:
            SpendRefused: it does not fit although nothing is under way.
        """
        async with self._changed:
            while self.spent_usd + self._reserved_usd + most_usd > self.cap_usd:
                if self._reserved_usd <= 0:
                    raise SpendRefused(
                        f"label_transport.budget_usd {self.cap_usd:g} is used up: "
                        f"${self.spent_usd:.4f} spent and the next request may cost "
                        f"${most_usd:.4f}; what was answered is saved; each run of hints or label "
                        "may spend this much: run it again, or raise it in params.yaml"
                    )
                await self._changed.wait()
            self._reserved_usd += most_usd

    async def settle(self, most_usd: float, cost_usd: float) -> None:
        """Give a reservation back and count what was spent.

        Raises:
            LabelError: the service counted more than the request allowed.
        """
        async with self._changed:
            self._reserved_usd -= most_usd
            if abs(self._reserved_usd) < 1e-12:
                self._reserved_usd = 0.0
            self.spent_usd += cost_usd
            self._changed.notify_all()
        if cost_usd > most_usd * (1 + 1e-9):
            raise LabelError(
                f"the service counted ${cost_usd:.6f} for a request that may cost "
                f"${most_usd:.6f}: it does not obey max_tokens; stopped after saving the answer"
            )


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"


def _rounded_up(dollars: float) -> str:
    """Return dollars with two digits that count, rounded up, so that what we advise suffices."""
    step = 10.0 ** (math.floor(math.log10(dollars)) - 1) if dollars > 0 else 1.0
    return f"{math.ceil(dollars / step) * step:.10f}".rstrip("0").rstrip(".")


def _prompt_bytes(request: Request) -> int:
    body = json.dumps(request.body.get("messages"), ensure_ascii=False)
    schema = request.body.get("response_format")
    return len(body.encode()) + (len(json.dumps(schema)) if schema else 0)


def _likely_completion(request: Request) -> int:
    likely = 20 + TOKENS_PER_LABEL * len(request.offered) if request.offered else 250
    return min(likely, completion_bound(request) or likely)
