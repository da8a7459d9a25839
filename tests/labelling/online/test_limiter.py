"""The limiter on a clock of its own: no window of a minute holds more than allowed."""

import asyncio
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.online.announced import Allowance, Announced
from pipeline.labelling.online.limiter import SAFETY_SECONDS, WINDOW_SECONDS, Limiter, Passed
from tests.labelling.travel import travel

SILENT = Allowance()


@dataclass(frozen=True)
class Seen:
    """A request as the service saw it."""

    at: float
    tokens: float
    number: int


@dataclass(frozen=True)
class Wanted:
    """A request to be sent: its most tokens, its real ones, how long it takes, how late it gets."""

    most: float
    tokens: float
    seconds: float
    late: float


def limiter(requests: float, concurrency: int, tokens: float | None = None) -> Limiter:
    """Return a limiter on the running loop's time."""
    return Limiter(requests, concurrency, tokens, asyncio.get_running_loop().time)


def sent(
    limit: float,
    concurrency: int,
    tokens: float | None,
    all_: Sequence[Wanted],
    held: float = 0.0,
) -> list[Seen]:
    """Return the requests as the service saw them, in the order of their being let through."""

    async def run() -> list[Seen]:
        seen: list[Seen] = []
        found = limiter(limit, concurrency, tokens)
        found.hold(held)
        loop = asyncio.get_running_loop()

        async def one(number: int, wanted: Wanted) -> None:
            async with found.place(wanted.most) as passed:
                seen.append(Seen(loop.time() + wanted.late, wanted.tokens, number))
                await asyncio.sleep(wanted.seconds)
                found.settle(passed, wanted.tokens)

        await asyncio.gather(*(one(n, wanted) for n, wanted in enumerate(all_)))
        return seen

    return travel(run())


def fullest(seen: Sequence[Seen]) -> tuple[int, float]:
    """Return the most requests and the most tokens in any minute."""
    ordered = sorted(seen, key=lambda one: one.at)
    times = [one.at for one in ordered]
    sums = [0.0]
    for one in ordered:
        sums.append(sums[-1] + one.tokens)
    ends = [bisect_left(times, at + WINDOW_SECONDS) for at in times]
    counts = [end - start for start, end in enumerate(ends)]
    return max(counts), max(sums[end] - sums[start] for start, end in enumerate(ends))


@st.composite
def wanted(draw: st.DrawFn, largest: float) -> Wanted:
    most = draw(st.floats(1, largest))
    return Wanted(
        most,
        most * draw(st.floats(0.3, 1)),
        draw(st.sampled_from([0.0, 0.01, 1.0, 20.0])),
        draw(st.floats(0, 0.99 * SAFETY_SECONDS)),
    )


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 300), st.integers(1, 40), st.integers(50, 20_000))
def test_no_minute_holds_more_than_allowed_as_the_service_counts(
    data: st.DataObject, limit: int, concurrency: int, tokens: int
) -> None:
    asked = data.draw(st.lists(wanted(tokens), min_size=1, max_size=200))
    seen = sent(limit, concurrency, tokens, asked)
    most_requests, most_tokens = fullest(seen)
    assert most_requests <= limit
    assert most_tokens <= tokens * (1 + 1e-9)


def test_catching_up_after_a_pause_fills_no_minute_beyond_the_limit() -> None:
    """The first ones arrive as late as can be, so that the next ones seem to come sooner."""
    late = [Wanted(0, 0, 0, 0.99 * SAFETY_SECONDS)] * 15
    seen = sent(600, 50, None, late + [Wanted(0, 0, 0, 0)] * 700, held=5.0)
    assert seen[9].at - seen[0].at < 0.1  # they do catch up
    assert fullest(seen)[0] <= 600


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(1, 300), st.integers(1, 40), st.integers(50, 20_000))
def test_nobody_starves_and_nobody_is_overtaken(
    data: st.DataObject, limit: int, concurrency: int, tokens: int
) -> None:
    asked = data.draw(st.lists(wanted(2.0 * tokens), min_size=1, max_size=100))
    seen = sent(limit, concurrency, tokens, asked)
    assert [one.number for one in seen] == list(range(len(asked)))


def rate(seen: Sequence[Seen], start: float = 10.0) -> tuple[float, float]:
    """Return requests and tokens a minute after the first seconds."""
    later = [one for one in seen if one.at >= seen[0].at + start]
    minutes = (later[-1].at - later[0].at) / 60
    return (len(later) - 1) / minutes, sum(one.tokens for one in later[1:]) / minutes


@pytest.mark.parametrize("limit", [10, 120, 500, 3_000])
def test_the_allowed_requests_are_used(limit: int) -> None:
    requests, _ = rate(sent(limit, 500, None, [Wanted(0, 0, 2.0, 0)] * (3 * limit)), 0)
    assert 0.95 * limit <= requests <= limit


def test_both_limits_are_used_where_both_bind() -> None:
    """Requests of 300 and 500 tokens against 500 requests and 200,000 tokens a minute."""
    drawn = random.Random(1)  # noqa: S311 - times hide nothing
    asked = [Wanted(size, size, drawn.uniform(1, 3), 0) for size in (300.0, 500.0) * 1_000]
    requests, tokens = rate(sent(500, 64, 200_000, asked))
    assert 0.95 * 500 <= requests <= 500
    assert 0.95 * 200_000 <= tokens <= 200_000


