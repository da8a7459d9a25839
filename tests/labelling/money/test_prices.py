"""What tokens cost: parameters first, then an offline table, and the dearest where it is open."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import data_snapshot, types
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labelling.money.prices import Price, price_of, table_version
from pipeline.params.labelling import LabelParams, LabelTransportParams

TIERED = Price(2.0, 10.0, cached=0.5, longer=((1_000, Price(4.0, 5.0, cached=1.0)),))


@pytest.fixture
def openai(label: LabelParams) -> LabelParams:
    """Return a labeller that the table knows, by the shipped address."""
    return label.model_copy(update={"model": "gpt-4.1-mini"})


def listed(name: str = "house-model", **model: object) -> types.Provider:
    """Return a service with one model."""
    named = types.ClauseEquals(name)
    made = types.ModelInfo(id=name, match=named, **model)  # type: ignore[arg-type]
    return types.Provider("house", "House", r"https://api\.house\.test", models=[made])


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[types.Provider]]:
    """Put another table in the place of the package's, for as long as the test runs."""
    providers: list[types.Provider] = []
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers, from_auto_update=False))
    yield providers
    data_snapshot.set_custom_snapshot(None)


@pytest.fixture
def house(label: LabelParams) -> LabelParams:
    """Return a labeller of the other table."""
    return label.model_copy(update={"model": "house-model"})


@pytest.fixture
def at_house(transport: LabelTransportParams) -> LabelTransportParams:
    """Return its address."""
    return transport.model_copy(update={"base_url": "https://API.house.test/v1"})


def test_the_table_is_asked_for_address_and_model(
    openai: LabelParams, transport: LabelTransportParams
) -> None:
    price = price_of(openai, transport)
    assert price is not None
    assert (price.prompt, price.cached, price.completion) == (0.4, 0.1, 1.6)
    assert str(price) == (
        f"$0.4 (cached 0.1) + $1.6 a million tokens by {table_version()} for openai/gpt-4.1-mini"
    )


def test_a_price_in_the_parameters_wins(
    openai: LabelParams, transport: LabelTransportParams
) -> None:
    given_ = transport.model_copy(update={"price_input": 7.0, "price_output": 8.0})
    assert price_of(openai, given_) == Price(7.0, 8.0)
    assert price_of(openai, transport.model_copy(update={"price_input": 7.0})) is None


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("no-such-model", "https://api.openai.com/v1"),
        ("gpt-4.1-mini", "http://localhost:8000/v1"),
        ("gpt-4.1-mini", "not an address"),
    ],
)
def test_what_the_table_does_not_know_has_no_price(
    label: LabelParams, transport: LabelTransportParams, model: str, url: str
) -> None:
    asked = label.model_copy(update={"model": model})
    assert price_of(asked, transport.model_copy(update={"base_url": url})) is None


def test_the_table_tells_its_version_and_its_newest_price() -> None:
    words = table_version().removeprefix("genai-prices ")
    version, day = words.split(" (newest price of ")
    assert version.startswith("0.2.")
    assert date(2026, 1, 1) < date.fromisoformat(day.rstrip(")")) <= datetime.now(UTC).date()


def test_nothing_is_loaded_before_a_price_is_wanted() -> None:
    code = (
        "import sys; import pipeline.cli, pipeline.labelling.buyer, pipeline.labelling.planned\n"
        "print('genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_price_is_fetched(
    openai: LabelParams, transport: LabelTransportParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise AssertionError("a price was fetched")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("genai_prices.update_prices.UpdatePrices.start", refuse)
    assert price_of(openai, transport) is not None


def test_a_service_tier_has_its_own_price_or_none(
    table: list[types.Provider], house: LabelParams, at_house: LabelTransportParams
) -> None:
    fast = types.ModelPrice(input_mtok=Decimal(3), output_mtok=Decimal(9))
    table += [
        listed(
            prices=types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(2)),
            price_variants=[types.PriceVariant({"service_tier": "priority"}, fast)],
        )
    ]
    found = [
        price_of(house.model_copy(update={"extra_body": {"service_tier": tier}}), at_house)
        for tier in ("auto", "default", "priority", "scale")
    ]
    assert [one and (one.prompt, one.completion) for one in found] == [
        (1.0, 2.0),
        (1.0, 2.0),
        (3.0, 9.0),
        None,
    ]


def test_of_prices_that_depend_on_the_hour_the_dearest_counts(
    table: list[types.Provider], house: LabelParams, at_house: LabelTransportParams
) -> None:
    night = types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(9))
    day = types.ModelPrice(input_mtok=Decimal(3), output_mtok=Decimal(6))
    hours = types.TimeOfDateConstraint(time(1, tzinfo=UTC), time(2, tzinfo=UTC))
    table += [
        listed(
            prices=[
                types.ConditionalPrice(prices=night),
                types.ConditionalPrice(hours, prices=day),
            ]
        )
    ]
    price = price_of(house, at_house)
    assert price is not None
    assert (price.prompt, price.completion) == (3.0, 9.0)


