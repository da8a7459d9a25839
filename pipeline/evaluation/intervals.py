"""Bootstrap intervals over test sessions.

Resampling S sessions with replacement draws how often each distinct value occurs, and a metric at
k has k + 1 values at most. So a draw is one multinomial over the distinct values: the same
distribution as drawing session by session, at a cost that does not grow with S.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import Values


@dataclass(frozen=True)
class Interval:
    """A mean over sessions and where it may lie."""

    mean: float
    low: float
    high: float


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
