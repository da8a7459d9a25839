"""The limiter on a clock of its own: no window of a minute holds more than allowed."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.limiter import Limiter


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0.0)
        await asyncio.sleep(0)


def sent(limit: int, concurrency: int, count: int, work: float = 0.0) -> list[float]:
    """Return when each of some requests was let through."""
    time = Time()
    times: list[float] = []

    async def one(limiter: Limiter) -> None:
        async with limiter.place():
            times.append(time.now)
            time.now += work

    async def run() -> None:
        limiter = Limiter(limit, concurrency, time.clock, time.sleep)
        await asyncio.gather(*(one(limiter) for _ in range(count)))

    asyncio.run(run())
    return sorted(times)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 200))
def test_no_minute_holds_more_than_allowed(limit: int, concurrency: int, count: int) -> None:
    times = sent(limit, concurrency, count)
    for start in times:
        assert sum(start <= one < start + 60 - 1e-6 for one in times) <= limit


def test_the_allowed_rate_is_used() -> None:
    times = sent(120, 16, 240)
    assert times[-1] - times[0] == 239 * 0.5


def test_no_more_than_allowed_are_under_way() -> None:
    under_way = most = 0

    async def one(limiter: Limiter) -> None:
        nonlocal under_way, most
        async with limiter.place():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

    async def run() -> None:
        limiter = Limiter(10**9, 3)
        await asyncio.gather(*(one(limiter) for _ in range(30)))

    asyncio.run(run())
    assert most == 3


def test_nobody_is_let_through_while_the_service_asked_for_patience() -> None:
    time = Time()

    async def run() -> float:
        limiter = Limiter(6000, 4, time.clock, time.sleep)
        limiter.hold(30.0)
        async with limiter.place():
            return time.now

    assert asyncio.run(run()) == 130.0
