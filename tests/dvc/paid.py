"""The shop with a labeller that is paid; the stub service counts what it was paid for."""

import json
import os
import re
import shlex
import signal
import time
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipeline.labelling.stores.store import Store
from tests.dvc.project import Project
from tests.labelling.conftest import Stub

WAY = ("fetch", "sessions", "teacher", "difficulty", "select", "hints", "label")
"""The stages up to the labels: with these alone, `dvc repro` is quick."""
BEFORE_LABELS = WAY[:5]
API_KEY = "canary-0e5f2b7a94c84d61"
ENDPOINT = "service"
CONCURRENCY = 3
STORES = ("data/hints/shop", "data/labels/shop")
SETTINGS: dict[str, Any] = {
    "label.provider": "openai_compatible",
    "label.endpoint": ENDPOINT,
    "label.model": "a-model",
    "label_transport.api_key_variable": "SHOP_API_KEY",
    "label_transport.requests_per_minute": 60_000,
    "label_transport.concurrency": CONCURRENCY,
    "label_transport.timeout_seconds": 10,
    "label_transport.retry_seconds": 10,
    "label_transport.budget_usd": 10,
    "label_transport.price_input": 1,
    "label_transport.price_output": 2,
}


@dataclass(frozen=True)
class Question:
    """What the service was paid for."""

    digest: str
    session: tuple[str, ...]
    """Titles of the session to be ranked; none where hints were asked for."""
    finished: float | None
    """When the last byte of the answer had left the service."""


class Till:
    """What the service was paid for since this was made."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self._since = time.monotonic()

    def paid(self) -> list[Question]:
        """Return the paid questions, in order."""
        finished = {q: at for q, at in self.stub.finished().items() if at >= self._since}
        return [
            Question(one["question"], session_of(one["body"]), finished.get(one["question"]))
            for one in self.stub.seen()
            if one.get("paid") and one["at"] >= self._since
        ]

    def sessions(self) -> set[tuple[str, ...]]:
        """Return the sessions whose ranking was paid for; each of them once, or this fails."""
        found = [question.session for question in self.paid()]
        assert len(set(found)) == len(found)
        return set(found)

    def wait_for(self, answers: int) -> None:
        """Return once that many answers have left the service."""
        for _ in range(3_000):
            if sum(one.finished is not None for one in self.paid()) >= answers:
                return
            time.sleep(0.01)
        raise AssertionError(f"the service did not give {answers} answers in time")


def session_of(body: str) -> tuple[str, ...]:
    """Return the titles of the session that a request is about; none for hints."""
    text = json.loads(body)["messages"][-1]["content"]
    lists = re.findall(r"^\[.*\]$", text, re.MULTILINE)
    return tuple(json.loads(lists[0])) if lists else ()


def buying(project: Project, url: str) -> Project:
    """Return the project with the paid labeller and the way to the labels alone."""
    project.keep_stages(*WAY)
    project.change("label_transport.base_url", url)
    for key, value in SETTINGS.items():
        project.change(key, value)
    return replace(project, secrets={**project.secrets, "SHOP_API_KEY": API_KEY})


def crash(project: Project, till: Till, *words: str) -> set[str]:
    """Kill a run and all it has started after five answers; return what it cannot have kept.

    That is what had not yet left the service, or no more than a tenth of a second before.
    """
    till.stub.change(delay=0.25)
    run = project.start(*words)
    till.wait_for(5)
    time.sleep(0.12)  # those are old enough then
    killed = time.monotonic()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait(timeout=10)
    time.sleep(0.4)  # what was under way still reaches the service's log
    till.stub.change(delay=0.0)
    young = {one.digest for one in till.paid() if not one.finished or one.finished > killed - 0.1}
    assert len(young) <= CONCURRENCY
    return young


def asked_twice(till: Till) -> set[str]:
    """Return the questions that were paid for more than once."""
    digests = [question.digest for question in till.paid()]
    return {one for one in digests if digests.count(one) > 1}


def type_what_it_says(project: Project, *words: str) -> list[str]:
    """Run a command; each time it is stopped type the first command it names; return those."""
    told: list[str] = []
    for _ in range(4):
        done = project.run(*words, check=False)
        if done.returncode == 0:
            return told
        told += re.findall(r"`((?:dvc|distilrec) [^`]+)`", done.stdout + done.stderr)[:1]
        project.run(*shlex.split(told[-1]))
    raise AssertionError(f"{words} did not work after {told}")


def missing(project: Project) -> list[int]:
    """Return what `labels plan` says is missing: hints, rankings."""
    rows = json.loads(project.run("distilrec", "labels", "plan", "shop", "--json").stdout)
    return [row["missing"] for row in rows]


def held(project: Project) -> list[tuple[str, ...]]:
    """Return the sessions whose paid ranking is in the store; all of its parts are sound."""
    store = Store(project.root / "data/labels/shop")
    assert store.damaged() == []
    rows = store.read(["endpoint", "request"]).filter(pl.col("endpoint") == ENDPOINT)
    return [session_of(request) for request in rows["request"]]
