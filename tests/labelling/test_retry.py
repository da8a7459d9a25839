"""The retry policy: what is tried again, after how long, for how long."""

import asyncio
from datetime import UTC, datetime

import pytest

from pipeline.labelling.retry import TryAgain, is_retried, policy, retry_after
from tests.labelling.test_limiter import Time

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert is_retried(status)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_what_will_not_pass_is_not(status: int) -> None:
    assert not is_retried(status)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Sun, 01 Mar 2026 12:00:20 GMT", 20.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("1e9", 1e9),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("99 Foo 2026", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_no_retry_after_is_none() -> None:
    assert retry_after({}, NOW) is None


def tried(*faults: TryAgain | None, total: float = 600) -> tuple[Time, int, str]:
    """Run the policy over attempts that end so; return the clock, the attempts and the end."""
    time, left, count = Time(), list(faults), 0

    async def attempt() -> None:
        nonlocal count
        count += 1
        fault = left.pop(0) if left else faults[-1]
        if fault is not None:
            raise fault

    async def run() -> str:
        try:
            await policy(total, time.clock, time.sleep)(attempt)
        except TryAgain as fault:
            return fault.why
        return "answered"

    end = asyncio.run(run())
    return time, count, end


def test_an_attempt_that_fails_is_made_again_until_one_is_answered() -> None:
    _, count, end = tried(TryAgain("http 500"), TryAgain("timeout"), None)
    assert (count, end) == (3, "answered")


def test_what_the_service_asked_for_is_waited() -> None:
    time, _, _ = tried(TryAgain("rate limit", wait=7.0), None)
    assert time.slept == [7.0]


def test_a_service_that_asks_for_no_wait_is_not_asked_without_end() -> None:
    no_wait = [TryAgain("rate limit", wait=0.0)] * 30
    time, count, end = tried(*no_wait, None, total=60)
    assert (count, end) == (len(time.slept) + 1, "rate limit")
    assert count < 30


def test_waits_grow_and_stay_bounded() -> None:
    time, count, end = tried(TryAgain("http 503"), total=600)
    assert end == "http 503"
    assert count > 10
    assert max(time.slept) <= 60
    assert sum(time.slept) <= 600


def test_a_wait_that_would_end_too_late_is_not_begun() -> None:
    time, count, end = tried(TryAgain("rate limit", wait=1e9))
    assert (time.slept, count, end) == ([], 1, "rate limit")


def test_zero_seconds_mean_one_attempt() -> None:
    assert tried(TryAgain("http 500", wait=1.0), total=0)[1] == 1
