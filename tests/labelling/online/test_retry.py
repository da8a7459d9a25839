"""The retry policy: what is tried again, after how long, for how long."""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.online.retry import TryAgain, is_retried, policy, retry_after
from pipeline.labelling.online.transport import Reply
from pipeline.labelling.providers.base import Context
from pipeline.labelling.providers.openai_compatible import OpenAICompatible
from pipeline.labelling.request import Answer
from tests.labelling.buy_many import requests

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


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
        ("Sun, 01 Mar 99999 11:00:00 GMT", None),
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


STOPS, GIVES_UP = "stops the run", "gives up"
REQUESTS, TOKENS = "x-ratelimit-{}-requests", "x-ratelimit-{}-tokens"


def limit(name: str, left: str, reset: str, most: str = "") -> dict[str, str]:
    """Return the headers of a limit."""
    said = {"remaining": left, "reset": reset, "limit": most}
    return {name.format(what): value for what, value in said.items() if value}


def after(text: str) -> dict[str, str]:
    return {"Retry-After": text}


def milliseconds(text: str) -> dict[str, str]:
    return {"retry-after-ms": text}


WAITS: list[tuple[int, Mapping[str, str], float | str]] = [
    # without a header the first wait is at most a second
    (408, {}, 1.0),
    (409, {}, 1.0),
    (429, {}, 1.0),
    (500, {}, 1.0),
    (502, {}, 1.0),
    (503, {}, 1.0),
    (504, {}, 1.0),
    (520, {}, 1.0),
    (529, {}, 1.0),
    # what is asked for is waited, and never less than without being asked
    (429, after("7"), 7.0),
    (429, after("7.5"), 7.5),
    (429, after("0"), 1.0),
    (429, after("0.25"), 1.0),
    (429, after("-4"), 1.0),
    (429, after("soon"), 1.0),
    (429, after(""), 1.0),
    (429, after("inf"), 1.0),
    (429, after("nan"), 1.0),
    (429, after("Sun, 01 Mar 2020 12:00:00 GMT"), 1.0),
    (429, after("+30 s"), 30.0),  # a date, made when the test runs
    (408, after("2"), 2.0),
    (503, after("12"), 12.0),
    (529, after("90"), 90.0),
    # longer than we are patient
    (429, after("601"), GIVES_UP),
    (503, after("1e9"), GIVES_UP),
    (429, after("Sun, 01 Mar 2099 12:00:00 GMT"), GIVES_UP),
    # milliseconds are more exact than seconds
    (429, milliseconds("2500"), 2.5),
    (429, milliseconds("100"), 1.0),
    (429, milliseconds("1500") | after("9"), 1.5),
    (429, milliseconds("x") | after("3"), 3.0),
    (500, milliseconds("4000"), 4.0),
    # where nothing is asked for, a limit that is used up tells when it refills
    (429, limit(REQUESTS, "0", "20s"), 20.0),
    (429, limit(REQUESTS, "0", "1m0s", "10"), 6.0),
    (429, limit(REQUESTS, "0", "12ms"), 1.0),
    (429, limit(REQUESTS, "5", "20s"), 1.0),
    (429, limit(TOKENS, "0", "45"), 45.0),
    (429, limit(TOKENS, "0", "1h0m0s"), GIVES_UP),
    (429, limit(TOKENS, "0", "soon"), 1.0),
    (429, limit(REQUESTS, "0", "20s") | after("3"), 3.0),
    # no wait mends these
    (307, {}, STOPS),
    (400, {}, STOPS),
    (401, after("5"), STOPS),
    (402, {}, STOPS),
    (403, {}, STOPS),
    (404, {}, STOPS),
    (413, {}, STOPS),
    (422, {}, STOPS),
]


@dataclass
class Wire:
    """A service that refuses once, or as often as it is told to, and then answers."""

    refusals: list[Reply]

    async def post(self, body: bytes) -> Reply:
        if self.refusals:
            return self.refusals.pop(0)
        answered = {"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}
        return Reply(200, {}, json.dumps(answered))

    async def close(self) -> None:
        """Nothing is open."""


def asked(context: Context, *refusals: Reply) -> tuple[list[float], str]:
    """Return what was waited and how it ended."""
    time, provider = Time(), OpenAICompatible(context, lambda _: Wire(list(refusals)))

    async def run() -> str:
        try:
            retrying = policy(600, time.clock, time.sleep)
            answer: Answer = await retrying(provider.answer, requests(1)[0])
        except TryAgain:
            return GIVES_UP
        except LabelError:
            return STOPS
        return answer.response

    return time.slept, asyncio.run(run())


@pytest.fixture
def most_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the jitter be as long as it can be."""
    monkeypatch.setattr(random, "uniform", lambda _, most: most)


@pytest.mark.usefixtures("most_jitter")
@pytest.mark.parametrize(("status", "headers", "expected"), WAITS)
def test_a_status_and_a_header_mean_this_wait(
    context: Context, status: int, headers: dict[str, str], expected: float | str
) -> None:
    if headers.get("Retry-After") == "+30 s":
        later = datetime.now(UTC) + timedelta(seconds=30)
        headers = after(format_datetime(later, usegmt=True))
    lower = {name.lower(): value for name, value in headers.items()}
    slept, end = asked(context, Reply(status, lower, ""))
    if isinstance(expected, str):
        assert (slept, end) == ([], expected)
    else:
        assert end == "ok"
        assert slept == [pytest.approx(expected, abs=1.0 if expected == 30.0 else 1e-9)]


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_not_active"])
def test_an_empty_account_stops_although_its_status_may_pass(context: Context, code: str) -> None:
    for error in ({"code": code}, {"code": "429", "type": code}):
        refusal = Reply(429, {"retry-after": "1"}, json.dumps({"error": error}))
        assert asked(context, refusal) == ([], STOPS)


@pytest.mark.usefixtures("most_jitter")
def test_waits_double_up_to_a_minute(context: Context) -> None:
    slept, end = asked(context, *[Reply(503, {}, "")] * 9)
    assert (slept, end) == ([1, 2, 4, 8, 16, 32, 60, 60, 60], "ok")


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


def test_a_service_that_asks_for_no_wait_is_not_asked_without_end() -> None:
    no_wait = [TryAgain("rate limit", wait=0.0)] * 30
    time, count, end = tried(*no_wait, None, total=60)
    assert (count, end) == (len(time.slept) + 1, "rate limit")
    assert count < 30


def test_waits_stay_bounded() -> None:
    time, count, end = tried(TryAgain("http 503"), total=600)
    assert end == "http 503"
    assert count > 10
    assert max(time.slept) <= 60
    assert sum(time.slept) <= 600


def test_zero_seconds_mean_one_attempt() -> None:
    assert tried(TryAgain("http 500", wait=1.0), total=0)[1] == 1


def test_patience_begins_with_the_first_failure_and_not_with_the_queue() -> None:
    time, count = Time(), 0

    async def attempt() -> None:
        nonlocal count
        count += 1
        await time.sleep(1_000)  # until its turn came
        if count == 1:
            raise TryAgain("http 500")

    asyncio.run(policy(1_100, time.clock, time.sleep)(attempt))
    assert count == 2


def test_nothing_is_tried_again_once_the_run_is_over() -> None:
    time, over = Time(), False
    counted: list[Any] = []

    async def attempt() -> None:
        nonlocal over
        counted.append(None)
        over = len(counted) == 2
        raise TryAgain("http 500")

    with pytest.raises(TryAgain):
        asyncio.run(policy(600, time.clock, time.sleep, lambda: over)(attempt))
    assert len(counted) == 2
