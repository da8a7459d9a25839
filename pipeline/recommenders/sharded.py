"""Work on sessions, in one piece or in shards: here, or in workers of Ray Data. Equal bytes.

A work is a pure function from a table of sessions to a table with a row for each. The last bits of
a matrix product depend on how many rows it has and on the threads that share it. So shards end
where the work's own chunks end, and a worker has as many threads as this process.
"""

import io
import logging
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import polars as pl
import torch

from pipeline.errors import ParamsError, PipelineError
from pipeline.params.run import ComputeParams

Work = Callable[[pl.DataFrame], pl.DataFrame]
LOOPBACK = "127.0.0.1"
RETRIES = 2
"""Of a shard whose worker died; Ray Data by itself tries for ever, also what can never fit."""


class Over(Protocol):
    """Does a work on all rows of a table."""

    def __call__(self, work: Work, sessions: pl.DataFrame, unit: int) -> pl.DataFrame:
        """Return the work's rows in the order of ``sessions``.

        Args:
            work: a pure function; it can be sent to another process with all it holds.
            sessions: one row a session.
            unit: rows that the work handles together, counted from the first.
        """
        ...


def here(work: Work, sessions: pl.DataFrame, unit: int) -> pl.DataFrame:  # noqa: ARG001
    """Do the work in one piece, in this process."""
    return work(sessions)


@contextmanager
def engine(params: ComputeParams) -> Iterator[Over]:
    """Give what `compute` in ``params.yaml`` asks for; a Ray of its own ends with the block.

    Raises:
        ParamsError: Ray is asked for and is not installed, or was loaded before in another way.
    """
    if params.engine == "local":
        yield partial(_in_turn, params.shards)
        return
    with _ray(params) as ray:
        yield partial(_through_ray, ray, params)


def cut(sessions: pl.DataFrame, unit: int, count: int) -> list[pl.DataFrame]:
    """Return at most ``count`` shards of whole units (the last may be short), all about as long."""
    units = -(-len(sessions) // unit)
    count = max(1, min(count, units))
    ends = [units * number // count * unit for number in range(count + 1)]
    return [sessions[start:end] for start, end in pairwise(ends)]


def _in_turn(count: int, work: Work, sessions: pl.DataFrame, unit: int) -> pl.DataFrame:
    return pl.concat([work(shard) for shard in cut(sessions, unit, count)])


def _through_ray(
    ray: Any, params: ComputeParams, work: Work, sessions: pl.DataFrame, unit: int
) -> pl.DataFrame:
    """Send each shard as one row: Ray cuts and joins blocks of rows as it likes.

    Raises:
        PipelineError: a worker died, whenever the shard was tried.
    """
    shards = cut(sessions, unit, params.shards)
    threads = torch.get_num_threads()
    rows = [{"shard": number, "table": _packed(shard)} for number, shard in enumerate(shards)]
    table = ray.data.from_items(rows, override_num_blocks=len(rows))
    taken = {"num_cpus": threads, "concurrency": params.workers, "max_retries": RETRIES}
    try:
        done = table.map(partial(_one, work, threads), **taken).take_all()
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        raise PipelineError(
            f"compute: a worker of Ray died {RETRIES + 1} times on one shard, as when memory ends; "
            "give fewer workers or more shards"
        ) from None
    in_order = sorted(done, key=lambda row: int(row["shard"]))
    return pl.concat([_unpacked(row["table"]) for row in in_order])


def _one(work: Work, threads: int, row: dict[str, Any]) -> dict[str, Any]:
    """Do the work on one shard, in a worker."""
    torch.set_num_threads(threads)
    return {"shard": row["shard"], "table": _packed(work(_unpacked(row["table"])))}


def _packed(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc(buffer)
    return buffer.getvalue()


def _unpacked(content: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(content))


@contextmanager
def _ray(params: ComputeParams) -> Iterator[Any]:
    """Give Ray with its data library: a cluster's, or one of its own that ends with the block."""
    local = params.address == "local"
    ray = _imported(local)
    stopping = signal.getsignal(signal.SIGTERM)  # Ray puts its own in place
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        try:
            ray.init(**_options(params, folder))
            if local and (found := ray.util.get_node_ip_address()) != LOOPBACK:
                raise RuntimeError(f"this version of Ray listens on {found}, not on loopback alone")
            ray.data.DataContext.get_current().enable_progress_bars = False
            yield ray
        finally:
            ray.shutdown()
            signal.signal(signal.SIGTERM, stopping)


def _imported(local: bool) -> Any:
    """Return the library, loaded so that it reports to nobody and, if local, is nobody else's."""
    wanted = {"RAY_USAGE_STATS_ENABLED": "0"}
    if local:
        wanted["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # its name for: loopback alone
        wanted["RAY_AUTH_MODE"] = "token"
        if "ray" in sys.modules and any(os.environ.get(name) != wanted[name] for name in wanted):
            raise ParamsError(
                "compute.engine: this program has loaded ray already, which would then be open to "
                "the network; run the stage by its command, or give compute.address"
            )
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else one in the home
    os.environ.update(wanted)  # read once, when the library is loaded
    try:
        import ray  # noqa: PLC0415 - an extra
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise ParamsError(
            f'compute.engine: ray is not installed ({error}); run `pip install -e ".[ray]"` '
            'in the project\'s folder (elsewhere `pip install "distilrec[ray]"`) or give local'
        ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _options(params: ComputeParams, folder: str) -> dict[str, Any]:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if params.address != "local":
        return {"address": params.address, **quiet}
    return {
        "address": "local",
        "num_cpus": params.workers * torch.get_num_threads(),
        "num_gpus": 0,
        "object_store_memory": int(params.memory_gigabytes * 1e9),
        "include_dashboard": False,
        "_temp_dir": folder,
        **quiet,
    }
