"""How much more data a difference of the seen height would take."""

import math
from typing import NamedTuple

from pipeline.evaluation.metrics import Values


class Needed(NamedTuple):
    """Of each, with the other as it is; none where no number of it would do."""

    sessions: int | None
    seeds: int | None


def needed(differences: Values) -> Needed:
    """Return how many sessions, or how many seeds, it takes to see a difference.

    With 80 % power at the two-sided 5 % level (of one comparison, before any correction) the
    standard error must be at most |mean| / (1.96 + 0.84). Its square is the seeds' part, which
    falls with their number, and the sessions' part, which falls with theirs (normal approximation;
    what a seed does to a single session is in both). With one seed its part is not known, and the
    sessions are those of `intervals.sessions_needed`.

    Args:
        differences: of each session under each seed.  # R S
    """
    R, S = differences.shape
    if S < 2:
        return Needed(None, None)
    allowed = (float(differences.mean()) / (1.96 + 0.84)) ** 2
    of_seeds = float(differences.mean(axis=1).var(ddof=1)) / R if R > 1 else 0.0
    of_sessions = float(differences.mean(axis=0).var(ddof=1)) / S
    seeds = _times(R, of_seeds, allowed - of_sessions) if R > 1 else None
    return Needed(_times(S, of_sessions, allowed - of_seeds), seeds)


def _times(count: int, part: float, left: float) -> int | None:
    """Return how many make a part of the variance as small as what is left for it."""
    return max(2, math.ceil(count * part / left)) if left > 0 else None
