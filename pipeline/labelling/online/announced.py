"""What a service says about its limits in its replies' headers.

``x-ratelimit-limit-requests``, ``-remaining-``, ``-reset-``, and the same for tokens, as OpenAI
sends them and many others do; what cannot be read counts as not said. A limit is taken as one a
minute: where a service means a day, it is so far above ours that it changes nothing.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PIECE = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|s|m|h|d)")


@dataclass(frozen=True)
class Allowance:
    """One limit; null: not said."""

    limit: float | None = None
    """A minute."""
    left: float | None = None
    reset_seconds: float | None = None
    """Until all of it is there again."""

    def seconds_until(self, needed: float) -> float:
        """Return when a service that refills evenly has what is needed; 0 if it has, or is mum."""
        if self.left is None or self.reset_seconds is None or self.left >= needed:
            return 0.0
        gone = self.limit - self.left if self.limit else 0.0
        return self.reset_seconds * (min(1.0, (needed - self.left) / gone) if gone > 0 else 1.0)


@dataclass(frozen=True)
class Announced:
    """The limits of a reply."""

    requests: Allowance
    tokens: Allowance


def announced(headers: Mapping[str, str]) -> Announced | None:
    """Return what headers (names in lower case) say about limits, nothing if they say nothing."""
    found = Announced(_allowance(headers, "requests"), _allowance(headers, "tokens"))
    return None if found == Announced(Allowance(), Allowance()) else found


def seconds_of(text: str) -> float | None:
    """Return the seconds in ``1s``, ``6m0s``, ``12ms``, ``1h2m3.5s`` or a plain number."""
    text = text.strip().lower()
    pieces = PIECE.findall(text)
    if pieces and "".join(number + unit for number, unit in pieces) == text:
        return sum(float(number) * UNITS[unit] for number, unit in pieces)
    return _number(text)


def _allowance(headers: Mapping[str, str], name: str) -> Allowance:
    def said(what: str) -> str:
        return headers.get(f"x-ratelimit-{what}-{name}", "")

    limit = _number(said("limit"))
    return Allowance(limit or None, _number(said("remaining")), seconds_of(said("reset")))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
