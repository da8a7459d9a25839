"""How fast we may ask: requests a minute and requests under way, on a clock that can be replaced.

Requests are let through one by one at even distances, and never so that a window of sixty seconds
holds more than allowed: whoever was late may catch up a little, but only within that.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

WINDOW_SECONDS = 60.0
CATCH_UP_SECONDS = 1.0


class Limiter:
    """Lets one request through at a time, and at most `concurrency` be under way."""

    def __init__(
        self,
        requests_per_minute: int,
        concurrency: int,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._distance = WINDOW_SECONDS / requests_per_minute
        self._passed: deque[float] = deque(maxlen=requests_per_minute)
        self._places = asyncio.Semaphore(concurrency)
        self._turn = asyncio.Lock()
        self._clock, self._sleep = clock, sleep
        self._next = self._held = clock()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and for our turn; the place is free again after the block."""
        async with self._places:
            async with self._turn:
                while (wait := self._due() - self._clock()) > 0:
                    await self._sleep(wait)
                now = self._clock()
                self._passed.append(now)
                self._next = max(self._next, now - CATCH_UP_SECONDS) + self._distance
            yield

    def hold(self, seconds: float) -> None:
        """Let nobody through for a while: the service asked for it."""
        self._held = max(self._held, self._clock() + seconds)

    def _due(self) -> float:
        """Return when the next one may pass."""
        full = len(self._passed) == self._passed.maxlen
        window = self._passed[0] + WINDOW_SECONDS if full else self._next
        return max(self._next, self._held, window)
