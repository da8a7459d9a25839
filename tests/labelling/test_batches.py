"""Batches: nothing is paid for twice wherever a run is killed, and every row ends somewhere."""

import asyncio
from typing import Any

import pytest

from pipeline.labelling import batch_record
from pipeline.labelling.budget import Budget
from pipeline.labelling.journal import LineFile
from tests.labelling.batch_world import Killed, Wire, World, asked

COUNT = 6


@pytest.fixture
def world() -> World:
    """Return a service and an empty journal."""
    return World()


def run(world: World, count: int = COUNT, wire: Wire | None = None) -> Any:
    """Run once and return what became of the requests."""
    return asyncio.run(world.run(asked(count), wire))


def states(world: World) -> list[str]:
    """Return the states of the plans on record."""
    return sorted(plan.state for plan in batch_record.plans(world.folder))


def test_all_requests_are_answered_by_one_batch(world: World) -> None:
    sending = run(world)
    assert world.answered(asked(COUNT)) == {f"s{n}" for n in range(COUNT)}
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 1
    assert not sending.failed
    assert states(world) == ["ended"]


def test_answers_cost_the_batch_factor_of_their_price(world: World) -> None:
    (row, *_) = run(world).rows
    tokens = row["prompt_tokens"] * 1.0 + row["completion_tokens"] * 2.0
    assert row["cost_usd"] == pytest.approx(0.5 * tokens / 1e6)
    assert world.budget.spent_usd == pytest.approx(COUNT * row["cost_usd"])


def test_the_file_asks_each_question_under_its_key(world: World) -> None:
    run(world)
    lines = world.service.batches.files["file-0"].splitlines()
    assert {request.key for request in asked(COUNT)} == set(world.service.paid)
    assert len(lines) == COUNT
    (batch,) = world.service.batches.batches.values()
    assert batch["metadata"]["keys"] == batch_record.digest(r.key for r in asked(COUNT))
    assert batch["endpoint"] == "/v1/chat/completions"


@pytest.mark.parametrize("exchange", range(7))
@pytest.mark.parametrize("before", [True, False])
def test_a_run_killed_at_any_exchange_pays_nothing_twice(
    world: World, exchange: int, before: bool
) -> None:
    wire = Wire(world.service, kill=exchange, before=before)
    try:
        run(world, wire=wire)
    except Killed:
        pass
    else:
        assert exchange >= wire.exchanges, "the run has more exchanges than are killed here"
    world.budget = Budget(10.0)
    run(world)
    assert world.answered(asked(COUNT)) == {f"s{n}" for n in range(COUNT)}
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 1


@pytest.mark.parametrize("line", range(40))
def test_a_run_killed_at_any_line_it_writes_pays_nothing_twice(
    world: World, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of record, journal and ledger alike; the process ends before the line is there."""
    append, written = LineFile.append, [0]

    def counted(self: LineFile, value: Any) -> None:
        written[0] += 1
        if written[0] == line + 1:
            raise Killed
        append(self, value)

    monkeypatch.setattr(LineFile, "append", counted)
    try:
        run(world)
    except Killed:
        pass
    else:
        assert line >= written[0], "the run writes more lines than are killed here"
    world.budget = Budget(10.0)
    run(world)
    assert world.answered(asked(COUNT)) == {f"s{n}" for n in range(COUNT)}
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 1


@pytest.mark.parametrize("created", ["silent", "500", "garbage"])
@pytest.mark.parametrize("hidden", [0, 3])
def test_a_batch_whose_creation_was_not_confirmed_is_found_in_the_list(
    world: World, created: str, hidden: int
) -> None:
    world.faults({"created": created, "hidden": hidden}, page=1)
    run(world)
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 1
