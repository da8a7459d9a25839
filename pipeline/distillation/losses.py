"""The pairwise loss on labelled rankings (ALKDRec, eq. 12, with its misprints resolved).

    L = - sum over pairs (s, v) of  a_v log sigmoid(S(s, v) - S(s, v'))  /  sum of a_v

Departures from the public code: the weight a_v multiplies the loss (there rows are repeated, and
positions 6 and 16 get the heavier weight); the negative v' is an item outside the session and its
list (there drawn negatives are ignored); in-batch negatives leave out pairs of one session and
pairs with one item.
"""

import torch
from torch import Tensor
from torch.nn import functional


def uniform_pairwise(positive: Tensor, negative: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of -log sigmoid(positive - negative).  # B, B, B."""
    total = weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
    return (weights * functional.softplus(negative - positive)).sum() / total


def in_batch_pairwise(scores: Tensor, sessions: Tensor, items: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted pairwise loss against the other rows' items.

    Args:
        scores: row b's session against row c's item.  # B B
        sessions: session number of each row; pairs of one session are left out.  # B
        items: item index of each row; pairs with the row's own item are left out.  # B
        weights: a_v.  # B

    Returns:
        Mean over the admitted pairs of each row, weighted over rows; 0 if no pair is admitted.
    """
    admitted = (sessions[:, None] != sessions) & (items[:, None] != items)  # B B
    margins = functional.softplus(scores - scores.diagonal()[:, None]) * admitted
    count = admitted.sum(1)
    rows = margins.sum(1) / count.clamp_min(1)
    used = weights * (count > 0)
    return (used * rows).sum() / used.sum().clamp_min(torch.finfo(rows.dtype).tiny)
