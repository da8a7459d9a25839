"""Batches through the stages and as a process, against the stub service over loopback."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling import planned
from pipeline.labelling.batches import adoption
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.batches import sending as batches
from pipeline.labelling.batches.service import BatchService
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.summary import summary
from pipeline.params import Params
from pipeline.paths import Paths, cells
from pipeline.stages import hints, label
from pipeline.tables import SELECTED
from tests.labelling.conftest import DATASET, StartStub, Stub, paying, selected

COUNT = 12


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_API_KEY", "sk-canary-90aa17")
    monkeypatch.setattr(batches, "FIRST_PAUSE", 0.02)


def batched(params: Params, url: str, **transport: Any) -> Params:
    """Return parameters that buy rankings in batches, and the one request for hints online."""
    paid = paying(params, url, **{"batch_at_least": 2} | transport)
    return paid.model_copy(
        update={"label": paid.label.model_copy(update={"provider": "openai_batch"})}
    )


def go_wrong(stub: Stub, *faults: dict[str, Any], **fields: Any) -> None:
    """Have the stub's batches go wrong."""
    httpx.put(f"{stub.url}/batches", json={"faults": list(faults)} | fields)


def bought(params: Params, paths: Paths) -> label.Summary:
    """Run the stages that pay."""
    hints.run(params, paths, DATASET)
    return label.run(params, paths, DATASET)


def made(stub: Stub) -> list[int]:
    """Return the sizes of the batches that were created."""
    return [entry["requests"] for entry in stub.seen() if "created" in entry]


