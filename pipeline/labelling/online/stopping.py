"""When to stop: Ctrl-C, a request to end, and a parent that died.

The first signal asks to drain: nothing new is sent, what is under way is awaited and saved. The
second one stops now. A labeller whose parent died (somebody killed `dvc` alone) would go on paying
while the next `dvc repro` is refused; it drains for `ORPHAN_SECONDS` and then stops now.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

import psutil

from pipeline import console
from pipeline.errors import LabelError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.5
ORPHAN_SECONDS = 3.0
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash", "ksh", "fish"})


class Stopped(LabelError):  # noqa: N818 - the word of the labelling contract
    """The run was asked to stop, and did; what was answered is saved."""

    def __init__(self, why: str, status: int, unknown: str = "") -> None:
        """Say why, and what is not known of what was under way if it was not awaited."""
        saved = f"{why}; what was answered is saved, and the same command goes on from it"
        super().__init__("; ".join(part for part in (saved, unknown) if part))
        self.why, self.status = why, status


class Stopping:
    """Runs work that heeds `wanted`, and cancels it where it must stop now."""

    def __init__(
        self,
        told: Callable[[], str],
        say: Callable[[str], None] = console.note,
        starters: Sequence[psutil.Process] | None = None,
    ) -> None:
        """Prepare to stop.

        Args:
            told: what is awaited from the first signal on, in words.
            say: where those words go.
            starters: whose end is ours; those of this process if none are given.
        """
        self.wanted = asyncio.Event()
        """Set: nothing new may be begun."""
        self._told, self._say = told, say
        self._starters = STARTERS if starters is None else starters
        self._why: Stopped | None = None
        self._now = False

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the work to its end.

        Raises:
            Stopped: it was asked to stop; by now it has.
        """
        task = asyncio.ensure_future(work)
        watch = asyncio.create_task(self._watch_starters(task))
        try:
            with self._signals(task):
                await task
        except asyncio.CancelledError:
            if not self._now:  # somebody else's doing
                raise
        finally:
            watch.cancel()
        if self._why is not None:
            raise self._why

    @contextlib.contextmanager
    def _signals(self, task: asyncio.Future[None]) -> Iterator[None]:
        """Catch signals during the block, unless whoever started us had them ignored (nohup)."""
        loop, before = asyncio.get_running_loop(), {}
        if threading.current_thread() is threading.main_thread():
            found = {one: signal.getsignal(one) for one in SIGNALS}
            before = {one: kept for one, kept in found.items() if kept is not signal.SIG_IGN}
        for one in before:
            loop.add_signal_handler(one, self._asked, one, task)
        try:
            yield
        finally:
            for one, kept in before.items():
                loop.remove_signal_handler(one)
                signal.signal(one, kept)

    def _asked(self, number: signal.Signals, task: asyncio.Future[None]) -> None:
        if self._why is not None:
            self._stop_now(task)
            return
        name = "Ctrl-C" if number is signal.SIGINT else number.name
        self._drain(Stopped(f"stopped by {name}", 128 + number))
        self._tell(f"stopping: {self._told()}; {name} again stops now")

    async def _watch_starters(self, task: asyncio.Future[None]) -> None:
        while (gone := next((one for one in self._starters if not _lives(one)), None)) is None:
            await asyncio.sleep(LOOK_SECONDS)
        self._drain(Stopped(f"the process that started this one ({gone.pid}) has ended", 1))
        self._tell(f"stopping: the process that started this one has ended; {self._told()}")
        await asyncio.sleep(ORPHAN_SECONDS)
        self._stop_now(task)

    def _drain(self, why: Stopped) -> None:
        self._why = self._why or why
        self.wanted.set()

    def _stop_now(self, task: asyncio.Future[None]) -> None:
        self._now = True
        task.cancel()

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone as well
            self._say(text)


def starters_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes whose end leaves a process without anybody who waits for it.

    DVC runs a stage as ``sh -c COMMAND``, and with some shells that shell stays in between and
    outlives a killed `dvc`: so beyond such shells we look on. A command that was typed has the
    terminal's shell as its starter; under `nohup` it is meant to outlive that.
    """
    found: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        for one in process.parents():
            found.append(one)
            if not (_is_shell(one) and "-c" in one.cmdline()):
                break
        if found and _is_shell(found[-1]) and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            found.pop()
    return found


def _is_shell(process: psutil.Process) -> bool:
    name: str = process.name()
    return name.lstrip("-") in SHELLS


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


STARTERS = starters_of(psutil.Process())
"""Ours. Looked up when this module is loaded: when sending begins, they may be gone already."""
