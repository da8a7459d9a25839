"""Recall, NDCG and MRR of one held-back target a session, from its true rank.

With a single relevant item the ideal DCG is 1, so NDCG@k = 1 / log2(rank + 1) if rank <= k.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.integer]
Values = NDArray[np.float64]


def recall(ranks: Ranks, k: int) -> Values:
    """Return 1 for each session whose target is among the first k, else 0.  # S."""
    return (ranks <= k).astype(np.float64)


def ndcg(ranks: Ranks, k: int) -> Values:
    """Return 1 / log2(rank + 1) where rank <= k, else 0.  # S."""
    return np.where(ranks <= k, 1 / np.log2(ranks + 1.0), 0.0)


def mrr(ranks: Ranks, k: int) -> Values:
    """Return 1 / rank where rank <= k, else 0.  # S."""
    return np.where(ranks <= k, 1 / ranks, 0.0)


METRICS: dict[str, Callable[[Ranks, int], Values]] = {"recall": recall, "ndcg": ndcg, "mrr": mrr}


def figures(ranks: Ranks, cutoffs: Iterable[int]) -> dict[str, float]:
    """Return the mean of every metric at every cutoff, as ``recall@5``.

    Args:
        ranks: from 1; at least one.  # S
        cutoffs: list lengths k.
    """
    return {
        f"{name}@{k}": float(of_session(ranks, k).mean())
        for k in sorted(set(cutoffs))
        for name, of_session in METRICS.items()
    }
