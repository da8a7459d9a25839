"""How fast we may ask: requests a minute and requests under way, on a clock that can be replaced.

Requests are let through at even distances, so no window of sixty seconds holds more than allowed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Limiter:
    """Lets one request through at a time, and at most `concurrency` be under way."""

    def __init__(
        self,
        requests_per_minute: int,
        concurrency: int,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._distance = 60 / requests_per_minute
        self._places = asyncio.Semaphore(concurrency)
        self._clock, self._sleep = clock, sleep
        self._next = clock()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and for our turn; the place is free again after the block."""
        async with self._places:
            turn = max(self._clock(), self._next)
            self._next = turn + self._distance  # taken before waiting: turns are never shared
            while (wait := max(turn, self._held) - self._clock()) > 0:
                await self._sleep(wait)
            yield

    _held = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody through for a while: the service asked for it."""
        self._held = max(self._held, self._clock() + seconds)
        self._next = max(self._next, self._held)
