"""How far two orders of the same things agree."""

from collections.abc import Hashable, Sequence

import numpy as np

PERSISTENCE = 0.9
"""p of RBO: the first ten places then have 86 % of the weight."""


def rank_biased_overlap(
    one: Sequence[Hashable], other: Sequence[Hashable], persistence: float = PERSISTENCE
) -> float:
    """Return how far two rankings agree, early places counting most: 1 equal, 0 nothing shared.

    RBO of Webber, Moffat and Zobel (2010), extrapolated from what was seen (their equation 32), so
    that lists of other lengths and with other things in them may be compared.

    Args:
        one: distinct things, best first; at least one.
        other: likewise.
        persistence: p, how likely a reader is to look at the next place, too.
    """
    short, long = sorted((one, other), key=len)
    s, l, p = len(short), len(long), persistence  # noqa: E741 - the paper's letters
    depths = np.arange(1, l + 1)
    shared = np.array([len({*short[:d]} & {*long[:d]}) for d in range(1, l + 1)])  # X_d
    sum_seen = (shared / depths * p**depths).sum()
    beyond = depths[s:]
    sum_beyond = (shared[s - 1] * (beyond - s) / (s * beyond) * p**beyond).sum()
    tail = ((shared[-1] - shared[s - 1]) / l + shared[s - 1] / s) * p**l
    return float((1 - p) / p * (sum_seen + sum_beyond) + tail)


def kendall(places: Sequence[int]) -> float | None:
    """Return Kendall's τ between distinct numbers and the order they stand in.

    1: they rise, -1: they fall; none if there are fewer than two.
    """
    values = np.asarray(places)
    if len(values) < 2:
        return None
    earlier, later = np.triu_indices(len(values), k=1)
    return float(np.sign(values[later] - values[earlier]).mean())
