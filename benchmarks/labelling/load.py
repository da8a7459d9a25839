"""Sending under load against the stub service, which counts; both on this machine's cores.

python -m benchmarks.labelling.load [steady | windows | changes | timeouts [COUNT]]

- steady: answers after 2 s ± 1 s and prompts of 600 tokens, at 10,000 requests a minute.
- windows: 500 requests and 200,000 tokens a minute, both limits nearly reached by what is asked,
  and every 60 s window looked at as the service saw it.
- changes: the service changes its limit three times and says so in its headers.
- timeouts: the service answers, and the labeller has given up a second before.

A COUNT of requests shortens one; the figures of short runs are printed and not recorded.
"""

import itertools
import sys
import time
from collections.abc import Sequence
from typing import Any

import httpx

from benchmarks.labelling.stubbed import Seen, run
from benchmarks.record import record
from pipeline.labelling.money.budget import most_of
from pipeline.labelling.money.prices import Price
from tests.labelling.buy_many import requests

RAMP_SECONDS, WINDOW_SECONDS = 10.0, 60.0
STEADY, WINDOWS, TIMEOUTS = 20_000, 5_000, 100
PROMPT_BYTES = 2_300  # 600 tokens with the body around it, as the stub counts
CHANGES = ((6_000, 40.0), (1_500, 40.0), (600, 40.0), (3_000, 40.0))
"""Requests a minute, and for how many seconds they are allowed."""
PROBE_SECONDS = 4.0  # a rate is told from so many seconds
PRICE = Price(1.0, 2.0)


def duplicates(seen: Sequence[Seen]) -> int:
    """Return how many payments were second ones."""
    paid = [one.question for one in seen if one.paid]
    return len(paid) - len(set(paid))


def fullest(seen: Sequence[Seen]) -> tuple[int, int]:
    """Return the most requests and the most tokens in any window, refused ones included."""
    most = [0, 0]
    first, tokens = 0, 0
    for last, one in enumerate(seen):
        tokens += one.tokens
        while seen[first].at <= one.at - WINDOW_SECONDS:
            tokens -= seen[first].tokens
            first += 1
        most = [max(most[0], last + 1 - first), max(most[1], tokens)]
    return most[0], most[1]


def rate(seen: Sequence[Seen]) -> tuple[float, float]:
    """Return requests and tokens a minute after the ramp."""
    later = [one for one in seen if one.at >= seen[0].at + RAMP_SECONDS]
    minutes = (later[-1].at - later[0].at) / 60
    return (len(later) - 1) / minutes, sum(one.tokens for one in later[1:]) / minutes


def steady(count: int) -> list[tuple[str, float, str, str]]:
    """Measure full speed."""
    ran = run(
        count,
        {"requests_per_minute": 10_000, "concurrency": 500, "timeout_seconds": 30.0},
        (PROMPT_BYTES, 0.0),
        delay=2.0,
        spread=1.0,
    )
    return [
        (
            "share of 10,000 requests a minute that was used",
            rate(ran.seen)[0] / 10_000,
            "",
            ">= 0.95",
        ),
        ("memory of the labeller at 10,000 requests a minute", ran.peak_mb, "MB", "<= 500"),
        ("answers paid for twice", duplicates(ran.seen), f"of {count:,}", "<= 0"),
    ]


def windows(count: int) -> list[tuple[str, float, str, str]]:
    """Measure how near to two limits we come, and that neither is passed."""
    limits: dict[str, Any] = {"requests_per_minute": 500, "tokens_per_minute": 200_000}
    ran = run(
        count,
        limits | {"concurrency": 64, "timeout_seconds": 30.0},
        (1_250, 0.5),
        delay=2.0,
        spread=1.0,
        uneven=True,
        **limits,
    )
    most_requests, most_tokens = fullest(ran.seen)
    used = rate(ran.seen)
    return [
        ("requests in the fullest minute of 500", most_requests, "requests", "<= 500"),
        ("tokens in the fullest minute of 200,000", most_tokens, "tokens", "<= 200000"),
        ("refused of these", sum(one.refused for one in ran.seen), "requests", "<= 0"),
        (
            "share of the nearer limit that was used",
            max(used[0] / 500, used[1] / 200_000),
            "",
            ">= 0.95",
        ),
    ]


