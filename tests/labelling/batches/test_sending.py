"""Batches: nothing is paid for twice wherever a run is killed, and every row ends somewhere."""

import asyncio
import json
from collections import defaultdict
from typing import Any

import pytest

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling import key
from pipeline.labelling.batches import fetching as batch_fetching
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.batches.awaited import to_buy
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.online.sending import Sending
from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lines import LineFile
from tests.labelling import stub_batches
from tests.labelling.batch_world import PRICE, Killed, Service, Wire, World, asked

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


def wipe(world: World) -> None:
    """Lose everything that this machine knows."""
    for path in world.folder.iterdir():
        path.unlink()
    world.budget = Budget(10.0)


def under_way(world: World) -> dict[str, float]:
    """Return by key what the ledger counts of attempts without an end, as spending does."""
    most: dict[str, list[float]] = defaultdict(list)
    for entry in ledger.entries(world.folder):
        found, state = most[entry["key"]], entry["state"]
        if state == "sent" or (state in ledger.UNDER_WAY and not found):
            found.append(entry["at_most_usd"])
        elif state not in ledger.UNDER_WAY and found:
            found.pop()
    return {key: sum(found) for key, found in most.items() if found}


def max_of(world: World) -> float:
    """Return the most one request can cost in a batch."""
    return most_of(asked(1)[0], PRICE.in_batches(0.5))


async def create(world: World, file_id: str, metadata: dict[str, str]) -> None:
    """Have the service create a batch that is not ours."""
    asked_for = {
        "input_file_id": file_id,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": metadata,
    }
    await stub_batches.handle(
        "POST", "/v1/batches", {}, json.dumps(asked_for).encode(), world.service
    )


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
    if world.last.rows:  # else all was in the journal, and nobody looked at the batch again
        assert {plan.state for plan in batch_record.plans(world.folder)} <= {"ended", "dropped"}
        assert not list(world.folder.glob("*.asked.jsonl"))
        paid = sum(row["cost_usd"] for row in Journal(world.folder).read().iter_rows(named=True))
        assert len(under_way(world)) <= 1  # killed between an answer and its line in the ledger
        assert world.budget.spent_usd <= paid


@pytest.mark.parametrize("created", ["silent", "500", "garbage"])
@pytest.mark.parametrize("hidden", [0, 3])
def test_a_batch_whose_creation_was_not_confirmed_is_found_in_the_list(
    world: World, created: str, hidden: int
) -> None:
    world.faults({"created": created, "hidden": hidden}, page=1)
    run(world)
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 1


def test_a_batch_that_is_never_listed_is_not_made_twice_where_the_service_heeds_its_name(
    world: World,
) -> None:
    world.faults({"created": "silent", "hidden": 999}, idempotent=True)
    run(world)
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 1


def test_nothing_but_questions_leaves_the_machine(world: World) -> None:
    run(world)
    content = world.service.batches.files["file-0"]
    for line, request in zip(content.splitlines(), asked(COUNT), strict=True):
        assert json.loads(line) == {
            "custom_id": request.key,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": request.body,
        }
    (batch,) = world.service.batches.batches.values()
    assert set(batch["metadata"]) == {"distilrec", "plan", "keys"}


def test_a_lost_record_is_no_second_payment(world: World) -> None:
    """Another machine, or a cleared journal folder, while the batch is under way."""
    world.faults({"polls": 3})
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    wipe(world)
    run(world)
    assert world.answered(asked(COUNT)) == {f"s{n}" for n in range(COUNT)}
    assert set(world.service.paid.values()) == {1}


def test_other_requests_in_the_same_lost_batch_are_told_by_their_custom_ids(world: World) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    wipe(world)
    run(world, COUNT - 2)
    assert len(world.answered(asked(COUNT))) == COUNT - 2
    run(world, COUNT + 1)  # the two that nobody asked for then, and a new one
    assert len(world.answered(asked(COUNT + 1))) == COUNT + 1
    assert set(world.service.paid.values()) == {1}
    assert len(world.service.batches.batches) == 2


def test_a_batch_of_another_program_is_left_alone(world: World) -> None:
    state = world.service.batches
    state.files["theirs"] = b'{"custom_id": "1", "body": {}}'
    asyncio.run(create(world, "theirs", {"job": "nightly"}))
    run(world)
    assert states(world) == ["ended"]


def test_a_running_batch_of_ours_that_tells_nobody_what_it_asks_stops_the_run(
    world: World,
) -> None:
    world.faults({"input_gone": True, "polls": 9})
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=3))
    wipe(world)
    with pytest.raises(LabelError, match="its requests cannot be read; nothing was bought"):
        run(world, COUNT + 1)
    assert not world.service.paid


def test_nothing_is_bought_while_the_list_cannot_be_read(world: World) -> None:
    world.faults(list_status=500)
    with pytest.raises(LabelError, match=r"list of batches at 127\.0\.0\.1 cannot be read"):
        run(world)
    assert not world.service.batches.files


