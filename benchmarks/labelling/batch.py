"""Batches that go wrong and runs that are killed: what was paid for twice, and what has no end.

python -m benchmarks.labelling.batch [REQUESTS] [KILLS] [LONGEST]

1. Each fault of `FAULTS` happens to a batch of REQUESTS requests. The run is repeated without
   faults until nothing is missing; the service counts what was paid for. What it answered and put
   in no file cannot be had, and is bought anew: that alone is no second payment.
2. A run is ended at each of its exchanges with the service, before and after the service has them,
   and at each line it writes; the next run finishes.
3. KILLS labellers, each a process of its own, are killed (`kill -9`) at a line that they write.
4. LONGEST requests, as many as a batch may have, from the plan to the journal.

1, 2 and 4 run in one process with a service without a network and time that is not waited.
"""

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import record
from pipeline.errors import LabelError
from pipeline.labelling.money.budget import Budget
from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.labelling.stores.summary import summary
from tests.labelling.batch_world import Killed, Wire, World, asked

COMMAND = "python -m benchmarks.labelling.batch"
REQUESTS, KILLS, LONGEST = 200, 20, 50_000
LIMIT = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
FAULTS: dict[str, list[dict[str, Any]]] = {
    "completed without an output file": [{"no_output": True}],
    "the output file is named late": [{"late_output": 2}],
    "expired with a part done": [{"status": "expired", "done": 120}],
    "expired with nothing done": [{"status": "expired", "done": 0}],
    "cancelled with a part done": [{"status": "cancelled", "done": 50}],
    "failed validation": [{"errors": [{"code": "invalid_json_line", "message": "line 1"}]}],
    "the service's queue is full": [{"errors": LIMIT}, {"errors": LIMIT}],
    "rows out of order": [{"backwards": True}],
    "unknown custom ids": [{"unknown": 40}],
    "duplicate custom ids": [{"duplicate": list(range(0, 200, 3))}],
    "missing rows": [{"drop": [3, 77, 150]}],
    "lines that are no JSON": [{"broken": [0, 99, 199]}],
    "rows of status 429": [{"rows": {str(n): 429 for n in range(20)}}],
    "rows of status 500": [{"rows": {str(n): 500 for n in range(20)}}],
    "rows of status 400": [{"rows": {str(n): 400 for n in range(20)}}],
    "rows with an error instead of an answer": [{"rows": {"5": "server_error", "6": "bad"}}],
    "output file cut without a word": [{"cut": 2}],
    "download cut": [{"torn": 2}],
    "no reply to the creation": [{"created": "silent", "hidden": 2}],
    "500 to the creation, listed late": [{"created": "500", "hidden": 4}],
    "garbage to the creation": [{"created": "garbage"}],
    "looks answered by 500": [{"look_status": 500, "looks": 30}],
    "looks answered by 404 at first": [{"look_status": 404, "looks": 3}],
    "a list in many pages": [{"created": "silent"}],
}


@contextmanager
def fresh() -> Iterator[World]:
    """Give a world whose journal is empty."""
    with tempfile.TemporaryDirectory() as folder:
        yield World(folder=Path(folder), budget=Budget(1_000.0))


def paid_twice(world: World, faults: list[dict[str, Any]], count: int) -> int:
    """Return the payments beyond the first, but for answers that the service put in no file."""
    keys = [request.key for request in asked(count)]
    gone = {keys[n] for fault in faults for n in fault.get("drop", []) + fault.get("broken", [])}
    again = {key: times - 1 for key, times in world.service.paid.items()}
    return sum(max(times - (key in gone), 0) for key, times in again.items())


def without_end(world: World) -> int:
    """Return the attempts that the ledger shows as under way."""
    states: dict[str, str] = {one["key"]: one["state"] for one in ledger.entries(world.folder)}
    return sum(state in ledger.UNDER_WAY for state in states.values())


def finish(world: World, count: int) -> bool:
    """Run again until everything is answered, and return whether it came to that."""
    for _ in range(4):
        asyncio.run(world.run(asked(count)))
        if len(world.answered(asked(count))) == count:
            return True
    return False


def through_faults(count: int) -> tuple[int, int, int]:
    """Return payments beyond the first, attempts without an end, and requests never answered."""
    twice = endless = never = 0
    for name, faults in FAULTS.items():
        with fresh() as world:
            world.faults(*faults, page=1 if "pages" in name else 100)
            try:
                asyncio.run(world.run(asked(count)))
            except LabelError as error:
                print(f"{name}: {error}")
            endless += without_end(world)
            # rows that were counted and could not be had may come later; faults of files remain
            world.faults(*([] if "without an output" in name else faults))
            never += not finish(world, count)
            twice += paid_twice(world, faults, count)
    return twice, endless, never


