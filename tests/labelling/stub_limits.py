"""The limits of the stub service: what it lets through, what it announces, what was too much."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
BUCKET_SECONDS = 2.0  # of the allowed rate may be saved up by a bucket


@dataclass
class Limit:
    """One limit a minute, kept as a sliding window or as a bucket that fills evenly."""

    per_minute: float
    bucket: bool = False
    _seen: deque[tuple[float, float]] = field(default_factory=deque)
    _in_window: float = 0.0
    _level: float = 0.0
    _at: float = 0.0

    def change(self, per_minute: float, now: float) -> None:
        """Allow another rate from now on; what was taken before is forgiven."""
        self.per_minute = per_minute
        self._seen.clear()
        self._in_window, self._level, self._at = 0.0, 0.0, now

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until an amount fits; 0: now."""
        self._pass(now)
        over = self.used() + amount - self._capacity()
        if over <= 1e-9:
            return 0.0
        if self.bucket:
            return over / self.per_minute * WINDOW_SECONDS
        for at, taken in self._seen:
            over -= taken
            if over <= 1e-9:
                return at + WINDOW_SECONDS - now
        return WINDOW_SECONDS

    def take(self, amount: float, now: float) -> None:
        """Count an amount."""
        self._pass(now)
        self._level += amount
        self._in_window += amount
        self._seen.append((now, amount))

    def used(self) -> float:
        """Return what counts against the limit now."""
        return self._level if self.bucket else self._in_window

    def headers(self, name: str) -> dict[str, str]:
        """Return what a service says about it: `name` is requests or tokens."""
        left = max(0.0, self._capacity() - self.used())
        full = self.used() / self.per_minute * WINDOW_SECONDS
        return {
            f"x-ratelimit-limit-{name}": f"{self.per_minute:.0f}",
            f"x-ratelimit-remaining-{name}": f"{left:.0f}",
            f"x-ratelimit-reset-{name}": f"{full * 1000:.0f}ms" if full < 1 else f"{full:.3f}s",
        }

    def _capacity(self) -> float:
        share = BUCKET_SECONDS / WINDOW_SECONDS if self.bucket else 1.0
        return self.per_minute * share

    def _pass(self, now: float) -> None:
        self._level = max(0.0, self._level - (now - self._at) * self.per_minute / WINDOW_SECONDS)
        self._at = now
        while self._seen and self._seen[0][0] <= now - WINDOW_SECONDS:
            self._in_window -= self._seen.popleft()[1]