def test_tokens_that_were_expected_and_not_used_are_given_back() -> None:
    asked = [Wanted(600, 400, 2.0, 0)] * 1_500
    _, tokens = rate(sent(100_000, 64, 100_000, asked), 20)
    assert tokens >= 0.95 * 100_000


def test_a_request_above_the_limit_passes_alone() -> None:
    seen = sent(100, 8, 1_000, [Wanted(900, 900, 0, 0), Wanted(5_000, 900, 0, 0)])
    assert seen[1].at - seen[0].at >= 60


def test_no_more_than_allowed_are_under_way() -> None:
    under_way = most = 0

    async def run() -> None:
        found = limiter(10**9, 3)

        async def one() -> None:
            nonlocal under_way, most
            async with found.place():
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(1)
                under_way -= 1

        await asyncio.gather(*(one() for _ in range(30)))

    travel(run())
    assert most == 3


def test_a_place_is_free_again_after_an_error_and_after_a_cancelled_wait() -> None:
    async def run() -> float:
        found, loop = limiter(60, 1), asyncio.get_running_loop()
        with pytest.raises(ValueError, match="it failed"):
            async with found.place():
                raise ValueError("it failed")
        waiting = asyncio.create_task(found.place().__aenter__())
        await asyncio.sleep(0.1)
        waiting.cancel()
        async with found.place():
            return loop.time()

    assert 101 <= travel(run()) < 103


def test_nobody_is_let_through_while_the_service_asked_for_patience() -> None:
    async def run() -> float:
        found = limiter(6000, 4)
        found.hold(30.0)
        async with found.place():
            return asyncio.get_running_loop().time()

    assert travel(run()) == pytest.approx(130.0)


async def paced(found: Limiter, seconds: float) -> tuple[float, Passed]:
    """Return the requests a minute that pass now, and the last one."""
    loop = asyncio.get_running_loop()
    start, count = loop.time(), 0
    while loop.time() < start + seconds:
        async with found.place(1.0) as passed:
            count += 1
    return count / (loop.time() - start) * 60, passed


def said(requests: float, left: float | None = None, reset: float | None = None) -> Announced:
    return Announced(Allowance(requests, left, reset), SILENT)


def test_a_lower_limit_that_is_announced_holds_and_ends_with_the_announcement() -> None:
    async def run() -> list[float]:
        found = limiter(600, 4)
        rates = []
        for limit in (1_000, 120, 300, 9_000):
            _, passed = await paced(found, 1)
            found.learn(said(limit), passed)
            rates.append((await paced(found, 10))[0])
        return rates

    assert travel(run()) == pytest.approx([585, 117, 293, 585], rel=0.1)


def test_announced_tokens_hold_too() -> None:
    async def run() -> float:
        found = limiter(600, 4)
        _, passed = await paced(found, 1)
        found.learn(Announced(SILENT, Allowance(60.0)), passed)
        return (await paced(found, 30))[0]

    assert travel(run()) == pytest.approx(58.5, rel=0.1)


def test_a_service_that_has_nothing_left_is_given_the_time_to_refill_one() -> None:
    async def run() -> float:
        found, loop = limiter(6_000, 4), asyncio.get_running_loop()
        _, passed = await paced(found, 1)
        start = loop.time()
        found.learn(said(60, left=0, reset=60), passed)
        async with found.place():
            return loop.time() - start

    assert travel(run()) == pytest.approx(1.0)


def test_refusals_without_announcement_slow_down_and_the_rate_comes_back() -> None:
    async def run() -> list[float]:
        found = limiter(600, 4)
        rate_before, passed = await paced(found, 5)
        for _ in range(5):  # of one moment: they count once
            found.slow_down(passed)
        rate_after, _ = await paced(found, 5)
        await asyncio.sleep(30)
        return [rate_before, rate_after, (await paced(found, 40))[0]]

    assert travel(run()) == pytest.approx([600, 0.71 * 585, 600], rel=0.1)


def test_a_refused_request_from_before_a_change_says_nothing_about_the_new_rate() -> None:
    async def run() -> float:
        found = limiter(600, 4)
        _, old = await paced(found, 5)
        found.learn(said(300), old)
        found.slow_down(old)
        return (await paced(found, 10))[0]

    assert travel(run()) == pytest.approx(293, rel=0.1)


def test_a_service_of_half_our_rate_is_found_and_mostly_used() -> None:
    """Evenly filled, announcing nothing: the refusals cost little and end by themselves."""

    async def run() -> tuple[float, int]:
        found, loop = limiter(600, 8), asyncio.get_running_loop()
        level, at, served, refused = 0.0, loop.time(), 0, 0
        start = loop.time()
        while loop.time() < start + 300:
            async with found.place() as passed:
                level = max(0.0, level - (loop.time() - at) * 5)  # 300 a minute
                at = loop.time()
                if level > 5:
                    refused += 1
                    found.slow_down(passed)
                else:
                    level, served = level + 1, served + 1
        return served / 5, refused

    served, refused = travel(run())
    assert served > 0.8 * 300
    assert refused < 40
