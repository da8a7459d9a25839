"""A labeller of its own against a stub service of its own, and what both say afterwards."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.journal import FOLDER_VARIABLE

ROOT = Path(__file__).parents[2]
ALLOWED = {"budget_usd": 1_000.0, "max_new_requests": 1_000_000}


@dataclass(frozen=True)
class Seen:
    """A request as the service saw it."""

    at: float
    question: str
    tokens: int
    paid: bool
    refused: bool


@dataclass(frozen=True)
class Ran:
    """What a labeller did."""

    seen: Sequence[Seen]
    peak_mb: float
    unknown: Sequence[float]
    """What each attempt that may have been billed is counted at, in dollars."""


def run(
    count: int,
    transport: dict[str, Any],
    prompt: tuple[int, float] = (0, 0.0),
    faults: Sequence[dict[str, Any]] = (),
    meanwhile: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> Ran:
    """Run a labeller of its own against a stub of its own and return what both say."""
    with tempfile.TemporaryDirectory() as name, _stub(Path(name), faults, options) as url:
        folder = Path(name)
        settings = json.dumps(ALLOWED | transport)
        words = [str(folder), url, str(count), settings, *map(str, prompt)]
        labeller = subprocess.Popen(
            [sys.executable, "-m", "tests.labelling.buy_many", *words],
            cwd=ROOT,
            env=os.environ | {FOLDER_VARIABLE: str(folder / "journal"), "STUB_API_KEY": "none"},
            stdout=subprocess.PIPE,
            text=True,
        )
        changing = threading.Thread(target=meanwhile, args=(url,), daemon=True)
        changing.start()
        said, _ = labeller.communicate()
        if labeller.returncode:
            raise SystemExit(f"the labeller ended with {labeller.returncode}")
        changing.join()
        states = ledger.entries(folder / "journal")
        unknown = [one["at_most_usd"] for one in states if one["state"].startswith("unknown")]
        return Ran(_seen(folder / "stub.jsonl"), float(said.splitlines()[-1]), unknown)


@contextlib.contextmanager
def _stub(folder: Path, faults: Sequence[Any], options: dict[str, Any]) -> Iterator[str]:
    bounds = {"brief": True, "most_seconds": 3_000, "most_requests": 100_000}
    words = [
        str(folder / "stub.jsonl"),
        json.dumps(list(faults)),
        "0",
        json.dumps(bounds | options),
    ]
    stub = subprocess.Popen(
        [sys.executable, "-m", "tests.labelling.stub_server", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stub.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(stub.stdout.readline())}/v1"
    finally:
        stub.terminate()
        stub.wait()


def _seen(log: Path) -> list[Seen]:
    entries = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return [
        Seen(one["at"], one["question"], one["tokens"], one["paid"], one["refused"])
        for one in entries
        if "question" in one
    ]
