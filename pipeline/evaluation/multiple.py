"""Holm's correction: p values that stay honest when many are looked at."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.metrics import Values


def holm(p_values: Sequence[float]) -> Values:
    """Return the p values corrected over all of them, in their order.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none may be below the one
    before it, and none is above 1 (Holm, 1979). Calling those at most 5 % different is wrong about
    any of them with a chance of at most 5 %, however they depend on each other.  # m
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = p.argsort(kind="stable")
    raised = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return corrected
