"""Labellers that are killed, interrupted or doubled, against a service that counts what was paid.

python -m benchmarks.labelling.kills [ANSWERS KILLS TIMES]     (20000 200 20)

- `kill -9` of the process group at times uniform over the sending phase, with a request under way,
  200 times in one job of 20,000 answers. Of the requests whose answer the service had finished
  writing 100 ms before a kill none may be paid for again, of younger ones at most as many a kill as
  are under way at once.
- Two labellers started together on one store, and Ctrl-C once and twice, 20 times each.
- `kill -9` of `dvc` alone, 20 times: its labeller stops, and a second `dvc repro` goes on.
"""

import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.labelling.stores.store import Store

ROOT = Path(__file__).parents[2]
ANSWERS, KILLS, TIMES = 20_000, 200, 20
CONCURRENCY, DELAY, SPREAD = 32, 0.3, 0.2
"""About a hundred answers a second; the job must outlast its kills."""
YOUNG_SECONDS = 0.1
SETTINGS = json.dumps(
    {"concurrency": CONCURRENCY, "budget_usd": 1e6, "max_new_requests": 1_000_000}
)
SMALL = 96  # answers of the jobs that are interrupted
STAGE = """
stages:
  label:
    cmd: >-
      {python} -m tests.labelling.buy_many . {url} {count} '{settings}'
    outs:
      - store:
          persist: true
"""


@dataclass
class Service:
    """The stub service, told by its log."""

    url: str
    log: Path
    asked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When each question was paid for."""
    finished: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """When its answer had left the service."""
    _place: int = 0

    def look(self) -> None:
        """Read what is new in the log."""
        with self.log.open("rb") as stream:
            stream.seek(self._place)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._place += len(line)
                entry = json.loads(line)
                if "finished" in entry:
                    self.finished[entry["finished"]].append(entry["at"])
                elif entry.get("paid"):
                    self.asked[entry["question"]].append(entry["at"])

    @property
    def paid(self) -> int:
        """How many answers were paid for."""
        return sum(map(len, self.asked.values()))

    @property
    def events(self) -> int:
        """How much of the log was read."""
        return self._place

    @property
    def under_way(self) -> int:
        """How many of them have not left the service."""
        return self.paid - sum(map(len, self.finished.values()))

    @property
    def again(self) -> int:
        """How many were paid for although they had been before."""
        return self.paid - len(self.asked)

    def await_paid(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many answers were paid for."""
        end = time.monotonic() + seconds
        while self.paid < count:
            if time.monotonic() > end:
                raise SystemExit(f"the labeller asked nothing for {seconds:.0f} s")
            time.sleep(0.005)
            self.look()


@dataclass(frozen=True)
class Kill:
    """When a labeller was killed, and when the service had read all that it had sent."""

    at: float
    quiet: float


@contextlib.contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Give a running stub service."""
    log, bounds = folder / "stub.jsonl", {"most_requests": 100_000, "most_seconds": 3_000}
    options = json.dumps({**bounds, "spread": SPREAD, "brief": True})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.labelling.stub_server", log, "[]", str(DELAY), options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Service(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log)
    finally:
        process.terminate()
        process.communicate()


def labeller(folder: Path, url: str, count: int) -> subprocess.Popen[str]:
    """Start a labeller in a process group of its own."""
    words = [sys.executable, "-m", "tests.labelling.buy_many", str(folder), url, str(count)]
    return subprocess.Popen(
        [*words, SETTINGS],
        cwd=ROOT,
        env=environment(folder),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with a journal of its own."""
    journal = {"DISTILREC_JOURNAL": str(folder / "journal"), "STUB_API_KEY": "none"}
    return {**os.environ, **journal, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}


