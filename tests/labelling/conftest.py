"""A small dataset made by hand, and the stub service."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl
import pytest

from pipeline.labelling.providers.base import Context
from pipeline.params import Params, read_params
from pipeline.params.labelling import LabelParams, LabelTransportParams
from pipeline.paths import Paths, cells
from pipeline.tables import CATALOG, DIFFICULTY, RECORDED_RANKINGS, SELECTED, SESSIONS

if TYPE_CHECKING:
    from tests.labelling.buying import Shop

DATASET = "tiny"
API_KEY = "sk-canary-77aa01"
TITLES = (
    "Space Quest: Dawn",
    "Space Quest: Dusk",
    "Farm Days",
    "Farm Nights",
    "Castle Duel",
    "Castle Duel: Gold Edition",
    "Lonely Planet Racer",
    "Racer Pro",
)
ITEM_SESSIONS = (  # the last item of each is its target
    (1, 2, 3, 4),
    (3, 4, 1, 2),
    (5, 6, 7, 8),
    (7, 8, 5, 6),
    (1, 2, 5, 6),
    (3, 4, 7, 8),  # validation
    (1, 2, 3, 8),  # test
)
PARTS = ("training",) * 5 + ("validation", "test")


@dataclass(frozen=True)
class Stub:
    """The running stub service."""

    url: str
    log: Path

    def seen(self) -> list[dict[str, Any]]:
        """Return every request that reached the server."""
        return [entry for entry in self._entries() if "path" in entry]

    def finished(self) -> dict[str, float]:
        """Return when the server had written the answer to a question."""
        return {one["finished"]: one["at"] for one in self._entries() if "finished" in one}

    def _entries(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def counts(self) -> dict[str, Any]:
        """Return what the server has counted."""
        found: dict[str, Any] = httpx.get(self._own).json()
        return found

    def change(self, **options: Any) -> None:
        """Give the running server other options."""
        httpx.post(self._own, json=options)

    @property
    def _own(self) -> str:
        return self.url.removesuffix("/v1") + "/stub"

    def paid(self) -> list[str]:
        """Return the questions that were paid for, in order."""
        return [entry["question"] for entry in self.seen() if entry.get("paid")]


StartStub = Callable[..., Stub]


@pytest.fixture
def start_stub(tmp_path: Path) -> Iterator[StartStub]:
    """Start the stub with faults and options (`stub_server.Options`); it ends with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*faults: dict[str, Any] | None, delay: float = 0.0, **options: Any) -> Stub:
        log = tmp_path / f"stub-{len(running)}.jsonl"
        words = [str(log), json.dumps(faults), str(delay), json.dumps(options)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.labelling.stub_server", *words],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        return Stub(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log)

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def params(project: Path) -> Params:
    """Return the shipped parameters with one cell and short lists."""
    shipped = read_params(project / "params.yaml")
    label = shipped.label.model_copy(update={"ranking_length": 3, "min_ranking": 2})
    run = shipped.run.model_copy(
        update={"datasets": (DATASET,), "backbones": ("fpmc",), "recipes": ("strong",)}
    )
    return shipped.model_copy(update={"label": label, "run": run})


@pytest.fixture
def label(params: Params) -> LabelParams:
    """Return the section `label`."""
    return params.label


@pytest.fixture
def transport(params: Params) -> LabelTransportParams:
    """Return the section `label_transport`."""
    return params.label_transport


@pytest.fixture
def context(label: LabelParams, transport: LabelTransportParams) -> Context:
    """Return what a provider may know of the small dataset."""
    return Context(DATASET, label, transport, catalog(), sessions(), recorded())


def paying(params: Params, url: str, **transport: Any) -> Params:
    """Return parameters that buy from the stub: a price, a budget, quick retries."""
    label = params.label.model_copy(
        update={"provider": "openai_compatible", "endpoint": "stub", "model": "stub-model"}
    )
    named = {
        "base_url": url,
        "requests_per_minute": 60_000,
        "timeout_seconds": 5.0,
        "retry_seconds": 4.0,
        "budget_usd": 10.0,
        "price_input": 1.0,
        "price_output": 2.0,
        "api_key_variable": "STUB_API_KEY",
    }
    sent = params.label_transport.model_copy(update=named | transport)
    return params.model_copy(update={"label": label, "label_transport": sent})


def catalog() -> pl.DataFrame:
    """Return eight items; raw ids are letters."""
    rows = [(n, "abcdefgh"[n - 1], title, 1) for n, title in enumerate(TITLES, start=1)]
    return pl.DataFrame(rows, schema=CATALOG.columns, orient="row")


def sessions() -> pl.DataFrame:
    """Return five training sessions, one of validation, one of test."""
    rows = [
        (n, part, list(items), None, None)
        for n, (part, items) in enumerate(zip(PARTS, ITEM_SESSIONS, strict=True))
    ]
    return pl.DataFrame(rows, schema=SESSIONS.columns, orient="row")


def recorded() -> pl.DataFrame:
    """Return recorded rankings: one plain, one that repeats and names the session, one of test."""
    rows = [(0, [4, 5, 6, 7]), (2, [8, 8, 5, 1, 2]), (6, [3, 4, 5])]
    return pl.DataFrame(rows, schema=RECORDED_RANKINGS.columns, orient="row")


@pytest.fixture
def paths(tmp_path: Path, params: Params) -> Paths:
    """Return a project folder with everything that `hints` and `label` read."""
    made = Paths(tmp_path / "project")
    CATALOG.write(catalog(), made.sessions(DATASET))
    SESSIONS.write(sessions(), made.sessions(DATASET))
    RECORDED_RANKINGS.write(recorded(), made.sessions(DATASET))
    for cell in cells(params.run, DATASET):
        DIFFICULTY.write(difficulty(), made.difficulty(cell))
        SELECTED.write(selected(), made.selected(cell))
    return made


@pytest.fixture
def shop(
    params: Params, paths: Paths, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> "Shop":
    """Return the small project beside a service that sells to it; the service is not up yet."""
    from tests.labelling.buying import Shop  # noqa: PLC0415 - it needs this module

    monkeypatch.setenv("STUB_API_KEY", API_KEY)
    return Shop(params, paths, start_stub)


def difficulty() -> pl.DataFrame:
    """Return the teacher's candidates of the training sessions: all items outside the session."""
    rows = [(n, -0.5, _outside(items), 1, -1) for n, items in enumerate(ITEM_SESSIONS[:5])]
    return pl.DataFrame(rows, schema=DIFFICULTY.columns, orient="row")


def selected(session_ids: tuple[int, ...] = (0, 2, 4)) -> pl.DataFrame:
    """Return a selection of training sessions."""
    rows = [(n, n + 1, -0.5, 0.6, _outside(ITEM_SESSIONS[n])) for n in session_ids]
    return pl.DataFrame(rows, schema=SELECTED.columns, orient="row")


def _outside(items: tuple[int, ...]) -> list[int]:
    return [item for item in range(1, 9) if item not in items[:-1]]
