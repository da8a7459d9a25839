"""One retry policy, as data: what is tried again, after how long, and for how long.

Tried again: 408, 409, 429, 5xx (529 included), timeouts and connection faults. What else a service
refuses stops the run, or fails one request (`pipeline.labelling.providers.openai_compatible`).
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from pipeline.labelling.online.announced import Announced, announced

RETRIED = frozenset({408, 409, 429})
NOT_WORKED_ON = frozenset({502, 503, 529})
"""Of the 5xx: nobody was there to work."""
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
RATE_LIMIT = "rate limit"  # why an attempt failed with 429


class Failed(Exception):  # noqa: N818 - a state of a request, as the ledger names it
    """An attempt brought no answer, and asking this request again is of no use."""

    def __init__(self, why: str, may_be_billed: bool = False, said: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.said = said
        """The reply's words, where it was no answer; for the ledger."""
        self.may_be_billed = may_be_billed
        """The service may have worked for it, and is counted as if it had."""


class TryAgain(Failed):
    """An attempt failed in a way that may pass."""

    def __init__(
        self,
        why: str,
        wait: float | None = None,
        may_be_billed: bool = False,
        announced: Announced | None = None,
        said: str = "",
    ) -> None:
        super().__init__(why, may_be_billed, said)
        self.wait = wait
        """Seconds the service asked for."""
        self.announced = announced
        """What the reply said about the service's limits."""


def is_retried(status: int) -> bool:
    """Return whether a status may pass if asked again."""
    return status in RETRIED or status >= 500


def may_be_billed(status: int) -> bool:
    """Return whether a service may have worked for what it refused so (Azure bills some 408)."""
    return status == 408 or (status >= 500 and status not in NOT_WORKED_ON)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that the headers of a refusal ask for; none if they do not say.

    They are in `retry-after-ms`, in `Retry-After` (a number or a date), or where a limit is used
    up in its `x-ratelimit-reset-...`.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text, now or datetime.now(UTC))
    said = announced(headers)
    if seconds is None and said is not None:
        seconds = max(said.requests.seconds_until(1.0), said.tokens.seconds_until(1.0)) or None
    return seconds


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _until(text: str, now: datetime) -> float | None:
    """Return the seconds until an HTTP date, 0 if it has passed; none if it is no date."""
    try:
        date = parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def policy(
    total_seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    is_over: Callable[[], bool] = lambda: False,
) -> AsyncRetrying:
    """Return the policy for one request: exponential waits with jitter, more if the service asks.

    It gives up (raising the last `TryAgain`) when the next wait would end later than
    `total_seconds` after the first failure, or when the whole run is over.
    """
    first: list[float] = []  # when an attempt failed first: waiting for a turn before is not ours
    backoff = wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)

    def wait(state: RetryCallState) -> float:
        return max(backoff(state), _asked(state) or 0.0)  # some ask for a wait of 0

    def stop(state: RetryCallState) -> bool:
        first.append(clock())
        tried = first[-1] - first[0]
        return is_over() or tried + (state.upcoming_sleep or 0.0) > total_seconds

    return AsyncRetrying(
        retry=retry_if_exception_type(TryAgain), wait=wait, stop=stop, sleep=sleep, reraise=True
    )


def _asked(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.wait if isinstance(error, TryAgain) else None
