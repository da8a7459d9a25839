"""The running cap: it holds with many requests at once, and what was spent before counts."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.money.prices import Price
from pipeline.labelling.request import Request
from tests.labelling.stores.test_store import request

BODY = {"model": "m", "messages": [{"role": "user", "content": "x" * 967}], "max_tokens": 100}
ASKED = Request("tiny", "ranking", "s", "v1", "stub", BODY, {f"C{n}": "a" for n in range(5)})


def test_the_most_a_request_costs_counts_a_token_a_byte_and_the_longest_answer() -> None:
    assert most_of(ASKED, Price(1.0, 2.0)) == pytest.approx((1000 + 40 + 2 * 100) / 1e6)


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
