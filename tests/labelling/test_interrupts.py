"""A labeller that is killed or interrupted: what was answered is not asked again."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from pipeline.labelling import ledger
from pipeline.labelling.journal import Journal
from pipeline.labelling.store import Store, summary
from tests.labelling.buy_many import CONCURRENCY, buyer, requests
from tests.labelling.conftest import StartStub, Stub

COUNT = 40


def start(folder: Path, stub: Stub, project: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.labelling.buy_many", str(folder), stub.url, str(COUNT)]
    return subprocess.Popen(words, cwd=project, start_new_session=True, stderr=subprocess.DEVNULL)


def wait_for(stub: Stub, answers: int) -> None:
    for _ in range(1_000):
        if len(stub.finished()) >= answers:
            return
        time.sleep(0.01)
    pytest.fail("the labeller asked nothing")


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


def test_after_an_interrupt_the_store_holds_what_was_answered(
    tmp_path: Path, start_stub: StartStub, project: Path
) -> None:
    stub = start_stub(delay=0.05)
    labeller = start(tmp_path, stub, project)
    wait_for(stub, 10)
    os.kill(labeller.pid, signal.SIGINT)
    assert labeller.wait(timeout=10) != 0
    states = defaultdict(list)
    for entry in ledger.entries(Journal.here().folder):
        states[entry["key"]].append(entry["state"])
    under_way = [found for found in states.values() if found[-1] == "unknown:interrupted"]
    assert 1 <= len(under_way) <= CONCURRENCY
    assert not any(found[-1] == "sent" for found in states.values())
    assert Store(tmp_path / "store").damaged() == []
    assert summary(tmp_path / "store").rows >= 10 - CONCURRENCY
    assert start(tmp_path, stub, project).wait(timeout=30) == 0
    assert summary(tmp_path / "store").rows == COUNT
    assert len(asked_again(stub)) <= CONCURRENCY


def test_many_answers_are_bought_once_and_at_speed(tmp_path: Path, start_stub: StartStub) -> None:
    stub = start_stub()
    started = time.monotonic()
    bought = buyer(tmp_path, stub.url).obtain(requests(300))
    assert bought.made == 300
    assert len(stub.paid()) == 300
    assert time.monotonic() - started < 30