def kills(answers: int, times: int, seed: int = 5) -> dict[str, float]:
    """Kill one job's labeller many times, let it end, and return what was paid for again."""
    chance, killed = random.Random(seed), list[Kill]()  # noqa: S311 - no secret
    rate = CONCURRENCY / DELAY
    longest = 2 * 0.8 * answers / times / rate  # a fifth of the job is left for the last run
    restarts = []
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as stub:
        folder = Path(name)
        while len(killed) < times:
            started, before = time.monotonic(), stub.paid
            process = labeller(folder, stub.url, answers)
            stub.await_paid(before + 1)
            restarts.append(time.monotonic() - started)
            time.sleep(chance.uniform(0, longest))
            stub.look()
            if process.poll() is not None:
                break  # the job has ended
            if not stub.under_way:
                stub.await_paid(stub.paid + 1)
            at = time.monotonic()
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            settle(stub)
            killed.append(Kill(at, time.monotonic()))
        process = labeller(folder, stub.url, answers)
        said = process.communicate()[1]
        assert process.returncode == 0, said
        settle(stub)
        rows = Store(folder / "store").read(["key"]).height
        assert (rows, len(stub.asked)) == (answers, answers), (rows, len(stub.asked))
        old, young = told_apart(stub, killed)
        return {
            "kills": len(killed),
            "old": old,
            "young": sum(young.values()),
            "most young": max(young.values(), default=0),
            "restart": statistics.median(restarts[-10:]),
        }


def settle(stub: Service, most: float = 5.0) -> None:
    """Wait until the service has read what was sent to it, and has nothing more to write."""
    end, before = time.monotonic() + most, -1
    while time.monotonic() < end and before != stub.events:
        before = stub.events
        time.sleep(DELAY)
        stub.look()


def told_apart(stub: Service, killed: Sequence[Kill]) -> tuple[int, Counter[float]]:
    """Return how many old answers were paid for again, and the young ones by their kill.

    An answer is old that had left the service `YOUNG_SECONDS` before the kill. A request that the
    service read after the kill was under way, too: it lay in the connection.
    """
    old, young = 0, Counter[float]()
    for question, times in stub.asked.items():
        for first, second in pairwise(times):
            cut = [one for one in killed if first < one.quiet and one.at < second]
            left = [at for at in stub.finished[question] if first <= at < second]
            if cut and (not left or left[0] > cut[0].at - YOUNG_SECONDS):
                young[cut[0].at] += 1
            else:
                old += 1
    return old, young


def doubled(times: int) -> dict[str, int]:
    """Start two labellers together on one store; count what went wrong."""
    found = Counter[str](runs=times)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as name, service(Path(name)) as stub:
            both = [labeller(Path(name), stub.url, 4 * SMALL) for _ in range(2)]
            said = [one.communicate()[1] for one in both]
            settle(stub)
            refused = [text for text in said if "another labeller is at work" in text]
            ended = sorted(one.returncode for one in both)
            found["both or none worked"] += ended != [0, 1] or len(refused) != 1
            found["paid twice"] += stub.again
    return dict(found)


def interrupted(times: int, signals: int) -> dict[str, int]:
    """Press Ctrl-C once or twice while requests are under way, then run again; count."""
    found = Counter[str](runs=times)
    for number in range(times):
        with tempfile.TemporaryDirectory() as name, service(Path(name)) as stub:
            folder = Path(name)
            process = labeller(folder, stub.url, 4 * SMALL)
            stub.await_paid(SMALL + 10 * number)
            for _ in range(signals):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.05)
            process.communicate()
            settle(stub)
            found["wrong exit status"] += process.returncode != 130
            found["store not valid"] += bool(Store(folder / "store").damaged())
            after = labeller(folder, stub.url, 4 * SMALL)
            said = after.communicate()[1]
            settle(stub)
            found["did not go on"] += after.returncode != 0
            assert after.returncode == 0, said
            found["paid twice"] += stub.again
            found["most paid twice"] = max(found["most paid twice"], stub.again)
    return dict(found)


def orphaned(times: int) -> dict[str, float]:
    """Kill `dvc` alone, wait for its labeller, run `dvc repro` again; count."""
    found: dict[str, float] = {"runs": times, "slowest": 0.0, "paid twice": 0, "did not go on": 0}
    for number in range(times):
        with tempfile.TemporaryDirectory() as name, service(Path(name)) as stub:
            project = Path(name) / "project"
            project.mkdir()
            repro = mini_project(project, stub.url)
            first = subprocess.Popen(repro, **quiet(project))
            stub.await_paid(SMALL + 10 * number)
            buyer = int((project / "lock").read_text().split()[0])
            first.kill()
            first.wait()
            found["slowest"] = max(found["slowest"], seconds_until_gone(buyer))
            again = subprocess.run(repro, check=False, **quiet(project))
            settle(stub)
            found["did not go on"] += again.returncode != 0
            found["paid twice"] += stub.again
    return found


