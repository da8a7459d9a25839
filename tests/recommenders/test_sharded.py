"""Work over shards of sessions gives the bytes of one process, here and in workers of Ray."""

import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import polars as pl
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from benchmarks.workload import made
from pipeline.errors import ParamsError, PipelineError
from pipeline.params import Params
from pipeline.params.run import ComputeParams
from pipeline.paths import Cell, Paths
from pipeline.recommenders import ranking, registry, sharded
from pipeline.recommenders.crossfit import SESSIONS_AT_ONCE
from pipeline.stages import difficulty, evaluate
from pipeline.tables import CATALOG, LABELLED, SELECTED, SESSIONS
from tests.recommenders.toys import OWN, ROLE, SHIPPED, fit_params, untrained

CELL = Cell("made", "fpmc", "strong", 1)
ITEMS, SESSIONS_MADE = 3_000, 8_000
RAY = ComputeParams(engine="ray", shards=2, workers=2, memory_gigabytes=0.2)
pytestmark = pytest.mark.xdist_group("ray")  # one start of Ray serves them all


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 12))
def test_shards_are_whole_units_and_together_the_table(rows: int, unit: int, count: int) -> None:
    table = pl.DataFrame({"row": range(rows)})
    shards = sharded.cut(table, unit, count)
    assert_frame_equal(pl.concat(shards), table)
    assert all(len(shard) % unit == 0 for shard in shards[:-1])
    assert len(shards) == max(1, min(count, -(-rows // unit)))
    assert max(map(len, shards)) - min(map(len, shards)) < 2 * unit


def as_made(shipped: Params) -> Params:
    """Return the shipped parameters with a section for the made dataset."""
    dataset = {**shipped.dataset, "made": shipped.dataset["tiny"]}
    return shipped.model_copy(update={"dataset": dataset})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Return a cell whose training and test parts are both more than one chunk long."""
    paths, work = Paths(tmp_path_factory.mktemp("made")), made(SESSIONS_MADE, ITEMS)
    parts = work.sessions["part"].value_counts()
    counts = {str(part): int(rows) for part, rows in parts.iter_rows()}
    assert counts["training"] > SESSIONS_AT_ONCE > ranking.sessions_at_once(ITEMS)
    assert counts["test"] > ranking.sessions_at_once(ITEMS)
    SESSIONS.write(work.sessions, paths.sessions("made"))
    names = [str(item) for item in range(1, ITEMS + 1)]
    rows = {"item_index": range(1, ITEMS + 1), "item_id": names, "title": names}
    counted = {"training_events": [1] * ITEMS}
    CATALOG.write(pl.DataFrame(rows | counted, CATALOG.columns), paths.sessions("made"))
    LABELLED.write(LABELLED.empty(), paths.labelled(CELL))
    SELECTED.write(SELECTED.empty(), paths.selected(CELL))
    for seed, folder in enumerate([paths.teacher(CELL)]):
        fit = fit_params("strong")
        described = registry.describe("fpmc", ITEMS, fit, ROLE, OWN.fpmc)
        model = untrained("fpmc", fit, seed=seed, n_items=ITEMS)
        registry.save_neural(folder, model, described)
    return paths


@dataclass(frozen=True)
class Run:
    """What a process wrote, and what it saw of Ray on the way."""

    files: dict[str, bytes]
    addresses: frozenset[str]
    left: list[psutil.Process]


def written(params: Params, paths: Paths) -> dict[str, bytes]:
    """Return the bytes of what both stages write."""
    difficulty.run(params, paths, CELL)
    evaluate.run(params, paths, CELL)
    folders = (paths.difficulty(CELL), paths.metrics(CELL).parent)
    found = [one for folder in folders for one in sorted(folder.rglob("*")) if one.is_file()]
    return {str(one.relative_to(paths.root)): one.read_bytes() for one in found}


@pytest.fixture(scope="module")
def through_ray(paths: Paths) -> Run:
    """Return what both stages write in one start of Ray."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra `ray` is not installed")
    others = set(psutil.Process().children(recursive=True))  # of tests that ran before
    with sharded.engine(RAY) as over, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharded, "engine", lambda _: nullcontext(over))
        files = written(as_made(SHIPPED), paths)
        started = list(set(psutil.Process().children(recursive=True)) - others)
        addresses = frozenset(one for process in started for one in ends(process))
    _, left = psutil.wait_procs(started, timeout=10)
    return Run(files, addresses, left)


def ends(process: psutil.Process) -> Iterator[str]:
    """Yield the addresses at both ends of a process's sockets, those it listens at included."""
    try:
        for socket in process.net_connections("inet"):
            yield from (
                end.ip.removeprefix("::ffff:") for end in (socket.laddr, socket.raddr) if end
            )
    except psutil.NoSuchProcess:
        return


def test_shards_in_one_process_write_the_same_bytes(paths: Paths) -> None:
    whole = written(as_made(SHIPPED), paths)
    cut = as_made(SHIPPED).model_copy(update={"compute": ComputeParams(shards=3)})
    assert written(cut, paths) == whole
    assert any(name.endswith("difficulty.parquet") for name in whole)
    assert any(name.endswith("ranks.parquet") for name in whole)


def test_ray_writes_the_same_bytes(paths: Paths, through_ray: Run) -> None:
    assert written(as_made(SHIPPED), paths) == through_ray.files


def test_ray_stays_on_loopback_and_ends(through_ray: Run) -> None:
    assert through_ray.addresses == {"127.0.0.1"}
    assert through_ray.left == []


def test_ray_reports_to_nobody_and_leaves_the_signals_as_they_were(through_ray: Run) -> None:
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with pytest.raises(ParamsError, match=r"pip install \"distilrec\[ray\]\""), sharded.engine(RAY):
        pass


def test_a_ray_that_was_loaded_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", raising=False)
    with pytest.raises(ParamsError, match="open to the network"), sharded.engine(RAY):
        pass


def test_a_worker_that_always_dies_is_one_line_after_three_tries() -> None:
    class WorkerCrashedError(Exception):
        pass

    def died() -> None:
        raise WorkerCrashedError

    tries: list[int] = []

    def mapped(_: object, *, max_retries: int, **others: int) -> SimpleNamespace:
        tries.append(max_retries)
        return SimpleNamespace(take_all=died)

    errors = SimpleNamespace(WorkerCrashedError=WorkerCrashedError, OutOfMemoryError=MemoryError)
    data = SimpleNamespace(from_items=lambda *_, **__: SimpleNamespace(map=mapped))
    ray = SimpleNamespace(data=data, exceptions=errors)
    with pytest.raises(PipelineError, match=r"died 3 times on one shard.*; give fewer workers"):
        sharded._through_ray(ray, RAY, lambda table: table, pl.DataFrame({"row": [1, 2]}), 1)
    assert tries == [2]  # Ray Data's own default is for ever


def test_a_shard_is_done_with_the_threads_it_is_given() -> None:
    before = torch.get_num_threads()
    row: dict[str, Any] = {"shard": 3, "table": sharded._packed(pl.DataFrame({"row": [1, 2]}))}

    def told(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(threads=torch.get_num_threads())

    try:
        done = sharded._one(told, before + 1, row)
    finally:
        torch.set_num_threads(before)
    assert done["shard"] == 3
    assert sharded._unpacked(done["table"]).rows() == [(1, before + 1), (2, before + 1)]
