"""Drawing n ranks without replacement from a policy's probabilities, all in logarithms.

A policy is worth its value only if rank s is among the n with probability n p_s. ``systematic``
keeps that exactly; ``sequential``, the paper's draws one after another, flattens it (at the
published setting, 500 of 7,393, it keeps 91 % of the value).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.selection.maxmin import Floats

Places = NDArray[np.int64]
CERTAIN = 1 - 1e-9  # above it a unit is taken without a draw, so that rounding never takes it twice


@dataclass(frozen=True)
class Draw:
    """The drawn places and every place's probability of being drawn."""

    places: Places  # n, rising
    log_inclusion: Floats  # N


def systematic(log_p: Floats, count: int, generator: np.random.Generator) -> Draw:
    """Draw by Madow's (1949) systematic sampling on a random permutation.

    The inclusion probabilities are laid end to end on a line of length n, and every place under a
    mark at u, u + 1, ..., u + n - 1 is taken; the permutation removes the order's influence on
    pairs. A place is drawn with probability exactly n p_s, see ``log_inclusion`` for the cap.
    """
    log_pi = log_inclusion(log_p, count)
    pi = np.exp(log_pi)
    certain = np.flatnonzero(pi >= CERTAIN)
    order = generator.permutation(np.flatnonzero((pi > 0) & (pi < CERTAIN)))
    rest = count - len(certain)
    if rest == 0:
        return Draw(certain, log_pi)
    line = np.cumsum(pi[order])
    line *= rest / line[-1]
    marks = np.minimum(generator.random() + np.arange(rest), np.nextafter(line[-1], 0))
    taken = order[np.searchsorted(line, marks, side="right")]
    return Draw(np.sort(np.concatenate([certain, taken])), log_pi)


def sequential(log_p: Floats, count: int, generator: np.random.Generator) -> Draw:
    """Draw one after another in proportion to p, never twice (Algorithm 1 of the paper).

    The n largest of log p + Gumbel noise are such a draw. The inclusion probabilities have no
    closed form; these are Rosen's (1972) approximation 1 - exp(-t p_s), with t so that they sum
    to n.
    """
    filled = _with_fill(log_p, count)
    if filled is not None:
        return filled
    noisy = log_p + generator.gumbel(size=len(log_p))
    places = np.sort(np.argpartition(noisy, -count)[-count:])
    return Draw(places, _rosen(log_p, count))


def log_inclusion(log_p: Floats, count: int) -> Floats:
    """Return log(n p), where what would pass 1 is capped and spread over the others in proportion.

    Where the support has fewer than n places all of it is certain, and so are the ranks after it,
    first ones first, until there are n.
    """
    filled = _with_fill(log_p, count)
    if filled is not None:
        return filled.log_inclusion
    split = len(log_p) - count
    order = np.argpartition(log_p, split)  # only the n largest can reach the cap
    largest = order[split:][np.argsort(-log_p[order[split:]], kind="stable")]
    rising = np.concatenate([[np.logaddexp.reduce(log_p[order[:split]])], log_p[largest][::-1]])
    left = np.logaddexp.accumulate(rising)[::-1]  # mass without the c largest, c = 0..n
    with np.errstate(divide="ignore"):
        factor = np.log(count - np.arange(count + 1)) - left  # what the others are scaled by
    fits = factor[:-1] + log_p[largest] <= np.log(CERTAIN)
    capped = int(np.argmax(fits)) if fits.any() else count
    log_pi: Floats = np.minimum(log_p + factor[capped], 0)
    log_pi[largest[:capped]] = 0
    return log_pi


def _with_fill(log_p: Floats, count: int) -> Draw | None:
    """Return the draw that is no draw: the support has n places or fewer."""
    inside = log_p > -np.inf
    missing = count - int(inside.sum())
    if missing < 0:
        return None
    inside[np.flatnonzero(~inside)[:missing]] = True
    return Draw(np.flatnonzero(inside), np.where(inside, 0.0, -np.inf))


def _rosen(log_p: Floats, count: int) -> Floats:
    """Return log(1 - exp(-t p_s)) with t so that the inclusion probabilities sum to n.  # N."""
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to load, and seldom needed

    def inclusion(log_t: float) -> Floats:
        with np.errstate(over="ignore"):
            pi: Floats = -np.expm1(-np.exp(log_p + log_t))
        return pi

    smallest = float(log_p.min(where=log_p > -np.inf, initial=0.0))
    log_t = brentq(lambda t: inclusion(t).sum() - count, np.log(count), 40 - smallest, xtol=1e-12)
    with np.errstate(divide="ignore"):
        log_pi: Floats = np.log(inclusion(log_t))
    return log_pi