def test_a_batch_on_record_is_fetched_although_the_list_cannot_be_read(world: World) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    world.faults(list_status=500)
    run(world)
    assert len(world.answered(asked(COUNT))) == COUNT
    assert set(world.service.paid.values()) == {1}


@pytest.mark.parametrize(
    ("fault", "answered", "failed", "again"),
    [
        ({"no_output": True}, 0, {"no row in the output": 6}, 0),
        ({"late_output": 2}, 6, {}, 0),
        ({"status": "expired", "done": 4}, 6, {}, 2),
        ({"status": "expired", "done": 0}, 6, {}, 6),
        ({"status": "cancelled", "done": 4}, 4, {"batch cancelled": 2}, 0),
        ({"status": "cancelled", "done": 0}, 0, {"batch cancelled": 6}, 0),
        ({"backwards": True}, 6, {}, 0),
        ({"unknown": 3}, 6, {}, 0),
        ({"duplicate": [0, 5]}, 6, {}, 0),
        ({"drop": [2]}, 5, {"no row in the output": 1}, 0),
        ({"broken": [1, 3]}, 4, {"no row in the output": 2}, 0),
        ({"rows": {"2": 429}}, 6, {}, 1),
        ({"rows": {"2": 500}}, 6, {}, 1),
        ({"rows": {"2": 400, "3": 404}}, 4, {"http 400": 1, "http 404": 1}, 0),
        ({"rows": {"0": "server_error"}}, 6, {}, 1),
        ({"rows": {"0": "invalid_request"}}, 5, {"invalid request": 1}, 0),
        ({"cut": 1}, 6, {}, 0),
        ({"torn": 2}, 6, {}, 0),
        ({"look_status": 500, "looks": 4}, 6, {}, 0),
        ({"look_status": 429, "looks": 2}, 6, {}, 0),
        ({"look_status": 404, "looks": 2}, 6, {}, 0),
    ],
    ids=str,
)
def test_every_row_ends_as_answered_failed_or_sent_again(
    world: World, fault: dict[str, Any], answered: int, failed: dict[str, int], again: int
) -> None:
    world.faults(fault)
    sending = run(world)
    assert len(world.answered(asked(COUNT))) == len(sending.rows) == answered
    assert dict(sending.failed) == failed
    batches = list(world.service.batches.batches.values())
    assert [one["request_counts"]["total"] for one in batches] == [COUNT] + [again] * bool(again)
    assert set(world.service.paid.values()) <= {1}
    assert world.budget.spent_usd <= world.budget.cap_usd
    assert not under_way(world)


def test_rows_that_were_missing_are_fetched_by_the_next_run_before_they_are_bought_anew(
    world: World,
) -> None:
    world.faults({"no_output": True})
    assert run(world).failed == {"no row in the output": COUNT}
    world.faults({})
    run(world)
    assert len(world.answered(asked(COUNT))) == COUNT
    assert set(world.service.paid.values()) == {1}


def test_rows_that_stay_missing_are_bought_anew_by_the_next_run(world: World) -> None:
    world.faults({"drop": [2]})
    run(world)
    sending = run(world)
    assert [row["subject_id"] for row in sending.rows] == ["s2"]
    assert sorted(world.service.paid.values()) == [1] * (COUNT - 1) + [2]


def test_what_expired_twice_has_failed_in_this_run(world: World) -> None:
    world.faults({"status": "expired", "done": 4}, {"status": "expired", "done": 0})
    assert run(world).failed == {"batch expired": 2}
    assert len(run(world).rows) == 2
    assert set(world.service.paid.values()) == {1}


def test_a_batch_that_is_not_valid_stops_the_run_with_the_service_s_words(world: World) -> None:
    errors = [{"code": "model_not_found", "message": "no such model", "line": 1}]
    world.faults({"errors": errors})
    with pytest.raises(LabelError, match="refused it: model_not_found: no such model"):
        run(world)
    assert not under_way(world)
    run(world)
    assert set(world.service.paid.values()) == {1}


def test_a_batch_that_is_refused_at_once_was_never_there(world: World) -> None:
    world.faults({"created": "refused"})
    with pytest.raises(LabelError, match=r"answered 400 \(invalid_request\)"):
        run(world)
    assert states(world) == ["dropped"]
    assert not under_way(world)


def test_a_full_queue_is_waited_for_with_smaller_batches(world: World) -> None:
    world.faults(most_under_way=2)
    run(world)
    assert len(world.answered(asked(COUNT))) == COUNT
    assert set(world.service.paid.values()) == {1}
    assert world.time.now >= 60


def test_a_queue_that_stays_full_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_fetching, "QUEUE_SECONDS", 1_000.0)
    world.faults(*[{"errors": [{"code": "token_limit_exceeded", "message": "full"}]}] * 99)
    with pytest.raises(LabelError, match="queue is full for a day"):
        run(world)
    assert 1_000 <= world.time.now < 3_000
    assert not world.service.paid