def killed_everywhere(count: int) -> tuple[int, int]:
    """Return how often a run was ended, and the payments beyond the first."""
    ends = twice = 0
    for kind in ("before an exchange", "after an exchange", "before a line"):
        for place in range(100_000):
            with fresh() as world:
                if not ended(world, kind, place, count):
                    break
                ends += 1
                world.budget = Budget(1_000.0)
                assert finish(world, count)
                twice += paid_twice(world, [], count)
    return ends, twice


def ended(world: World, kind: str, place: int, count: int) -> bool:
    """Run until it is killed at a place, and return whether it has that place."""
    exchange = -1 if kind == "before a line" else place
    wire = Wire(world.service, exchange, before=kind == "before an exchange")
    try:
        with killed_at_line(place if exchange < 0 else -1):
            asyncio.run(world.run(asked(count), wire))
    except Killed:
        return True
    return False


@contextmanager
def killed_at_line(place: int) -> Iterator[None]:
    """End the run before it writes the line of this number; a negative one: never."""
    append, written = LineFile.append, [0]

    def counted(self: LineFile, value: Any) -> None:
        written[0] += 1
        if written[0] == place + 1:
            raise Killed
        append(self, value)

    LineFile.append = counted  # type: ignore[method-assign]
    try:
        yield
    finally:
        LineFile.append = append  # type: ignore[method-assign]


def killed_processes(count: int, kills: int) -> tuple[int, int]:
    """Return how many processes were killed, and the payments beyond the first."""
    killed, twice, numbers = 0, 0, random.Random(5)  # noqa: S311 - lines to be killed at
    for _ in range(kills):
        with tempfile.TemporaryDirectory() as folder, stub(Path(folder) / "log") as (url, log):
            line = numbers.randrange(1, 4 * count + 5)  # it writes so many, and a few more
            killed += labeller(Path(folder), url, count, line) == -signal.SIGKILL
            if labeller(Path(folder), url, count) or summary(Path(folder) / "store").rows != count:
                raise SystemExit("the second labeller did not finish")
            paid = Counter(one["question"] for one in entries(log) if one.get("paid"))
            twice += paid.total() - count
    return killed, twice


def labeller(folder: Path, url: str, count: int, *line: int) -> int:
    """Run a labeller of its own process and return how it ended."""
    words = [sys.executable, "-m", "tests.labelling.buy_batches", str(folder), url]
    words += [str(count), *map(str, line)]
    environment = os.environ | {"DISTILREC_JOURNAL": str(folder / "journal")}
    done = subprocess.run(words, env=environment, stderr=subprocess.DEVNULL, check=False)
    return done.returncode


@contextmanager
def stub(log: Path) -> Iterator[tuple[str, Path]]:
    """Run the stub service and give its address and its log."""
    words = [sys.executable, "-m", "tests.labelling.stub_server", str(log), "[]"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log
        finally:
            process.terminate()


def entries(log: Path) -> list[dict[str, Any]]:
    """Return what the stub has written down."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def longest(count: int) -> tuple[float, float]:
    """Return the seconds and the megabytes that a batch of so many requests takes here."""
    requests = asked(count)
    with fresh() as world:
        world.budget = Budget(100_000.0)
        started = time.monotonic()
        asyncio.run(world.run(requests))
        seconds = time.monotonic() - started
        assert len(world.last.rows) == count
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main(requests: int = REQUESTS, kills: int = KILLS, most: int = LONGEST) -> None:
    """Measure and record."""
    twice, endless, never = through_faults(requests)
    ends, twice_after_ends = killed_everywhere(requests // 10)
    killed, twice_after_kills = killed_processes(requests // 10, kills)
    seconds, megabytes = longest(most)
    faults = f"batches, {len(FAULTS)} faults of the service"
    longest_one = f"one batch of {most:,} requests, service included"
    record(
        {"name": f"labelling: {name}", "value": float(value), "unit": unit, "aim": aim,
         "rival": None, "command": COMMAND}
        for name, value, unit, aim in (
            (f"{faults}, payments beyond the first", twice, "payments", "<= 0"),
            (f"{faults}, attempts without an end", endless, "attempts", "<= 0"),
            (f"{faults}, jobs never finished", never, "jobs", "<= 0"),
            ("batches, runs ended at each step they have", ends, "runs", ">= 90"),
            ("batches, second payments after these", twice_after_ends, "payments", "<= 0"),
            ("batches, processes killed", killed, "processes", f">= {kills}"),
            ("batches, second payments after kills", twice_after_kills, "payments", "<= 0"),
            (f"{longest_one}, time", seconds, "s", "<= 120"),
            (f"{longest_one}, memory", megabytes, "MB", "<= 2000"),
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
