"""Training losses over a catalogue, with their gradients written by hand.

Each turns its scores into their own gradient in place, a block of rows at a time. Autograd would
keep several matrices of scores; at 26,000 items they, not the arithmetic, would decide the speed.
Sums over rows are written as (narrow.T @ wide).T, the same numbers as wide.T @ narrow: at ten
features the library does the first one several times faster.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from pipeline.recommenders.base import EmbeddingRecommender

SCORES_AT_ONCE = 5_000_000
"""Scores of a softmax held at a time: 20 MB, which stay in a processor's cache."""

EVERY = slice(None)


class _InBatchBpr(Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, targets: Tensor, rows: slice) -> Tensor:
        margins = queries @ targets.T  # R B, score of row b's session for row c's target
        margins -= (queries * targets[rows]).sum(1, keepdim=True)
        loss = functional.softplus(margins).mean()  # -log sigmoid(own - other)
        slopes = margins.sigmoid_()
        total = slopes.sum(1, keepdim=True)
        of_targets = (queries.T @ slopes).T.contiguous()
        of_targets[rows] -= total * queries
        of_queries = (targets.T @ slopes.T).T.contiguous() - total * targets[rows]
        ctx.save_for_backward(of_queries, of_targets)
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        of_queries, of_targets = ctx.saved_tensors
        scale = outputs[0] / (len(of_queries) * len(of_targets))
        return scale * of_queries, scale * of_targets, None


def in_batch_bpr(
    queries: Tensor, targets: Tensor, offsets: Tensor | float = 0.0, rows: slice = EVERY
) -> Tensor:
    """Return the mean of -log sigmoid(s(b, b) - s(b, c)) over all pairs of a batch.

    The targets of the other rows are the negatives, as in the public code of ALKDRec; the diagonal
    adds a constant log 2 / B.

    Args:
        queries: session vectors of ``rows``.  # R D
        targets: vectors of the targets of all rows.  # B D
        offsets: offsets of all rows' targets, if the recipe has any.  # B
        rows: whose margins are averaged; all of them, unless processes share the batch.
    """
    if isinstance(offsets, Tensor):  # an offset is a factor of one more feature
        queries = functional.pad(queries, (0, 1), value=1.0)
        targets = torch.cat([targets, offsets[:, None]], dim=1)
    result: Tensor = _InBatchBpr.apply(queries, targets, rows)  # type: ignore[no-untyped-call]
    return result


class _Softmax(Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, vectors: Tensor, bias: Tensor | None, targets: Tensor
    ) -> Tensor:
        (n, d), n_items = queries.shape, len(vectors)
        of_queries, of_vectors = torch.empty_like(queries), queries.new_zeros(d, n_items)
        of_bias = queries.new_zeros(n_items)
        own = queries.new_empty(n, 1)  # probability of each row's target
        step = -(-n // -(-n * n_items // SCORES_AT_ONCE))  # blocks of equal length
        scores = queries.new_empty(step, n_items)
        for start in range(0, n, step):
            rows = slice(start, start + step)
            q, target = queries[rows], targets[rows, None]
            p = torch.mm(q, vectors.T, out=scores[: len(q)])
            if bias is not None:
                p += bias
            torch.softmax(p, 1, out=p)
            own[rows] = p.gather(1, target)
            p.scatter_add_(1, target, p.new_full(target.shape, -1.0))  # now the slopes
            torch.mm(p, vectors, out=of_queries[rows])
            of_vectors.addmm_(q.T, p)
            of_bias += p.sum(0)
        of_vectors = of_vectors.T.contiguous()
        ctx.save_for_backward(of_queries, of_vectors, None if bias is None else of_bias)
        return -own.clamp_min(torch.finfo(own.dtype).tiny).log().mean()

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        of_queries, of_vectors, of_bias = ctx.saved_tensors
        scale = outputs[0] / len(of_queries)
        of_bias = None if of_bias is None else scale * of_bias
        return scale * of_queries, scale * of_vectors, of_bias, None


def softmax_cross_entropy(
    queries: Tensor, vectors: Tensor, bias: Tensor | None, targets: Tensor
) -> Tensor:
    """Return the mean cross-entropy of the targets under a softmax over all rows of ``vectors``.

    A row's loss is told up to 87, where a float32 probability ends; its gradient is exact beyond.

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
    both = torch.cat([targets, drawn])  # one look-up: its gradient is as long as the catalogue
    positive, negative = model.item_vectors(both).tensor_split([len(targets)])
    own = (queries * positive).sum(1, keepdim=True) + model.item_offsets(targets[:, None])  # B 1
    others = queries @ negative.T + model.item_offsets(drawn)  # B K
    others = others + math.log(model.n_items / len(drawn))
    others = others.masked_fill(drawn == targets[:, None], -torch.inf)
    scores = torch.cat([own, others], dim=1)
    return functional.cross_entropy(scores, torch.zeros_like(targets))