def changes(seconds: int) -> list[tuple[str, float, str, str]]:
    """Measure how soon limits that are announced are kept, and what was refused until then."""
    steps = [(limit, min(lasts, float(seconds))) for limit, lasts in CHANGES]
    count = int(sum(limit * lasts / 60 for limit, lasts in steps))
    changed: list[tuple[float, int]] = []

    def change(url: str) -> None:
        stub = url.removesuffix("/v1") + "/stub"
        while not httpx.get(stub).json()["requests"]:
            time.sleep(0.05)
        for (_, lasts), (limit, _) in itertools.pairwise(steps):
            time.sleep(lasts)
            httpx.post(stub, json={"requests_per_minute": limit})
            changed.append((time.monotonic(), limit))

    ran = run(
        count,
        {"requests_per_minute": CHANGES[0][0], "concurrency": 300, "timeout_seconds": 30.0},
        meanwhile=change,
        delay=0.5,
        spread=0.2,
        bucket=True,
        requests_per_minute=CHANGES[0][0],
    )
    ends = [at for at, _ in changed[1:]] + [ran.seen[-1].at]
    found = [
        (
            settled(ran.seen, at, end, limit),
            sum(one.refused for one in ran.seen if at <= one.at < end),
        )
        for (at, limit), end in zip(changed, ends, strict=True)
    ]
    return [
        (
            "longest time until an announced limit is kept and used",
            max(f[0] for f in found),
            "s",
            "<= 15",
        ),
        (
            "most refusals after one change of the limit",
            max(f[1] for f in found),
            "requests",
            "<= 5",
        ),
    ]


def settled(seen: Sequence[Seen], start: float, end: float, limit: int) -> float:
    """Return the seconds until the rate is within a tenth of the limit; infinite: never."""
    expected = limit / 60 * PROBE_SECONDS
    tenths = range(int((end - start - PROBE_SECONDS) * 10))
    for probe in (start + tenth / 10 for tenth in tenths):
        count = sum(probe <= one.at < probe + PROBE_SECONDS for one in seen if not one.refused)
        if abs(count - expected) <= max(0.1 * expected, 1.0):
            return probe + PROBE_SECONDS - start
    return float("inf")


def timeouts(count: int) -> list[tuple[str, float, str, str]]:
    """Measure what is known of answers that came too late."""
    late = [{"hang": 2.0}, None] * count  # every second one: some answers come between
    ran = run(
        2 * count,
        {"timeout_seconds": 1.0, "retry_seconds": 0.0, "concurrency": 20},
        faults=late,  # type: ignore[arg-type]
    )
    most = most_of(requests(1)[0], PRICE)
    return [
        (
            "timeouts after the answer: noted as unknown",
            len(ran.unknown),
            f"of {count}",
            f">= {count}",
        ),
        (
            "timeouts after the answer: counted at their most",
            sum(ran.unknown) / most / count,
            "",
            ">= 1",
        ),
        ("timeouts after the answer: paid for twice", duplicates(ran.seen), f"of {count}", "<= 0"),
    ]


PARTS = {
    "steady": (steady, STEADY),
    "windows": (windows, WINDOWS),
    "changes": (changes, int(CHANGES[0][1])),
    "timeouts": (timeouts, TIMEOUTS),
}


def main(names: Sequence[str] = (), count: int | None = None) -> None:
    """Measure parts, all of them if none are named, and record what ran at full length."""
    for name in names or PARTS:
        measure, full = PARTS[name]
        rows = [
            {"name": f"labelling, {what}", "value": value, "unit": unit, "aim": aim,
             "rival": None, "command": "python -m benchmarks.labelling.load"}
            for what, value, unit, aim in measure(count or full)
        ]  # fmt: skip
        if count is None:
            record(rows)
        for row in rows if count else ():
            print(f"{row['name']}: {row['value']:.4g} {row['unit']} (aim: {row['aim']})")


if __name__ == "__main__":
    main(sys.argv[1:2], int(sys.argv[2]) if len(sys.argv) > 2 else None)
