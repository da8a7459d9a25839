"""The running cap: it holds with many requests at once, and what was spent before counts."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.money.budget import FRAME_TOKENS, Budget, completion_bound, most_of
from pipeline.labelling.money.prices import Price
from pipeline.labelling.request import Request, json_text
from tests.labelling.stores.answered import request

BODY = {"model": "m", "messages": [{"role": "user", "content": "x" * 967}], "max_tokens": 100}
ASKED = Request("tiny", "ranking", "s", "v1", "stub", BODY, {f"C{n}": "a" for n in range(5)})


def test_the_most_a_request_costs_counts_a_token_a_byte_and_the_longest_answer() -> None:
    sent = len(json_text(BODY))
    assert 967 < sent < 1_067
    assert most_of(ASKED, Price(1.0, 2.0)) == pytest.approx((sent + FRAME_TOKENS + 2 * 100) / 1e6)


def with_body(**more: object) -> Request:
    return Request("tiny", "ranking", "s", "v1", "stub", BODY | more)


def test_of_two_limits_of_length_the_larger_one_bounds_the_cost() -> None:
    assert completion_bound(with_body(max_completion_tokens=50)) == 100
    assert completion_bound(with_body(max_completion_tokens=500, n=2)) == 1_000
    assert completion_bound(with_body(max_completion_tokens=50, max_tokens=None)) == 50


def test_what_else_is_sent_can_count_as_the_prompt() -> None:
    tools = [{"type": "function", "function": {"name": "x" * 5_000}}]
    more = most_of(with_body(tools=tools), Price(1.0, 2.0)) - most_of(ASKED, Price(1.0, 2.0))
    assert more > 5_000 / 1e6


def test_an_answer_without_bound_is_refused() -> None:
    with pytest.raises(SpendRefused, match=r"label.max_tokens is null"):
        most_of(request("a"), Price(1.0, 2.0))
    assert most_of(request("a"), Price(0.0, 0.0)) == 0


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


def test_many_small_settlements_of_one_large_batch_leave_nothing_that_is_waited_for() -> None:
    """Of $500 for 50,000 requests a residue would stay, and a settlement would be awaited."""
    cost, requests = 0.01, 50_000
    budget = Budget(501.0)

    async def run() -> None:
        budget.take(cost * requests, requests)
        for _ in range(requests):
            await budget.settle(cost, cost)
        async with asyncio.timeout(10):
            await budget.reserve(1.01)

    with pytest.raises(SpendRefused, match="501 is used up"):
        asyncio.run(run())


def test_what_is_taken_at_once_is_refused_where_it_does_not_fit() -> None:
    budget = Budget(1.0)
    budget.take(0.9, 3)
    with pytest.raises(SpendRefused):
        budget.take(0.2)


def test_another_round_keeps_what_is_reserved_and_does_not_wait_for_it() -> None:
    """A few requests go online while batches are under way."""
    budget = Budget(1.0)
    budget.take(0.9, 3)
    budget.begin()

    async def run() -> None:
        async with asyncio.timeout(10):
            await budget.reserve(0.05)
            await budget.settle(0.05, 0.05)
            await budget.reserve(0.2)

    with pytest.raises(SpendRefused):
        asyncio.run(run())


def test_what_an_earlier_run_sent_is_counted_at_its_price_until_it_is_taken_up() -> None:
    budget = Budget(1.0, spent_usd=0.5)
    budget.take_up(0.9, counted_usd=0.3)
    assert budget.spent_usd == pytest.approx(0.2)
    assert not budget.fits(0.01)
