"""An event loop whose time is a number: it jumps to what is due next, so hours take a moment."""

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class TravelLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: with nothing to do it goes to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        if not self._ready and timers:  # type: ignore[attr-defined]
            self.now = max(self.now, timers[0]._when)
        super()._run_once()  # type: ignore[misc]


def travel(work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; `asyncio.get_running_loop().time` is its clock."""
    loop = TravelLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
