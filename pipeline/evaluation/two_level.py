"""Bootstrap intervals over seeds and sessions at once.

Every seed's model is tested on the same sessions, so seeds and sessions are crossed: a draw takes
seeds with replacement and, apart from them, sessions with replacement. A session's value under a
seed is the sum of a mean, the seed's part, the session's part, and a rest of both. A draw's mean is

    mean of the drawn seeds + mean of the drawn sessions - mean of all,

which is the mean over all pairs of a drawn seed and a drawn session where there is no rest. With
one, drawing both at once would count its variance three times (Owen, "The pigeonhole bootstrap",
2007); this counts it twice, still on the side of wider intervals.

Two corrections for a handful of seeds. One seed fewer is drawn than there are (Rao and Wu, 1988):
the variance over draws then is the unbiased one. And the interval is stretched as Student's t is
wider than the normal, with Satterthwaite's degrees of freedom, sessions being many: few where seeds
make the difference, countless where sessions do. With one seed neither does anything, and this is
the bootstrap over sessions.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from pipeline import seeds
from pipeline.evaluation.metrics import Values

LEVEL = 0.95
COUNTS_AT_ONCE = 2**22
"""Numbers held at a time while sessions are drawn: 32 MiB."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and sessions and where it may lie."""

    mean: float
    low: float
    high: float
    sd: float | None
    """Between the means of seeds; none with one seed, whose interval is over sessions alone."""
    error: float
    """Standard error: seeds and sessions together."""
    degrees: float
    """Of freedom of the error; infinite with one seed."""

    @property
    def p(self) -> float:
        """How likely a mean this far from 0 is if the truth is 0: two-sided, by Student's t."""
        if self.mean == 0:
            return 1.0
        away = abs(self.mean) / self.error if self.error else np.inf
        return float(2 * stdtr(self.degrees, -away))

    def of_metric(self) -> dict[str, float | None]:
        """Return it as figures of a metric, which is never below 0 and never above 1."""
        low, high = max(self.low, 0.0), min(self.high, 1.0)
        return {"mean": self.mean, "sd": self.sd, "low": low, "high": high}


def estimates(values: Iterable[Values], draws: int, *stream: str | int) -> list[Estimate]:
    """Return the estimate of each, all with the same draws of sessions.

    Args:
        values: a session's value under a seed; the same sessions in each.  # n of R S
        draws: resampled means.
        stream: names of this use, from which the draws are derived.
    """
    both = [(of.mean(axis=0), of.mean(axis=1)) for of in values]
    if not both:
        return []
    drawn = _session_means(np.stack([by_session for by_session, _ in both]), draws, *stream)
    return [
        _estimate(by_session, by_seed, means + _seed_means(by_seed, draws, *stream))
        for (by_session, by_seed), means in zip(both, drawn, strict=True)
    ]


def _session_means(by_session: Values, draws: int, *stream: str | int) -> Values:
    """Return the mean of the drawn sessions in every draw.  # n draws."""
    generator, S = seeds.generator(0, *stream, "sessions"), by_session.shape[1]
    some = by_session.any(axis=0)  # sessions in which all values are 0 add nothing to any mean
    values = by_session[:, some]
    blocks, step = [], max(1, COUNTS_AT_ONCE // S)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        picked = generator.integers(0, S, size=(rows, S)) + S * np.arange(rows)[:, None]
        counts = np.bincount(picked.ravel(), minlength=rows * S).reshape(rows, S)
        blocks.append(values @ counts[:, some].T.astype(np.float64) / S)
    return np.concatenate(blocks, axis=1)


def _seed_means(by_seed: Values, draws: int, *stream: str | int) -> Values:
    """Return how far the mean of the drawn seeds is from that of all, in every draw.  # draws."""
    R = len(by_seed)
    if R == 1:
        return np.zeros(draws)
    picked = seeds.generator(0, *stream, "seeds", R).integers(0, R, size=(draws, R - 1))
    means: Values = by_seed[picked].mean(axis=1) - by_seed.mean()
    return means


def _estimate(by_session: Values, by_seed: Values, drawn: Values) -> Estimate:
    R, S = len(by_seed), len(by_session)
    mean = float(by_session.mean())
    of_seeds = float(by_seed.var(ddof=1)) if R > 1 else 0.0
    of_sessions = float(by_session.var(ddof=1)) if S > 1 else 0.0
    variance = of_seeds / R + of_sessions / S
    degrees = (R - 1) * (variance / (of_seeds / R)) ** 2 if of_seeds else np.inf  # Satterthwaite
    stretch = stdtrit(degrees, (1 + LEVEL) / 2) / ndtri((1 + LEVEL) / 2) if of_seeds else 1.0
    edges = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = mean + stretch * (edges - mean)
    sd = float(np.sqrt(of_seeds)) if R > 1 else None
    return Estimate(mean, float(low), float(high), sd, float(np.sqrt(variance)), float(degrees))
