"""How hard a session is for a teacher (ALKDRec, eq. 3, with its normaliser corrected).

    df_s = -(1 / |s|) * sum over v in s of sigmoid(<Encode(s), e_v>)

The mean is over the session's own items: the printed constant 1/|S| would make the figure a count
of items (rank correlation with length -0.94 on the published data). Where a recipe learns an item
offset, the score includes it. Higher is harder.
"""

import numpy as np
from numpy.typing import NDArray


def difficulty(scores: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the difficulty of each session.

    Args:
        scores: the teacher's score of each item of the session after that session.  # S L
        present: which places hold an item; each session needs one at least.  # S L

    Returns:
        Values from -1 (easy) to 0 (hard).  # S
    """
    with np.errstate(over="ignore"):
        closeness = np.where(present, 1 / (1 + np.exp(-scores.astype(np.float64))), 0.0)
    mean: NDArray[np.float64] = closeness.sum(1) / present.sum(1)
    return -mean
