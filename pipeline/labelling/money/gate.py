"""The gate before the first paid request: the estimate, and whether it may be spent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.errors import SpendRefused
from pipeline.labelling.money.budget import completion_bound, most_of, prompt_bytes
from pipeline.labelling.money.prices import Price, price_of, table_version
from pipeline.labelling.request import Request
from pipeline.params.labelling import LabelParams, LabelTransportParams

BYTES_PER_TOKEN = 3.5  # of our prompts, for estimates only; a bound uses 1
TOKENS_PER_LABEL = 6  # `"C12",` in the answer
MARGIN = 1.2  # of a budget we advise, above the estimate


@dataclass(frozen=True)
class Estimate:
    """About what a list of requests takes."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    hours: float
    """At the allowed requests and tokens a minute."""

    def cost_usd(self, price: Price | None) -> float | None:
        """Return about what that costs; nothing where the price is not known."""
        if price is None:
            return None
        count = max(self.requests, 1)
        each = price.of(self.prompt_tokens // count, self.completion_tokens // count)
        return each * self.requests


def estimate(requests: Sequence[Request], transport: LabelTransportParams) -> Estimate:
    """Return about what requests take; nothing is asked for that."""
    prompt = sum(int(prompt_bytes(request) / BYTES_PER_TOKEN) for request in requests)
    completion = sum(_likely_completion(request) for request in requests)
    minutes = len(requests) / transport.requests_per_minute
    if transport.tokens_per_minute:
        minutes = max(minutes, (prompt + completion) / transport.tokens_per_minute)
    return Estimate(len(requests), prompt, completion, minutes / 60)


def gate(
    missing: Sequence[Request],
    label: LabelParams,
    transport: LabelTransportParams,
    store: str,
    here: int,
    spent_usd: float = 0.0,
    *,
    ahead_usd: float = 0.0,
    batched: bool = False,
    reused: int = 0,
) -> Price:
    """Return the price if these requests may be sent; nothing has been sent when this raises.

    Args:
        missing: what is neither in the store nor in the journal.
        label: the model, for its price.
        transport: limits and prices.
        store: the store's folder as the user types it.
        here: requests that are served already, for the message.
        spent_usd: what this project's labels have cost until now.
        ahead_usd: what is to be bought before these, for a plan.
        batched: they are sent in batches, at their price.
        reused: of `here`, those served by an answer to another request, for the message.

    Raises:
        SpendRefused: a price is unknown, an answer has no bound, or more is missing than was
            allowed.
    """
    price = price_of(label, transport, batched=batched)
    if price is None:
        raise SpendRefused(
            f"{store}: {len(missing):,} missing and the price is not known: "
            f"{_why_unknown(label, transport)}; add `price_input: <US dollars a million prompt "
            "tokens>` and `price_output: <the same of completion tokens>` below label_transport in "
            "params.yaml (0 for a server of your own)"
        )
    if not missing:  # all of it is in batches that exist
        return price
    most_of(missing[0], price)  # all have the same bound, or none
    plan = estimate(missing, transport)
    about = plan.cost_usd(price) or 0.0
    faults, ways = [], []
    if plan.requests > transport.max_new_requests:
        faults.append(f"label_transport.max_new_requests is {transport.max_new_requests:,}")
        ways.append(f"max_new_requests: {plan.requests}")
    taken = spent_usd + ahead_usd
    if taken + about > transport.budget_usd:
        spent = f", of which ${dollars(spent_usd)} is spent" if spent_usd else ""
        ahead = f", and hints take ${dollars(ahead_usd)} before" if ahead_usd else ""
        faults.append(f"label_transport.budget_usd is {transport.budget_usd:g}{spent}{ahead}")
        each = [most_of(request, price) for request in missing]
        # a batch reserves the most of all of its requests
        more = sum(each) if batched else max(MARGIN * about, about + max(each))
        ways.append(f"budget_usd: {_rounded_up(taken + more, more)}")
    if faults:
        dataset, why = store.rpartition("/")[-1], "why they are reused, and " if reused else ""
        raise SpendRefused(
            f"{store}: {plan.requests:,} missing ({_served(here, reused)}), about "
            f"{plan.prompt_tokens:,} + {plan.completion_tokens:,} tokens, about "
            f"${dollars(about)} at {price}, and {' and '.join(faults)}; none of them was sent. To "
            f"buy them set {', '.join(ways)} below label_transport in params.yaml (`distilrec "
            f"labels plan {dataset}` tells {why}hints and rankings together); to fetch what others "
            f"bought run `dvc pull {store}`"
        )
    return price


def dollars(amount: float) -> str:
    """Return an amount as a person reads it: cents, and two digits that count below a dollar."""
    digits = 1 - math.floor(math.log10(amount)) if amount > 0 else 2
    return f"{amount:,.{max(digits, 2)}f}"


def _served(here: int, reused: int) -> str:
    if not reused:
        return f"{here:,} here"
    return (
        f"{here:,} here, {reused:,} of them answers to other requests about the same subject, "
        "which `label.reuse: request` would buy anew"
    )


def _why_unknown(label: LabelParams, transport: LabelTransportParams) -> str:
    if transport.price_input is not None or transport.price_output is not None:
        missing = "price_input" if transport.price_input is None else "price_output"
        return f"label_transport.{missing} is null, the other half is given"
    tier = label.extra_body.get("service_tier")
    at = f" in the service tier '{tier}'" if tier else ""
    host = urlsplit(transport.base_url).hostname
    return f"{table_version()} does not tell it for model '{label.model}' at {host}{at}"


def _rounded_up(amount: float, like: float) -> str:
    """Return dollars rounded up at the second digit of `like`, so that what we advise suffices."""
    digits = 1 - math.floor(math.log10(like)) if like > 0 else 0
    step = 10.0**-digits
    return f"{math.ceil(amount / step) * step:.10f}".rstrip("0").rstrip(".")


def _likely_completion(request: Request) -> int:
    likely = 20 + TOKENS_PER_LABEL * len(request.offered) if request.offered else 250
    return min(likely, completion_bound(request) or likely)
