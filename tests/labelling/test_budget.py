"""Money: what is estimated, what is refused, and a cap that holds with many requests at once."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.budget import Budget, Price, estimate, gate, most_of
from pipeline.labelling.request import Request
from pipeline.params import LabelTransportParams
from tests.labelling.test_store import request

BODY = {"model": "m", "messages": [{"role": "user", "content": "x" * 967}], "max_tokens": 100}
ASKED = Request("tiny", "ranking", "s", "v1", "stub", BODY, {f"C{n}": "a" for n in range(5)})


def allowed(transport: LabelTransportParams, **change: Any) -> LabelTransportParams:
    return transport.model_copy(update={"price_input": 1.0, "price_output": 2.0} | change)


def test_the_estimate_is_tokens_times_price(transport: LabelTransportParams) -> None:
    found = estimate([ASKED] * 10, allowed(transport, requests_per_minute=5))
    assert found.prompt_tokens == 10 * 285  # 1,000 bytes of messages at 3.5 a token
    assert found.completion_tokens == 10 * 50  # 20 and 6 for each of five labels
    assert found.cost_usd == pytest.approx((2850 + 2 * 500) / 1e6)
    assert found.minutes == 2


def test_the_most_a_request_costs_counts_a_token_a_byte_and_the_longest_answer() -> None:
    assert most_of(ASKED, Price(1.0, 2.0)) == pytest.approx((1000 + 40 + 2 * 100) / 1e6)


def test_an_answer_without_bound_is_refused() -> None:
    with pytest.raises(SpendRefused, match=r"label.max_tokens is null"):
        most_of(request("a"), Price(1.0, 2.0))
    assert most_of(request("a"), Price(0.0, 0.0)) == 0


def test_an_unknown_price_is_refused_with_the_line_to_add(transport: LabelTransportParams) -> None:
    with pytest.raises(SpendRefused, match=r"add `label_transport.price_input: "):
        gate([ASKED], transport, "data/labels/tiny", 0)
    with pytest.raises(SpendRefused, match=r"add `label_transport.price_output: "):
        gate([ASKED], transport.model_copy(update={"price_input": 1.0}), "data/labels/tiny", 0)


def test_the_shipped_budget_refuses_and_names_both_ways_out(
    transport: LabelTransportParams,
) -> None:
    with pytest.raises(SpendRefused) as refusal:
        gate([ASKED] * 500, allowed(transport), "data/labels/tiny", 12)
    text = str(refusal.value)
    assert "500 missing (12 here)" in text
    assert "about $0.19" in text
    assert "budget_usd: 0.24" in text
    assert "`dvc pull data/labels/tiny`" in text
    assert "nothing was sent" in text


def test_the_advised_budget_suffices(transport: LabelTransportParams) -> None:
    for count in (1, 3, 500):
        with pytest.raises(SpendRefused) as refusal:
            gate([ASKED] * count, allowed(transport), "s", 0)
        advised = float(str(refusal.value).split("budget_usd: ")[1].split()[0])
        gate([ASKED] * count, allowed(transport, budget_usd=advised), "s", 0)
        assert advised >= (count - 1) * 0.000385 + most_of(ASKED, Price(1.0, 2.0))


def test_more_requests_than_allowed_are_refused(transport: LabelTransportParams) -> None:
    limits = allowed(transport, budget_usd=100.0, max_new_requests=499)
    with pytest.raises(SpendRefused, match="max_new_requests: 500"):
        gate([ASKED] * 500, limits, "s", 0)
    gate([ASKED] * 499, limits, "s", 0)


def test_a_server_of_one_s_own_needs_no_budget(transport: LabelTransportParams) -> None:
    free = allowed(transport, price_input=0.0, price_output=0.0)
    assert gate([ASKED], free, "s", 0) == Price(0.0, 0.0)


@settings(max_examples=150, deadline=None)
@given(
    st.floats(0.1, 5.0),
    st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(0, 1)), max_size=120),
)
def test_the_cap_is_never_passed_with_64_under_way(
    cap: float, traces: list[tuple[float, float]]
) -> None:
    """Each trace is the most a request can cost and the share of that it did cost."""
    budget, worst = Budget(cap), 0.0

    async def one(most: float, share: float, places: asyncio.Semaphore) -> None:
        nonlocal worst
        async with places:
            await budget.reserve(most)
            await asyncio.sleep(0)
            await budget.settle(most, most * share)
            worst = max(worst, budget.spent_usd)

    async def run() -> list[object]:
        places = asyncio.Semaphore(64)
        jobs = (one(most, share, places) for most, share in traces)
        return await asyncio.gather(*jobs, return_exceptions=True)

    ends = asyncio.run(run())
    assert worst <= cap * (1 + 1e-12)
    assert all(end is None or isinstance(end, SpendRefused) for end in ends)


def test_what_was_reserved_and_not_used_returns() -> None:
    budget = Budget(1.0)

    async def run() -> None:
        for _ in range(9):
            await budget.reserve(0.9)
            await budget.settle(0.9, 0.01)

    asyncio.run(run())
    assert budget.spent_usd == pytest.approx(0.09)


def test_a_budget_goes_on_in_another_round_of_requests() -> None:
    """Further tries run in an event loop of their own, and some wait there as well."""
    budget = Budget(1.0)

    async def one() -> None:
        await budget.reserve(0.9)
        await asyncio.sleep(0)
        await budget.settle(0.9, 0.01)

    async def round_of_requests() -> None:
        budget.begin()
        await asyncio.gather(*(one() for _ in range(4)))

    for _ in range(2):
        asyncio.run(round_of_requests())
    assert budget.spent_usd == pytest.approx(0.08)


def test_a_service_that_counts_more_than_was_allowed_stops_the_run() -> None:
    budget = Budget(1.0)

    async def run() -> None:
        await budget.reserve(0.1)
        await budget.settle(0.1, 0.2)

    with pytest.raises(LabelError, match="does not obey max_tokens"):
        asyncio.run(run())
    assert budget.spent_usd == pytest.approx(0.2)
