"""Units in processes of their own, each with one thread: what is cut off is only what runs.

A worker is given one unit at a time over a pipe. One that dies (killed, out of memory, a bug) fails
its unit, and another is started in its place. Workers end by themselves when the process that
started them is gone, however it ended.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

from pipeline import console
from pipeline.errors import PipelineError

LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
TICK = 1.0
"""Seconds between looks at the clock."""


@dataclass(frozen=True)
class Task:
    """A unit as the processes see it."""

    key: str
    needs: tuple[str, ...]
    payload: Any = None


@dataclass(frozen=True)
class Ended:
    """A task that is over, and why if it failed."""

    task: Task
    reason: str | None


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Any
    task: Task | None = None


def run(
    tasks: Sequence[Task], make: Callable[[Any], None], done: Callable[[str], bool], count: int
) -> Iterator[Ended | None]:
    """Make tasks in their order as their needs are finished; yield those that ended.

    Nothing (None) is yielded about once a second, so that whoever watches can show the time. What
    needs a failed task is never made, and is not yielded.

    Args:
        tasks: needs first; of equal keys the first counts.
        make: a function of a module, or a `functools.partial` of one; called in the workers.
        done: whether a task is finished already, and need not be made.
        count: of processes.
    """
    waiting = {task.key: task for task in tasks if not done(task.key)}
    missing = set(waiting)
    workers: list[_Worker] = []
    try:
        while waiting or any(one.task for one in workers):
            _give(workers, waiting, missing, make, count)
            busy = [one for one in workers if one.task]
            if not busy:
                return  # all that is left needs something that failed
            ready = connection.wait([one.pipe for one in busy], TICK)
            for one in busy:
                if one.pipe in ready and one.task:
                    ended, one.task = _result(one, one.task), None
                    if ended.reason is None:
                        missing.discard(ended.task.key)
                    yield ended
            workers = [one for one in workers if one.process.is_alive()]
            yield None
    finally:
        _stop(workers)


def _give(
    workers: list[_Worker],
    waiting: dict[str, Task],
    missing: set[str],
    make: Callable[[Any], None],
    count: int,
) -> None:
    """Give every free worker the first task whose needs are finished; start workers for more."""
    while True:
        ready = next((one for one in waiting.values() if not missing & set(one.needs)), None)
        free = next((one for one in workers if one.task is None), None)
        if ready is None or (free is None and len(workers) >= count):
            return
        if free is None:
            free = _started(make)
            workers.append(free)
        free.task = waiting.pop(ready.key)
        free.pipe.send(ready.payload)


def _started(make: Callable[[Any], None]) -> _Worker:
    context = multiprocessing.get_context("spawn")  # torch does not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, make, os.getpid()), daemon=True)
    with _one_thread():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _result(worker: _Worker, task: Task) -> Ended:
    try:
        return Ended(task, worker.pipe.recv())
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode
        return Ended(task, f"its process ended (status {code}); the lines above may say why")


def _stop(workers: Sequence[_Worker]) -> None:
    for one in workers:
        one.process.terminate()
    for one in workers:
        one.process.join()
        one.pipe.close()


def _work(pipe: Any, make: Callable[[Any], None], parent: int) -> None:
    """Make what comes through a pipe until it is closed; a bug ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started us decides
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    console.err.quiet = True  # several bars at once are none; a traceback is still seen
    while True:
        try:
            payload = pipe.recv()
        except EOFError:
            return
        reason = None
        try:
            make(payload)
        except (PipelineError, OSError) as error:  # the disk is full
            reason = str(error)
        pipe.send(reason)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(TICK)
    os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have what is started here start with one thread in every library."""
    before: Mapping[str, str | None] = {name: os.environ.get(name) for name in LIBRARIES}
    os.environ.update(dict.fromkeys(LIBRARIES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
