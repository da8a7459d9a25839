"""Batches taken up again: what comes back goes where the gate said, and a stop is heard."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.batches.record import plans
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.sending import Sending
from pipeline.labelling.online.stopping import Stopped
from pipeline.labelling.request import Request
from tests.labelling.batch_world import PRICE, Killed, Wire, World, asked

COUNT = 6
AT_LEAST = 3
CREATED = 3  # the exchange at which the batch exists and nobody has looked at it


@pytest.fixture
def world() -> World:
    """Return a service and an empty journal; fewer than three requests go online."""
    return World(transport={"batch_at_least": AT_LEAST})


@pytest.fixture
def online(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note what goes online, as its number and the looks at the first batch until then."""
    given: list[tuple[int, int]] = []

    async def send(_: Sending, requests: Sequence[Request]) -> None:
        looks = [batch["looks"] for batch in world.service.batches.batches.values()]
        given.append((len(requests), looks[0] if looks else 0))

    monkeypatch.setattr(Sending, "send", send)
    return given


def run(world: World, count: int = COUNT, wire: Wire | None = None) -> Any:
    """Run once and return what became of the requests."""
    return asyncio.run(world.run(asked(count), wire))


def leave_a_batch(world: World, **fault: Any) -> None:
    """Have a run killed as soon as its batch exists."""
    world.faults(fault)
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=CREATED, before=True))
    world.budget = Budget(10.0)


def sizes(world: World) -> list[int]:
    """Return the number of requests in each batch."""
    batches = world.service.batches.batches.values()
    return [batch["request_counts"]["total"] for batch in batches]


def most_of_a_batch(price: Price) -> float:
    """Return the most that a batch of ours can cost."""
    return sum(most_of(request, price.in_batches(0.5)) for request in asked(COUNT))


def test_a_batch_taken_up_that_expires_goes_into_another_batch_not_online(
    world: World, online: list[tuple[int, int]]
) -> None:
    leave_a_batch(world, status="expired", done=0)
    run(world)
    assert online == []
    assert sizes(world) == [COUNT, COUNT]
    assert len(world.answered(asked(COUNT))) == COUNT


def test_a_row_that_comes_back_goes_into_another_batch_although_it_is_alone(
    world: World, online: list[tuple[int, int]]
) -> None:
    leave_a_batch(world, rows={"2": 429})
    run(world)
    assert online == []
    assert sizes(world) == [COUNT, 1]


def test_what_comes_back_is_bought_only_as_far_as_new_requests_are_allowed(world: World) -> None:
    leave_a_batch(world, status="expired", done=2)
    world.transport["max_new_requests"] = COUNT - 3
    with pytest.raises(SpendRefused, match="max_new_requests is 3, and 4 requests came back"):
        run(world)
    assert len(world.last.rows) == 2
    assert sizes(world) == [COUNT]
    world.transport["max_new_requests"] = 4
    run(world)
    assert len(world.answered(asked(COUNT))) == COUNT


def test_a_few_new_requests_do_not_wait_for_a_batch_under_way(
    world: World, online: list[tuple[int, int]]
) -> None:
    leave_a_batch(world, polls=9)
    run(world, COUNT + 2)
    assert online == [(2, 0)]
    assert len(world.last.rows) == COUNT
    assert sizes(world) == [COUNT]


def test_a_few_wait_for_the_batch_whose_money_they_need(
    world: World, online: list[tuple[int, int]]
) -> None:
    leave_a_batch(world, polls=9)
    held = most_of_a_batch(PRICE)
    world.budget = Budget(held, spent_usd=held)  # the batch counts at its most
    run(world, COUNT + 1)
    assert online == [(1, 9)]


def test_a_fault_of_the_few_is_told_when_a_batch_that_has_ended_is_fetched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise LabelError("the service refuses it")

    monkeypatch.setattr(Sending, "send", refuse)
    leave_a_batch(world)
    with pytest.raises(LabelError, match="the service refuses it"):
        run(world, COUNT + 1)
    assert len(world.last.rows) == COUNT


def test_a_price_that_rose_while_a_batch_was_under_way_forgets_no_other_money(
    world: World,
) -> None:
    leave_a_batch(world)
    other, counted = 0.001, most_of_a_batch(PRICE)
    world.price = Price(10 * PRICE.prompt, 10 * PRICE.completion)
    world.budget = Budget(1.0, spent_usd=other + counted)
    run(world)
    paid = sum(row["cost_usd"] for row in world.last.rows)
    assert world.budget.spent_usd == pytest.approx(other + paid, rel=1e-6)


def test_a_service_that_asks_for_months_of_patience_ends_the_run_at_once(world: World) -> None:
    world.faults({"created": "busy"})
    with pytest.raises(LabelError, match=r"creates no batch .* asks for a wait of 10,000,000 s"):
        run(world)
    assert world.time.now <= 100.0


@pytest.mark.parametrize("created", ["silent", "500"])
def test_ctrl_c_is_heard_while_a_creation_that_was_not_confirmed_is_sought(
    world: World, created: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first signal ends the wait; the next run finds the batch and pays nothing twice."""
    to_the_end: list[float] = []

    async def sleep(seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(5)
        to_the_end.append(seconds)

    world.faults({"created": created, "hidden": 2})
    with monkeypatch.context() as patch:
        patch.setattr(world.time, "sleep", sleep)
        with pytest.raises(Stopped) as stopped:
            run(world)
    assert stopped.value.status == 130
    assert not to_the_end
    assert [plan.state for plan in plans(world.folder)] == ["uploaded"]
    world.budget = Budget(10.0)
    run(world)
    assert sizes(world) == [COUNT]
    assert set(world.service.paid.values()) == {1}
