"""A labeller that is killed or interrupted: what was answered is not asked again."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.labelling.money.gate import dollars
from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.summary import summary
from tests.labelling.buy_many import CONCURRENCY, buyer, requests
from tests.labelling.conftest import StartStub, Stub

COUNT = 40


def words(folder: Path, stub: Stub) -> list[str]:
    return [sys.executable, "-m", "tests.labelling.buy_many", str(folder), stub.url, str(COUNT)]


def start(folder: Path, stub: Stub, project: Path) -> subprocess.Popen[bytes]:
    said = (folder / "said").open("ab")
    return subprocess.Popen(words(folder, stub), cwd=project, start_new_session=True, stderr=said)


def wait_for(stub: Stub, answers: int) -> None:
    wait_until(lambda: len(stub.finished()) >= answers)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_so():
            return
        time.sleep(0.02)
    pytest.fail("it never came to that")


def asked_again(stub: Stub) -> set[str]:
    return {question for question, count in Counter(stub.paid()).items() if count > 1}


def test_after_kills_only_unanswered_requests_are_asked_again(
    tmp_path: Path, start_stub: StartStub, project: Path
) -> None:
    stub, young = start_stub(delay=0.05), set[str]()
    for answers in (6, 17, 28):
        labeller = start(tmp_path, stub, project)
        wait_for(stub, answers)
        killed = time.monotonic()
        os.killpg(labeller.pid, signal.SIGKILL)
        labeller.wait(timeout=10)
        time.sleep(0.2)
        finished = stub.finished()
        young |= {one for one in stub.paid() if finished.get(one, killed) > killed - 0.1}
    assert start(tmp_path, stub, project).wait(timeout=30) == 0
    assert asked_again(stub) <= young
    assert len(stub.paid()) <= COUNT + 3 * CONCURRENCY
    assert summary(tmp_path / "store").rows == COUNT


def states() -> dict[str, list[str]]:
    """Return what the ledger says of each request, in order."""
    found = defaultdict(list)
    for entry in ledger.entries(Journal.here().folder):
        found[entry["key"]].append(entry["state"])
    return found


def interrupted() -> list[list[str]]:
    return [found for found in states().values() if found[-1] == "unknown:interrupted"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_awaits_and_saves_what_is_under_way(
    tmp_path: Path, start_stub: StartStub, project: Path, number: signal.Signals, status: int
) -> None:
    stub = start_stub(delay=0.1)
    labeller = start(tmp_path, stub, project)
    wait_for(stub, 10)
    os.kill(labeller.pid, number)
    assert labeller.wait(timeout=20) == status
    bought = len(stub.paid())
    assert 10 <= bought < COUNT
    assert {found[-1] for found in states().values()} == {"answered"}
    assert summary(tmp_path / "store").rows == bought
    said = (tmp_path / "said").read_text()
    assert "requests are under way, their answers are saved" in said
    assert "again stops now" in said
    assert "the same command goes on from it" in said
    assert "may have been billed" not in said
    assert start(tmp_path, stub, project).wait(timeout=30) == 0
    assert (summary(tmp_path / "store").rows, len(stub.paid())) == (COUNT, COUNT)


def test_the_second_signal_stops_now(tmp_path: Path, start_stub: StartStub, project: Path) -> None:
    stub = start_stub(*[None] * 8, *[{"hang": 30}] * CONCURRENCY)
    labeller = start(tmp_path, stub, project)
    wait_until(lambda: len(stub.paid()) == 8 + CONCURRENCY)
    os.kill(labeller.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        labeller.wait(timeout=0.5)
    os.kill(labeller.pid, signal.SIGINT)
    assert labeller.wait(timeout=20) == 130
    assert len(interrupted()) == CONCURRENCY
    assert not any(found[-1] == "sent" for found in states().values())
    assert Store(tmp_path / "store").damaged() == []
    assert summary(tmp_path / "store").rows == 8
    entries = ledger.entries(Journal.here().folder)
    most = sum(one["at_most_usd"] for one in entries if one["state"] == "unknown:interrupted")
    assert (
        f"; {CONCURRENCY} under way may have been billed, at most ${dollars(most)}, and will be "
        "asked again"
    ) in (tmp_path / "said").read_text()
    assert start(tmp_path, stub, project).wait(timeout=30) == 0
    assert summary(tmp_path / "store").rows == COUNT
    assert len(asked_again(stub)) == CONCURRENCY
    assert len(stub.paid()) == COUNT + CONCURRENCY


@pytest.mark.parametrize("shell", [False, True])
def test_a_labeller_whose_starter_was_killed_stops_and_saves(
    tmp_path: Path, start_stub: StartStub, project: Path, shell: bool
) -> None:
    """With a shell in between, as `dvc` starts a stage: that shell survives."""
    stub = start_stub(*[None] * 8, *[{"hang": 30}] * CONCURRENCY)
    run = shlex.join(words(tmp_path, stub))
    command = ["/bin/sh", "-c", f"{run}; exit $?"] if shell else words(tmp_path, stub)
    starter = [sys.executable, "-c", f"import subprocess; subprocess.run({command!r})"]
    started = subprocess.Popen(starter, cwd=project, start_new_session=True)
    wait_until(lambda: len(stub.paid()) == 8 + CONCURRENCY)
    os.kill(started.pid, signal.SIGKILL)
    started.wait(timeout=10)
    wait_until(lambda: len(interrupted()) == CONCURRENCY)
    wait_until(lambda: summary(tmp_path / "store").rows == 8)
    assert len(stub.paid()) == 8 + CONCURRENCY
    assert not any(found[-1] == "sent" for found in states().values())


def test_many_answers_are_bought_once(tmp_path: Path, start_stub: StartStub) -> None:
    stub = start_stub()
    bought = buyer(tmp_path, stub.url).obtain(requests(300))
    assert bought.made == 300
    assert len(stub.paid()) == 300
