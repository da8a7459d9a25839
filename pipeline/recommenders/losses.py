"""Training losses over a catalogue, with their gradients written by hand.

Each keeps one score matrix and turns it into its own gradient in place. Autograd would keep several
matrices of that size; at 26,000 items they, not the arithmetic, would decide the speed.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from pipeline.recommenders.base import EmbeddingRecommender


class _InBatchBpr(Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, targets: Tensor) -> Tensor:
        n = len(queries)
        margins = queries @ targets.T  # B B, score of row b's session for row c's target
        margins -= (queries * targets).sum(1, keepdim=True)
        loss = functional.softplus(margins).mean()  # -log sigmoid(own - other)
        slopes = margins.sigmoid_().div_(n * n)
        total = slopes.sum(1, keepdim=True)
        ctx.save_for_backward(
            slopes @ targets - total * targets, slopes.T @ queries - total * queries
        )
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor]:
        of_queries, of_targets = ctx.saved_tensors
        return outputs[0] * of_queries, outputs[0] * of_targets


def in_batch_bpr(queries: Tensor, targets: Tensor, offsets: Tensor | float = 0.0) -> Tensor:
    """Return the mean of -log sigmoid(s(b, b) - s(b, c)) over all pairs of a batch.

    The targets of the other rows are the negatives, as in the public code of ALKDRec; the diagonal
    adds a constant log 2 / B.

    Args:
        queries: session vectors.  # B D
        targets: vectors of the rows' targets.  # B D
        offsets: offsets of the rows' targets, if the recipe has any.  # B
    """
    if isinstance(offsets, Tensor):  # an offset is a factor of one more feature
        queries = functional.pad(queries, (0, 1), value=1.0)
        targets = torch.cat([targets, offsets[:, None]], dim=1)
    result: Tensor = _InBatchBpr.apply(queries, targets)  # type: ignore[no-untyped-call]
    return result


class _Softmax(Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, vectors: Tensor, bias: Tensor | None, targets: Tensor
    ) -> Tensor:
        n, rows = len(queries), torch.arange(len(queries))
        scores = queries @ vectors.T if bias is None else torch.addmm(bias, queries, vectors.T)
        scores -= scores.amax(1, keepdim=True)
        own = scores[rows, targets]
        scores.exp_()
        total = scores.sum(1, keepdim=True)
        loss = (total.log().squeeze(1) - own).mean()
        slopes = scores.div_(total * n)
        slopes[rows, targets] -= 1 / n
        of_bias = None if bias is None else slopes.sum(0)
        ctx.save_for_backward(slopes @ vectors, slopes.T @ queries, of_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        of_queries, of_vectors, of_bias = ctx.saved_tensors
        scale = outputs[0]
        of_bias = None if of_bias is None else scale * of_bias
        return scale * of_queries, scale * of_vectors, of_bias, None


def softmax_cross_entropy(
    queries: Tensor, vectors: Tensor, bias: Tensor | None, targets: Tensor
) -> Tensor:
    """Return the mean cross-entropy of the targets under a softmax over all rows of ``vectors``.

    Args:
        queries: session vectors.  # B D
        vectors: item vectors.  # N D
        bias: item offsets, or None.  # N
        targets: rows of ``vectors``.  # B, int64
    """
    result: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        queries, vectors, bias, targets
    )
    return result


def sampled_softmax(
    model: EmbeddingRecommender, queries: Tensor, targets: Tensor, drawn: Tensor
) -> Tensor:
    """Return cross-entropy over each target and the negatives that the batch shares.

    Negatives are drawn uniformly, so the correction by their log-probability is one constant:
    log(n_items / drawn) is added to their scores, which makes the sum an unbiased estimate of the
    softmax's. A negative that is the row's own target is left out. (Jean et al. 2015)

    Args:
        model: gives vectors and offsets of items.
        queries: session vectors.  # B D
        targets: item indices.  # B
        drawn: item indices of the shared negatives.  # K
    """
    own = model.pair_scores(queries, targets[:, None])  # B 1
    others = queries @ model.item_vectors(drawn).T + model.item_offsets(drawn)
    others = others + math.log(model.n_items / len(drawn))
    others = others.masked_fill(drawn == targets[:, None], -torch.inf)
    scores = torch.cat([own, others], dim=1)
    return functional.cross_entropy(scores, torch.zeros_like(targets))
