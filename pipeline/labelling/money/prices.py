"""What tokens cost: a price from the parameters, else from the table of the package `genai-prices`.

The table is the installed package's own; nothing is fetched. Where it leaves open what a token
will cost (a price that depends on the hour, a surcharge for filling the service's cache), the
dearest price counts, so that a reservation is never too low.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.params.labelling import LabelParams, LabelTransportParams

if TYPE_CHECKING:  # the table takes 0.2 s to load, and only those who pay need it
    from genai_prices.types import ModelInfo, ModelPrice

AHEAD = timedelta(days=2)  # a run's answers are paid at the prices of its own hours
STEP = timedelta(minutes=30)
CACHED = ("cache_read_mtok",)
COMPLETION = ("output_mtok", "output_reasoning_mtok", "output_citation_mtok")


@dataclass(frozen=True)
class Price:
    """US dollars a million tokens."""

    prompt: float
    completion: float
    cached: float | None = None
    """Of prompt tokens that the service had in its cache; null: as of any other."""
    each: float = 0.0
    """US dollars a request on top."""
    longer: tuple[tuple[int, "Price"], ...] = ()
    """The price of all tokens of a request with more prompt tokens than this, shortest first."""
    source: str = "params.yaml"

    def of(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """Return the cost in US dollars."""
        for above, price in reversed(self.longer):
            if prompt_tokens > above:
                return price.of(prompt_tokens, completion_tokens, cached_tokens)
        cached = min(cached_tokens, prompt_tokens)
        of_cached = self.prompt if self.cached is None else self.cached
        tokens = (prompt_tokens - cached) * self.prompt + cached * of_cached
        return (tokens + completion_tokens * self.completion) / 1e6 + self.each

    def most(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the most that a request of up to so many tokens can cost, in US dollars."""
        steps = [replace(self, longer=())]
        steps += [price for above, price in self.longer if prompt_tokens > above]
        dearest = max(max(step.prompt, step.cached or 0.0) for step in steps)
        completion = max(step.completion for step in steps)
        return Price(dearest, completion, each=self.each).of(prompt_tokens, completion_tokens)

    def in_batches(self, factor: float) -> "Price":
        """Return the price in a batch; what a cache had gets no rebate beyond the batch's own."""
        prompt = self.prompt * factor
        return replace(
            self,
            prompt=prompt,
            completion=self.completion * factor,
            cached=None if self.cached is None else min(self.cached, prompt),
            longer=tuple((above, price.in_batches(factor)) for above, price in self.longer),
        )

    def __str__(self) -> str:
        cached = "" if self.cached is None else f" (cached {self.cached:g})"
        return f"${self.prompt:g}{cached} + ${self.completion:g} a million tokens by {self.source}"


def price_of(
    label: LabelParams, transport: LabelTransportParams, *, batched: bool = False
) -> Price | None:
    """Return what the labeller's tokens cost; nothing if neither parameters nor table say it.

    A price in the parameters wins; half a price is none.
    """
    given = transport.price_input, transport.price_output
    if given[0] is not None and given[1] is not None:
        price: Price | None = Price(given[0], given[1])
    else:
        price = listed(label, transport) if given == (None, None) else None
    return price.in_batches(transport.batch_factor) if price and batched else price


def listed(label: LabelParams, transport: LabelTransportParams) -> Price | None:
    """Return what the table says of a model online; nothing if it does not know it."""
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    try:
        found = calc_price(Usage(), label.model, provider_api_url=transport.base_url.lower())
    except (LookupError, ValueError):
        return None
    tier = str(label.extra_body.get("service_tier") or "auto")
    known = {one.when.get("service_tier") for one in found.model.price_variants or ()}
    if tier not in known | {"auto", "default"}:
        return None
    now = datetime.now(UTC)
    moments = (now + step * STEP for step in range(int(AHEAD / STEP) + 1))
    prices = [found.model.get_prices(moment, {"service_tier": tier}) for moment in moments]
    source = f"{table_version()} for {found.provider.id}/{found.model.id}"
    return _dearest(prices, _prompt_rates(found.model.id, label), source)


def _prompt_rates(model: str, label: LabelParams) -> tuple[str, ...]:
    """Return the rates of a prompt: Claude fills its cache only where a request asks for it."""
    fills = "claude" not in model or "cache_control" in str(label.extra_body)
    return ("input_mtok", "cache_write_mtok") if fills else ("input_mtok",)


def table_version() -> str:
    """Return the table's version and the date of the newest price in it that has begun."""
    from genai_prices import __version__  # noqa: PLC0415
    from genai_prices.data import providers  # noqa: PLC0415

    today = datetime.now(UTC).date()
    models = (model for provider in providers for model in provider.models)
    begun = [day for model in models for day in _starts(model) if day <= today]
    return f"genai-prices {__version__} (newest price of {max(begun, default='no date')})"


def _dearest(
    prices: list["ModelPrice"], prompt_rates: tuple[str, ...], source: str
) -> Price | None:
    """Return the dearest of several prices, token by token; nothing if one lacks a half."""
    if any(price.input_mtok is None or price.output_mtok is None for price in prices):
        return None
    first, *rest = sorted({0, *_thresholds(prices, prompt_rates)})
    steps = {above: _step(prices, prompt_rates, above, source) for above in (first, *rest)}
    return replace(steps[first], longer=tuple((above, steps[above]) for above in rest))


def _step(
    prices: list["ModelPrice"], prompt_rates: tuple[str, ...], above: int, source: str
) -> Price:
    cached = list(_rates(prices, CACHED, above))
    every = all(price.cache_read_mtok is not None for price in prices)
    return Price(
        prompt=max(_rates(prices, prompt_rates, above)),
        completion=max(_rates(prices, COMPLETION, above)),
        cached=max(cached) if every else None,
        each=max(_rates(prices, ("requests_kcount",), above), default=0.0) / 1000,
        source=source,
    )


def _rates(prices: list["ModelPrice"], names: Iterable[str], above: int) -> Iterator[float]:
    """Yield the rates of some tokens in a request with more prompt tokens than `above`."""
    from genai_prices.types import TieredPrices  # noqa: PLC0415

    for rate in (getattr(price, name) for price in prices for name in names):
        if isinstance(rate, TieredPrices):
            begun = [tier.price for tier in rate.tiers if tier.start <= above]
            yield float(begun[-1] if begun else rate.base)
        elif rate is not None:
            yield float(rate)


def _thresholds(prices: list["ModelPrice"], prompt_rates: tuple[str, ...]) -> Iterator[int]:
    from genai_prices.types import TieredPrices  # noqa: PLC0415

    for price in prices:
        for name in (*prompt_rates, *CACHED, *COMPLETION):
            rate = getattr(price, name)
            if isinstance(rate, TieredPrices):
                yield from (tier.start for tier in rate.tiers)


def _starts(model: "ModelInfo") -> Iterator[date]:
    """Yield the days on which prices of a model begin."""
    from genai_prices.types import StartDateConstraint  # noqa: PLC0415

    lasting = model.prices if isinstance(model.prices, list) else []
    for one in (*lasting, *(model.price_variants or ())):
        if isinstance(one.constraint, StartDateConstraint):
            yield one.constraint.start_date
