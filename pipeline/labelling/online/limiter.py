"""How fast we may ask: requests a minute, tokens a minute and requests under way, in one step.

Requests are let through in the order they came, at even distances, and never so that a window of
sixty seconds holds more than allowed, as the service counts: it may see one request sooner and the
next one later than we do, so our window is a little longer. Whoever was late may catch up a
little, within that. A request takes its turn, its tokens and its place at once: nobody holds one
of them while waiting for another, and a large request is not overtaken for ever.

The limits are the parameters' ones, and lower ones for as long as the service announces them. For
services that refuse and announce nothing, a refusal takes a share of the rate away, which comes
back slowly.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from pipeline.labelling.online.announced import Announced

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

WINDOW_SECONDS = 60.0
SAFETY_SECONDS = 1.2  # how much later than another one a request may reach the service
CATCH_UP_SECONDS = 1.5  # of a stall of ours; what it adds up to is bounded by the window
SLOWER = 0.7  # of the rate is left after a refusal
LEAST_SHARE = 0.02
FASTER = 0.01  # of the full rate comes back a second

SPAN_SECONDS = WINDOW_SECONDS + SAFETY_SECONDS
ROUNDING = 1e-6  # tokens


@dataclass
class Passed:
    """A request that was let through."""

    at: float
    tokens: float


class Limiter:
    """Lets requests through one by one, in order."""

    def __init__(
        self,
        requests_per_minute: float,
        concurrency: int,
        tokens_per_minute: float | None = None,
        clock: Clock = time.monotonic,
        patience_seconds: float = WINDOW_SECONDS,
    ) -> None:
        """Begin with nobody under way.

        Args:
            requests_per_minute: the limit.
            concurrency: the most requests under way.
            tokens_per_minute: null: no limit.
            clock: in seconds.
            patience_seconds: an announced wait above it (for tomorrow, or a date) is not obeyed:
                the service then refuses, and refusals are bounded and told.
        """
        self._patience = patience_seconds
        self._requests = self._requests_announced = float(requests_per_minute)
        self._tokens = self._tokens_announced = float(tokens_per_minute or math.inf)
        self._concurrency = concurrency
        self._clock = clock
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._under_way = 0
        self._window: deque[Passed] = deque()
        self._tokens_in_window = 0.0
        self._share, self._share_set = 1.0, clock()
        self._next_request = self._next_tokens = self._held = clock()

    @contextlib.asynccontextmanager
    async def place(self, tokens: float = 0.0) -> AsyncIterator[Passed]:
        """Wait for our turn; the place, not the rest, is free again after the block.

        Args:
            tokens: the most that the request may count; `settle` puts the real number.
        """
        tokens = min(tokens, self._tokens)  # one larger than the limit passes alone
        async with self._turn:  # first come, first served
            while (wait := self._wait(tokens)) > 0:
                await self._change_within(wait)
            passed = self._take(tokens)
        try:
            yield passed
        finally:
            self._under_way -= 1
            self._changed.set()

    def settle(self, passed: Passed, tokens: float) -> None:
        """Put the number of tokens that a request really counted."""
        more = min(tokens, self._tokens) - passed.tokens
        passed.tokens += more
        if self._window and self._window[0].at <= passed.at:
            self._tokens_in_window += more
        self._next_tokens += self._seconds_of_tokens(more)
        self._changed.set()

    def hold(self, seconds: float) -> None:
        """Let nobody through for a while: the service asked for it."""
        self._held = max(self._held, self._clock() + seconds)

    @property
    def held_seconds(self) -> float:
        """For how long nobody is let through from now on."""
        return max(0.0, self._held - self._clock())

    def learn(self, said: Announced, passed: Passed) -> str:
        """Obey what the service announces in the reply to a request that was let through.

        Returns:
            The limits in words if they are others now, '' if they are as before.
        """
        requests = min(self._requests, said.requests.limit or self._requests_announced)
        tokens = min(self._tokens, said.tokens.limit or self._tokens_announced)
        if requests < self._requests_announced or tokens < self._tokens_announced:
            self._set_share(self._share_now())
        before = (self._requests_announced, self._tokens_announced)
        self._requests_announced, self._tokens_announced = requests, tokens
        waits = said.requests.seconds_until(1.0), said.tokens.seconds_until(passed.tokens)
        self.hold(max((wait for wait in waits if wait <= self._patience), default=0.0))
        return self._in_words() if before != (requests, tokens) else ""

    def _in_words(self) -> str:
        tokens = (
            "" if math.isinf(self._tokens_announced) else f", {self._tokens_announced:,.0f} tokens"
        )
        return f"{self._requests_announced:,.0f} requests{tokens}"

    def slow_down(self, passed: Passed) -> None:
        """Take a share of the rate away: the service refused a request that was let through.

        One that was let through before the last change of rate says nothing about the new one.
        """
        if passed.at > self._share_set:
            self._set_share(max(LEAST_SHARE, self._share_now() * SLOWER))

    def _set_share(self, share: float) -> None:
        self._share, self._share_set = share, self._clock()

    def _share_now(self) -> float:
        return min(1.0, self._share + (self._clock() - self._share_set) * FASTER)

    async def _change_within(self, seconds: float) -> None:
        """Wait, but no longer than until somebody's end or real number of tokens is known."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self._changed.wait()

    def _take(self, tokens: float) -> Passed:
        now = self._clock()
        passed = Passed(now, tokens)
        self._window.append(passed)
        self._tokens_in_window += tokens
        self._under_way += 1
        earliest = now - CATCH_UP_SECONDS
        distance = SPAN_SECONDS / (self._requests_announced * self._share_now())
        self._next_request = max(self._next_request, earliest) + distance
        self._next_tokens = max(self._next_tokens, earliest) + self._seconds_of_tokens(tokens)
        return passed

    def _seconds_of_tokens(self, tokens: float) -> float:
        return SPAN_SECONDS * tokens / (self._tokens_announced * self._share_now())

    def _wait(self, tokens: float) -> float:
        """Return the seconds until the next one may pass; infinite: until another's end."""
        if self._under_way >= self._concurrency:
            return math.inf
        now = self._clock()
        due = max(self._next_request, self._next_tokens, self._held)
        return max(due, self._room_at(tokens, now)) - now

    def _room_at(self, tokens: float, now: float) -> float:
        """Return when the window has room for one request more, with these tokens."""
        while self._window and self._window[0].at <= now - SPAN_SECONDS:
            self._tokens_in_window -= self._window.popleft().tokens
        too_many = len(self._window) + 1 - self._requests
        too_much = self._tokens_in_window + tokens - self._tokens
        room_at = now
        for passed in self._window:
            if too_many <= 0 and too_much <= ROUNDING:
                break
            too_many, too_much = too_many - 1, too_much - passed.tokens
            room_at = passed.at + SPAN_SECONDS
        return room_at