def mini_project(folder: Path, url: str) -> list[str]:
    """Make a project of one stage that buys, and return the words that run it."""
    text = STAGE.format(python=sys.executable, url=url, count=4 * SMALL, settings=SETTINGS)
    (folder / "dvc.yaml").write_text(text)
    dvc = [sys.executable, "-m", "dvc"]
    author = ["-c", "user.name=x", "-c", "user.email=x", "-c", "commit.gpgsign=false"]
    start = ["git", *author, "commit", "--quiet", "--allow-empty", "--message", "Start"]
    for words in (["git", "init", "--quiet"], start, [*dvc, "init", "--quiet"]):
        subprocess.run(words, check=True, **quiet(folder))
    return [*dvc, "repro"]


def quiet(folder: Path) -> dict[str, Any]:
    """Return how a command runs in a project."""
    silent = subprocess.DEVNULL
    return {"cwd": folder, "env": environment(folder), "stdout": silent, "stderr": silent}


def seconds_until_gone(process: int, most: float = 30.0) -> float:
    """Return how long a process that is not ours still lives."""
    started = time.monotonic()
    while Path(f"/proc/{process}").exists() and time.monotonic() - started < most:
        time.sleep(0.02)
    return time.monotonic() - started


def main(answers: int = ANSWERS, times: int = KILLS, each: int = TIMES) -> None:
    """Measure everything; record what was measured at full length."""
    from benchmarks.record import record  # noqa: PLC0415

    killed = kills(answers, times)
    two, once, twice = doubled(each), interrupted(each, 1), interrupted(each, 2)
    orphan = orphaned(each)
    for found in (killed, two, once, twice, orphan):
        print(json.dumps(found))
    if (answers, times, each) != (ANSWERS, KILLS, TIMES):
        return
    job = f"{killed['kills']:.0f} kills in one job of {answers:,} answers"
    stray = sum(count for name, count in twice.items() if name in FAULTS)
    figures: list[tuple[str, float, str, str]] = [
        (f"{job}: old answers paid for again", killed["old"], "answers", "<= 0"),
        (f"{job}: young answers paid for again, at most a kill", killed["most young"], "answers",
         f"<= {CONCURRENCY}"),
        (f"{job}: young answers paid for again, in all", killed["young"], "answers",
         f"<= {CONCURRENCY * KILLS}"),
        (f"{job}: from start to the first request, at the end", killed["restart"], "s", "<= 10"),
        (f"two labellers on one store, {each} times: paid twice, or not one at work",
         two["paid twice"] + two["both or none worked"], "faults", "<= 0"),
        (f"Ctrl-C once, {each} times: paid twice, or not saved and gone on from",
         sum(count for name, count in once.items() if name in (*FAULTS, "paid twice")),
         "faults", "<= 0"),
        (f"Ctrl-C twice, {each} times: not saved and gone on from", stray, "faults", "<= 0"),
        (f"Ctrl-C twice, {each} times: paid twice, at most a time", twice["most paid twice"],
         "answers", f"<= {CONCURRENCY}"),
        (f"`dvc` alone killed, {each} times: until its labeller stops", orphan["slowest"], "s",
         "<= 5"),
        (f"`dvc` alone killed, {each} times: paid twice, or not gone on from",
         orphan["paid twice"] + orphan["did not go on"], "faults", "<= 0"),
    ]  # fmt: skip
    record(
        {"name": name, "value": value, "unit": unit, "aim": aim, "rival": None,
         "command": "python -m benchmarks.labelling.kills"}
        for name, value, unit, aim in figures
    )  # fmt: skip


FAULTS = ("wrong exit status", "store not valid", "did not go on")

if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