def test_rankings_come_by_batch_and_the_one_request_for_hints_online(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = batched(params, stub.url)
    first, second = bought(paid, paths), bought(paid, paths)
    assert (first.answered, second.answered, second.here) == (3, None, 3)
    assert made(stub) == [3]
    assert len(stub.paid()) == 1 + 3
    (hint, *_) = [entry for entry in stub.seen() if entry.get("paid")]
    assert hint["headers"]["Authorization"] == "Bearer sk-canary-90aa17"


def test_labels_bought_in_a_batch_serve_online_and_the_reverse(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    batch, online = batched(params, stub.url), paying(params, stub.url)
    bought(batch, paths)
    assert bought(online, paths).here == 3
    (cell,) = cells(params.run, DATASET)
    SELECTED.write(selected((0, 1, 2, 4)), paths.selected(cell))
    assert bought(online, paths).answered == 1
    again = bought(batch, paths)
    assert (again.here, again.answered) == (4, None)
    assert set(Counter(stub.paid()).values()) == {1}
    assert made(stub) == [3]


def test_labels_by_batch_cost_half(params: Params, paths: Paths, start_stub: StartStub) -> None:
    first = bought(batched(params, start_stub().url), paths)
    assert first.prompt_tokens is not None
    assert first.completion_tokens is not None
    online = (first.prompt_tokens * 1.0 + first.completion_tokens * 2.0) / 1e6
    assert first.cost_usd == pytest.approx(0.5 * online)


def test_the_gate_estimates_the_batch_and_what_it_advises_makes_one_batch(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    hints.run(batched(params, stub.url), paths, DATASET)
    with pytest.raises(SpendRefused, match="3 missing") as refusal:
        label.run(batched(params, stub.url, budget_usd=0.0), paths, DATASET)
    advised = float(str(refusal.value).split("budget_usd: ")[1].split(" ")[0])
    label.run(batched(params, stub.url, budget_usd=advised), paths, DATASET)
    assert made(stub) == [3]


def test_answers_to_other_candidates_are_awaited_before_anything_is_bought(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    """The teacher was trained anew while a batch about the same sessions was under way."""
    stub = start_stub()
    go_wrong(stub, {"polls": 3})
    paid = batched(params, stub.url)
    hints.run(paid, paths, DATASET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches.BatchSending, "_rest", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            label.run(paid, paths, DATASET)
    offer_fewer(params, paths)
    broke = batched(params, stub.url, budget_usd=0.0)
    _, row = planned.plan_rows(broke, paths, DATASET)
    assert (row["missing"], row["of_these_in_batches_under_way"]) == (3, 3)
    assert (row["cost_usd"], row["gate"]) == (0, "nothing to buy")
    again = label.run(broke, paths, DATASET)
    assert (again.from_journal, again.answered) == (3, None)
    assert made(stub) == [3]


@pytest.mark.parametrize(("created", "bought_again"), [(True, None), (False, 3)])
def test_answers_to_other_candidates_are_sought_where_a_creation_was_not_confirmed(
    params: Params, paths: Paths, start_stub: StartStub, created: bool, bought_again: int | None
) -> None:
    """The run ended between the batch's creation and its reply, or just before."""
    stub, create = start_stub(), BatchService.create
    paid = batched(params, stub.url)
    hints.run(paid, paths, DATASET)

    async def cut(self: BatchService, *asked: Any) -> Any:
        if created:
            await create(self, *asked)
        raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchService, "create", cut)
        patch.setattr(adoption, "SETTLE_SECONDS", (0.0,))
        with pytest.raises(ZeroDivisionError):
            label.run(paid, paths, DATASET)
        offer_fewer(params, paths)
        patch.setattr(BatchService, "create", create)
        assert label.run(paid, paths, DATASET).answered == bought_again
    assert made(stub) == [3]
    assert set(Counter(stub.paid()).values()) == {1}


@pytest.mark.parametrize("reworded", [False, True])
def test_what_a_batch_under_way_will_answer_is_not_bought_online(
    params: Params, paths: Paths, start_stub: StartStub, reworded: bool
) -> None:
    stub = start_stub()
    go_wrong(stub, {"polls": 3})
    by_batch, online = batched(params, stub.url), paying(params, stub.url)
    hints.run(by_batch, paths, DATASET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches.BatchSending, "_rest", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            label.run(by_batch, paths, DATASET)
    if reworded:
        offer_fewer(params, paths)
    _, row = planned.plan_rows(online, paths, DATASET)
    assert row["gate"].startswith("3 of 3 missing requests are in batches under way")
    with pytest.raises(LabelError, match=r"Set label\.provider: openai_batch"):
        label.run(online, paths, DATASET)
    assert len(stub.paid()) == 1  # the hints
    label.run(by_batch, paths, DATASET)
    assert label.run(online, paths, DATASET).here == 3
    assert len(stub.paid()) == 1 + 3


def offer_fewer(params: Params, paths: Paths) -> None:
    """Select the same sessions with fewer candidates, as another teacher may."""
    (cell,) = cells(params.run, DATASET)
    fewer = selected().with_columns(selected()["candidates"].list.head(4))
    SELECTED.write(fewer, paths.selected(cell))


def start(folder: Path, stub: Stub, project: Path, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.labelling.buy_batches"]
    said = (folder / "said").open("ab")
    words += [str(folder), stub.url, str(COUNT), *more]
    return subprocess.Popen(words, cwd=project, start_new_session=True, stderr=said)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_so():
            return
        time.sleep(0.02)
    pytest.fail("it never came to that")


def test_a_process_killed_when_its_batch_was_created_pays_nothing_twice(
    tmp_path: Path, start_stub: StartStub, project: Path
) -> None:
    """Before the line `created`; twice the requests, `planned` and `uploaded` are before it."""
    stub, line = start_stub(), 2 * COUNT + 3
    assert start(tmp_path, stub, project, str(line)).wait(timeout=30) == -signal.SIGKILL
    assert made(stub) == [COUNT]
    assert [plan.state for plan in batch_record.plans(Journal.here().folder)] == ["uploaded"]
    assert start(tmp_path, stub, project).wait(timeout=60) == 0
    assert summary(tmp_path / "store").rows == COUNT
    assert len(made(stub)) == 1
    assert set(Counter(stub.paid()).values()) == {1}


def test_ctrl_c_leaves_the_batch_at_the_service_and_the_same_command_takes_it_up(
    tmp_path: Path, start_stub: StartStub, project: Path
) -> None:
    stub = start_stub()
    go_wrong(stub, {"polls": 1_000_000})
    labeller = start(tmp_path, stub, project)
    folder = Journal.here().folder
    wait_until(lambda: any(plan.open for plan in batch_record.plans(folder)))
    os.kill(labeller.pid, signal.SIGINT)
    assert labeller.wait(timeout=20) == 130
    said = (tmp_path / "said").read_text()
    assert "it may take 24 hours. Ctrl-C is safe" in said
    assert "batches stay at the service; run again to fetch them" in said
    go_wrong(stub, {"polls": 1})
    assert start(tmp_path, stub, project).wait(timeout=30) == 0
    assert summary(tmp_path / "store").rows == COUNT
    assert made(stub) == [COUNT]
    assert set(Counter(stub.paid()).values()) == {1}
