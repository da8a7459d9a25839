"""The gate: what is estimated, what is refused, and what the refusal says."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.errors import SpendRefused
from pipeline.labelling.money.budget import most_of
from pipeline.labelling.money.gate import dollars, estimate, gate
from pipeline.labelling.money.prices import Price
from pipeline.params.labelling import LabelParams, LabelTransportParams
from tests.labelling.money.test_budget import ASKED


def allowed(transport: LabelTransportParams, **change: Any) -> LabelTransportParams:
    return transport.model_copy(update={"price_input": 1.0, "price_output": 2.0} | change)


@pytest.fixture
def priced(transport: LabelTransportParams) -> LabelTransportParams:
    """Return the shipped limits with a price."""
    return allowed(transport)


def test_the_estimate_is_tokens_times_price(transport: LabelTransportParams) -> None:
    found = estimate([ASKED] * 10, allowed(transport, requests_per_minute=5))
    assert found.prompt_tokens == 10 * 285  # 1,000 bytes of messages at 3.5 a token
    assert found.completion_tokens == 10 * 50  # 20 and 6 for each of five labels
    assert found.cost_usd(Price(1.0, 2.0)) == pytest.approx((2850 + 2 * 500) / 1e6)
    assert found.cost_usd(None) is None
    assert found.hours == pytest.approx(2 / 60)


def test_the_hours_are_those_of_the_tighter_limit(transport: LabelTransportParams) -> None:
    limits = allowed(transport, requests_per_minute=5, tokens_per_minute=335)
    assert estimate([ASKED] * 10, limits).hours == pytest.approx(10 / 60)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "genai-prices .* does not tell it for model 'title-similarity' at api.openai.com"),
        ({"price_input": 1.0}, r"label_transport\.price_output is null"),
        ({"price_output": 1.0}, r"label_transport\.price_input is null"),
    ],
)
def test_an_unknown_price_is_refused_with_the_lines_to_add(
    label: LabelParams, transport: LabelTransportParams, change: dict[str, float], why: str
) -> None:
    with pytest.raises(SpendRefused, match=why) as refusal:
        gate([ASKED], label, transport.model_copy(update=change), "data/labels/tiny", 0)
    assert "add `price_input: <US dollars a million prompt tokens>`" in str(refusal.value)
    assert "and `price_output: " in str(refusal.value)


def test_the_shipped_budget_refuses_and_names_both_ways_out(
    label: LabelParams, priced: LabelTransportParams
) -> None:
    with pytest.raises(SpendRefused) as refusal:
        gate([ASKED] * 500, label, priced, "data/labels/tiny", 12)
    assert str(refusal.value) == (
        "data/labels/tiny: 500 missing (12 here), about 142,500 + 25,000 tokens, about $0.19 at "
        "$1 + $2 a million tokens by params.yaml, and label_transport.budget_usd is 0; none of "
        "them was sent. To buy them set budget_usd: 0.24 below label_transport in params.yaml "
        "(`distilrec labels plan tiny` tells hints and rankings together); to fetch what others "
        "bought run `dvc pull data/labels/tiny`"
    )


def test_answers_to_other_requests_are_told_with_what_would_buy_them(
    label: LabelParams, priced: LabelTransportParams
) -> None:
    with pytest.raises(SpendRefused) as refusal:
        gate([ASKED] * 500, label, priced, "data/labels/tiny", 12, reused=9)
    assert (
        "500 missing (12 here, 9 of them answers to other requests about the same subject, which "
        "`label.reuse: request` would buy anew), about"
    ) in str(refusal.value)
    assert "(`distilrec labels plan tiny` tells why they are reused, and" in str(refusal.value)


def test_what_was_spent_before_counts_against_the_budget(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    limits = allowed(transport, budget_usd=5.0)
    gate([ASKED] * 500, label, limits, "s", 0, spent_usd=4.5)
    with pytest.raises(SpendRefused) as refusal:
        gate([ASKED] * 500, label, limits, "s", 0, spent_usd=4.9)
    assert "budget_usd is 5, of which $4.90 is spent; none" in str(refusal.value)
    assert "set budget_usd: 5.14 below" in str(refusal.value)


def test_what_is_to_be_bought_before_counts_as_well(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    limits = allowed(transport, budget_usd=5.0)
    with pytest.raises(SpendRefused) as refusal:
        gate([ASKED] * 500, label, limits, "s", 0, spent_usd=1.0, ahead_usd=3.9)
    assert "of which $1.00 is spent, and hints take $3.90 before; none" in str(refusal.value)
    assert "set budget_usd: 5.14 below" in str(refusal.value)


def test_batches_are_judged_by_their_price(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    limits = allowed(transport, budget_usd=0.1)
    with pytest.raises(SpendRefused):
        gate([ASKED] * 500, label, limits, "s", 0)
    price = gate([ASKED] * 500, label, limits, "s", 0, batched=True)
    assert (price.prompt, price.completion) == (0.5, 1.0)


def test_the_advised_budget_suffices(label: LabelParams, transport: LabelTransportParams) -> None:
    for count, spent in ((1, 0.0), (3, 0.0), (500, 0.0), (1, 123.456), (500, 7.0)):
        with pytest.raises(SpendRefused) as refusal:
            gate([ASKED] * count, label, allowed(transport), "s", 0, spent)
        advised = float(str(refusal.value).split("budget_usd: ")[1].split()[0])
        gate([ASKED] * count, label, allowed(transport, budget_usd=advised), "s", 0, spent)
        assert advised >= spent + (count - 1) * 0.000385 + most_of(ASKED, Price(1.0, 2.0))
        assert advised < spent + 0.3


def test_more_requests_than_allowed_are_refused(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    limits = allowed(transport, budget_usd=100.0, max_new_requests=499)
    with pytest.raises(SpendRefused, match="max_new_requests: 500"):
        gate([ASKED] * 500, label, limits, "s", 0)
    gate([ASKED] * 499, label, limits, "s", 0)


def test_a_server_of_one_s_own_needs_no_budget(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    free = allowed(transport, price_input=0.0, price_output=0.0)
    assert gate([ASKED], label, free, "s", 0) == Price(0.0, 0.0)


def test_answers_without_a_bound_are_refused_before_anything_is_sent(
    label: LabelParams, transport: LabelTransportParams
) -> None:
    body = {name: value for name, value in ASKED.body.items() if name != "max_tokens"}
    with pytest.raises(SpendRefused, match=r"label\.max_tokens is null"):
        gate([replace(ASKED, body=body)], label, allowed(transport, budget_usd=9.0), "s", 0)


def test_what_is_on_its_way_already_is_not_asked_for_again(
    label: LabelParams, priced: LabelTransportParams
) -> None:
    """A batch at the service was paid for: fetching it passes although the budget is used up."""
    gate([], label, priced, "s", 0, spent_usd=1.0)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00"), (0.00123, "0.0012"), (0.19, "0.19"), (3.456, "3.46"), (1234.5, "1,234.50")],
)
def test_dollars_are_told_in_cents_or_two_digits(amount: float, text: str) -> None:
    assert dollars(amount) == text