def test_a_batch_that_the_service_does_not_know_is_told_and_then_bought_anew(world: World) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    other = Service()
    with pytest.raises(LabelError, match="the service does not know it"):
        run(world, wire=Wire(other))
    assert not other.batches.files
    run(world, wire=Wire(world.service))  # the account is set back: adopted again
    assert set(world.service.paid.values()) == {1}


def test_a_batch_reserves_the_most_of_its_requests_and_the_cap_holds(world: World) -> None:
    most = max_of(world)
    world.budget = Budget(2.5 * most)
    run(world)
    assert len(world.answered(asked(COUNT))) == COUNT
    sizes = [one["request_counts"]["total"] for one in world.service.batches.batches.values()]
    assert sizes[0] == 2
    assert sum(sizes) == COUNT
    assert world.budget.spent_usd <= world.budget.cap_usd


def test_answers_dearer_than_allowed_stop_the_run_when_all_are_kept(world: World) -> None:
    world.faults({"usage": {"prompt_tokens": 10, "completion_tokens": 5_000}})
    with pytest.raises(LabelError, match="does not obey max_tokens"):
        run(world)
    assert len(world.answered(asked(COUNT))) == COUNT


def test_an_answer_without_usage_costs_the_most_it_can(world: World) -> None:
    world.faults({"usage": {}})
    run(world)
    assert world.budget.spent_usd == pytest.approx(COUNT * max_of(world))


def test_a_budget_below_one_request_buys_nothing(world: World) -> None:
    world.budget = Budget(0.5 * max_of(world))
    with pytest.raises(SpendRefused):
        run(world)
    assert not world.service.batches.files


def test_requests_of_a_batch_under_way_count_at_their_most(world: World) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    most = sum(under_way(world).values())
    assert most == pytest.approx(COUNT * max_of(world), rel=0.05)
    world.budget = Budget(most, spent_usd=most)
    run(world)
    paid = sum(row["cost_usd"] for row in world.last.rows)
    assert world.budget.spent_usd == pytest.approx(paid, rel=1e-6)


def test_a_batch_on_record_is_neither_gated_nor_bought_again(world: World) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    assert to_buy(asked(COUNT + 2), world.folder) == asked(COUNT + 2)[COUNT:]


def test_a_few_requests_go_online_at_the_full_price(world: World) -> None:
    """The online part has a transport of its own, so it is seen by what it was given."""
    world.transport["batch_at_least"] = COUNT + 1
    with pytest.MonkeyPatch.context() as patch:
        given: list[Any] = []

        async def send(self: Sending, requests: Any) -> None:
            given.append((len(requests), self.price))

        patch.setattr(Sending, "send", send)
        run(world)
    assert given == [(COUNT, PRICE)]
    assert not world.service.batches.files


def test_the_key_is_in_no_line_of_the_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_API_KEY", "sk-canary-4410ab")
    world.faults({"errors": [{"code": "bad", "message": "key sk-canary-4410ab"}]})
    with pytest.raises(LabelError) as error:
        run(world)
    assert "sk-canary" not in str(error.value)
    written = b"".join(path.read_bytes() for path in world.folder.iterdir())
    assert b"sk-canary" not in written


def test_answers_that_nobody_asks_for_any_more_are_kept(world: World) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    run(world, COUNT - 4)
    assert len(world.answered(asked(COUNT))) == COUNT
    assert len(world.last.rows) == COUNT
    assert not under_way(world)
    assert not list(world.folder.glob("*.asked.jsonl"))


def test_a_new_key_version_buys_nothing_that_is_under_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    before = {request.key for request in asked(COUNT)}
    monkeypatch.setattr(key, "KEY_VERSION", 99)
    monkeypatch.setattr(batch_record, "KEY_VERSION", 99)
    assert not before & {request.key for request in asked(COUNT)}
    run(world)
    assert len(world.last.rows) == COUNT
    assert {row["key"] for row in world.last.rows} == {request.key for request in asked(COUNT)}
    assert len(world.service.batches.batches) == 1


@pytest.mark.parametrize("damaged", range(3))
@pytest.mark.parametrize("all_asked", [True, False], ids=["the same", "one more"])
def test_a_damaged_line_of_the_record_is_no_second_payment(
    world: World, damaged: int, all_asked: bool
) -> None:
    with pytest.raises(Killed):
        run(world, wire=Wire(world.service, kill=4))
    (path,) = world.folder.glob("*.batches.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    lines[damaged] = lines[damaged].replace(b"name", b"nane", 1)
    path.write_bytes(b"".join(lines))
    count = COUNT if all_asked else COUNT + 1
    run(world, count)
    assert len(world.answered(asked(count))) == count
    assert set(world.service.paid.values()) == {1}


def test_progress_is_told_when_it_has_changed(world: World) -> None:
    world.faults({"polls": 50})
    told: list[Any] = []
    world.observe = told.append
    run(world)
    assert [(one.answered, one.requests) for one in told] == [(0, COUNT), (COUNT, COUNT)]