def test_a_surcharge_for_filling_the_cache_counts_as_the_prompt_s_price(
    table: list[types.Provider], house: LabelParams, at_house: LabelTransportParams
) -> None:
    """No chat completion tells how many tokens were written to the cache."""
    table += [
        listed(
            prices=types.ModelPrice(
                input_mtok=Decimal(1),
                cache_write_mtok=Decimal("1.25"),
                cache_read_mtok=Decimal("0.1"),
                output_mtok=Decimal(2),
                output_reasoning_mtok=Decimal(3),
                requests_kcount=Decimal(5),
            )
        )
    ]
    price = price_of(house, at_house)
    assert price is not None
    assert (price.prompt, price.cached, price.completion) == (1.25, 0.1, 3.0)
    assert price.each == 0.005


def test_claude_takes_its_surcharge_only_where_the_cache_is_asked_for(
    table: list[types.Provider], house: LabelParams, at_house: LabelTransportParams
) -> None:
    rates = {"input_mtok": Decimal(1), "cache_write_mtok": Decimal(2), "output_mtok": Decimal(3)}
    table += [listed("claude-house", prices=types.ModelPrice(**rates))]
    claude = house.model_copy(update={"model": "claude-house"})
    asking = {"extra_body": {"cache_control": {"type": "ephemeral"}}}
    plain, cached = price_of(claude, at_house), price_of(claude.model_copy(update=asking), at_house)
    assert plain is not None
    assert cached is not None
    assert (plain.prompt, cached.prompt) == (1.0, 2.0)


def test_longer_requests_have_their_own_price(
    table: list[types.Provider], house: LabelParams, at_house: LabelTransportParams
) -> None:
    dear = types.TieredPrices(Decimal(1), [types.Tier(1_000, Decimal(2))])
    table += [listed(prices=types.ModelPrice(input_mtok=dear, output_mtok=Decimal(4)))]
    price = price_of(house, at_house)
    assert price is not None
    assert price.of(1_000, 0) == pytest.approx(0.001)
    assert price.of(1_001, 0) == pytest.approx(0.002002)
    assert price.of(2_000, 1_000) == pytest.approx((2_000 * 2 + 1_000 * 4) / 1e6)


def test_a_model_without_a_price_for_answers_has_none(
    table: list[types.Provider], house: LabelParams, at_house: LabelTransportParams
) -> None:
    table += [listed(prices=types.ModelPrice(input_mtok=Decimal(1)))]
    assert price_of(house, at_house) is None


def test_cached_tokens_are_settled_at_their_own_price() -> None:
    price = Price(2.0, 10.0, cached=0.5)
    assert price.of(1_000, 100, 400) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 10) / 1e6)
    assert price.of(1_000, 100, 5_000) == pytest.approx((1_000 * 0.5 + 100 * 10) / 1e6)
    assert Price(2.0, 10.0).of(1_000, 0, 400) == pytest.approx(0.002)


def test_a_batch_costs_its_factor_and_the_cache_gives_no_more_than_that(
    openai: LabelParams, transport: LabelTransportParams
) -> None:
    price = price_of(openai, transport, batched=True)
    assert price is not None
    assert (price.prompt, price.cached, price.completion) == (0.2, 0.1, 0.8)
    cheap = price_of(openai, transport.model_copy(update={"batch_factor": 0.1}), batched=True)
    assert cheap is not None
    assert cheap.prompt == cheap.cached == pytest.approx(0.04)
    assert TIERED.in_batches(0.5).longer[0][1].prompt == 2.0


TOKENS = st.integers(0, 3_000)


@given(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, st.sampled_from([TIERED, replace(TIERED, each=1)]))
def test_a_reservation_is_never_below_what_a_smaller_request_costs(
    prompt: int, completion: int, less: int, fewer: int, cached: int, price: Price
) -> None:
    """The tier above a threshold is dearer for prompts and cheaper for answers."""
    cost = price.of(min(less, prompt), min(fewer, completion), cached)
    assert price.most(prompt, completion) >= cost * (1 - 1e-12)


def test_every_price_in_the_table_can_be_read(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    from genai_prices.data import providers  # noqa: PLC0415

    (openai,) = [one for one in providers if one.id == "openai"]
    found = [
        price_of(label.model_copy(update={"model": model.id}), transport) for model in openai.models
    ]
    known = [price for price in found if price is not None]
    assert len(known) > len(openai.models) / 2
    assert all(price.prompt >= (price.cached or 0) for price in known)
