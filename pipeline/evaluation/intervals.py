"""Bootstrap intervals over sessions, and tests that are exact where sessions are few.

Resampling S sessions with replacement draws how often each distinct value occurs, and a metric at
k has k + 1 values at most. So a draw is one multinomial over the distinct values: the same
distribution as drawing session by session, at a cost that does not grow with S.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import Values


@dataclass(frozen=True)
class Interval:
    """A mean over sessions and where it may lie."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Chance:
    """What a session's value is worth by chance, and how likely each is; they sum to 1."""

    values: tuple[float, ...]
    probabilities: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The expectation."""
        return float(np.dot(self.values, self.probabilities))


def bootstrap(
    values: Values, draws: int, generator: np.random.Generator, level: float = 0.95
) -> Interval:
    """Return the percentile bootstrap interval of the mean over sessions.

    Args:
        values: one a session, at least one.  # S
        draws: resampled means.
        generator: makes the draws.
        level: share of the resampled means inside the interval.
    """
    distinct, counts = np.unique(values, return_counts=True)
    drawn = generator.multinomial(len(values), counts / len(values), size=draws)
    means = drawn @ distinct / len(values)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def paired_difference(
    ours: Values, theirs: Values, draws: int, generator: np.random.Generator
) -> Interval:
    """Return the 95 % interval of the mean difference of two models on the same sessions.

    Sessions are drawn with both models' values together, so that what makes a session easy for
    both does not widen the interval.  # S, S
    """
    return bootstrap(ours - theirs, draws, generator)


def randomisation(differences: Values, draws: int, generator: np.random.Generator) -> float:
    """Return how likely a mean difference this far from 0 is if the two are alike: two-sided p.

    Each session's difference then is as likely to have the other sign (Fisher's paired
    randomisation test). Exact at any number of sessions, where an interval needs many.

    Args:
        differences: one a session.  # S
        draws: random signs for all sessions, so many times.
        generator: makes the draws.
    """
    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    positive = generator.binomial(counts, 0.5, size=(draws, len(counts)))
    return two_sided(differences.sum(), (2 * positive - counts) @ sizes)


def chance_p(
    values: Values, chances: Sequence[Chance], draws: int, generator: np.random.Generator
) -> float:
    """Return how likely a mean value this far from its expectation is by chance: two-sided p.

    Args:
        values: one a session.  # S
        chances: each session's distribution if chance decides.  # S
        draws: drawn means.
        generator: makes the draws.
    """
    expected, total = 0.0, np.zeros(draws)
    for chance, count in Counter(chances).items():
        worth, likely = np.array(chance.values), np.array(chance.probabilities)
        expected += count * float(worth @ likely)
        total += generator.multinomial(count, likely, size=draws) @ worth
    return two_sided(values.sum() - expected, total - expected)


def sessions_needed(differences: Values) -> int | None:
    """Return how many sessions a difference of this height takes to be seen.

    With 80 % power at the two-sided 5 % level: n = ((1.96 + 0.84) sd / mean)², the normal
    approximation. None: the mean is 0, or there are fewer than two sessions to tell the spread.
    """
    mean = float(differences.mean()) if len(differences) > 1 else 0.0
    if mean == 0:
        return None
    return max(2, math.ceil(((1.96 + 0.84) * float(differences.std(ddof=1)) / mean) ** 2))


def two_sided(seen: float, drawn: Values) -> float:
    """Return the share of draws at least as far from 0, what was seen being one of them."""
    far = np.abs(drawn) >= abs(seen) * (1 - 1e-9) - 1e-12
    return float((1 + far.sum()) / (1 + len(drawn)))
