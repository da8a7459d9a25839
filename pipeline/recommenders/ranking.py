"""True ranks and best items from scores, over catalogues of any length."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pipeline.recommenders.base import Recommender
from pipeline.recommenders.batches import SessionBatches

SCORES_AT_ONCE = 2**22
"""Scores held at a time: 16 MiB, or sixteen sessions' worth if the catalogue is longer."""


def target_ranks(model: Recommender, batches: SessionBatches, examples: Tensor) -> Tensor:
    """Return the rank of each example's target among the items not in its session.

    rank = 1 + the number of eligible items whose score is not below the target's: ties, and scores
    that are no numbers, count against the model. A target that its session already holds is never
    recommended: it comes after all eligible items.

    Args:
        model: any recommender; it is used as it is, so call ``eval()`` on it first.
        batches: the sessions.
        examples: places of first item and target.  # X 2

    Returns:
        Ranks from 1.  # X, int32
    """
    ranks = torch.empty(len(examples), dtype=torch.int32)
    longest = int((examples[:, 1] - examples[:, 0]).max()) if len(examples) else 1
    for start, stop in _chunks(len(examples), model.n_items):
        chunk = examples[start:stop]
        scores = _scores(model, batches.inputs(chunk, model.max_length))
        seen = batches.inputs(chunk, longest)  # the whole session is excluded, not only its end
        ranks[start:stop] = _ranks(scores, batches.targets(chunk), seen)
    return ranks


def ranks_of_mixtures(
    parts: Sequence[Recommender],
    weights: Sequence[Sequence[float]],
    batches: SessionBatches,
    examples: Tensor,
) -> Tensor:
    """Return `target_ranks` of weighted sums of recommenders; each scores once for all sums.

    Args:
        parts: what is summed, of one catalogue.
        weights: of each sum, a number a part.  # W P
        batches: the sessions.
        examples: places of first item and target.  # X 2

    Returns:
        Ranks from 1.  # W X, int32
    """
    ranks = torch.empty(len(weights), len(examples), dtype=torch.int32)
    longest = int((examples[:, 1] - examples[:, 0]).max()) if len(examples) else 1
    for start, stop in _chunks(len(examples), parts[0].n_items):
        chunk = examples[start:stop]
        seen, targets = batches.inputs(chunk, longest), batches.targets(chunk)
        scores = [_scores(part, batches.inputs(chunk, part.max_length)) for part in parts]
        for row, weights_of_one in zip(ranks, weights, strict=True):
            row[start:stop] = _ranks(weighted_sum(scores, weights_of_one), targets, seen)
    return ranks


def weighted_sum(scores: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the sum of scores, each times its weight; what weighs nothing takes no part."""
    total = torch.zeros_like(scores[0])
    for one, weight in zip(scores, weights, strict=True):
        if weight:
            total.add_(one, alpha=weight)
    return total


def _ranks(scores: Tensor, targets: Tensor, seen: Tensor) -> Tensor:
    """Return the ranks of targets; ``scores`` are overwritten."""
    own = scores.gather(1, targets[:, None] - 1)  # B 1
    seen = _without_repeats(seen)
    present = seen > 0
    seen_below = ((scores.gather(1, (seen - 1).clamp_min(0)) < own) & present).sum(1)
    below = scores.lt_(own).sum(1).long()  # sums of ones are exact in float32 to 2**24 items
    eligible = scores.shape[1] - present.sum(1)
    held = (seen == targets[:, None]).any(1)
    return torch.where(held, eligible + 1, eligible - (below - seen_below)).to(torch.int32)


def _without_repeats(seen: Tensor) -> Tensor:
    ordered = seen.sort(1).values
    repeats = torch.zeros_like(ordered, dtype=torch.bool)
    repeats[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return ordered.masked_fill(repeats, 0)


def top_items(model: Recommender, sessions: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the best items outside each session and their scores, best first.

    Equal scores are ordered by item index, so that the result does not depend on the hardware.

    Args:
        model: any recommender, in evaluation mode.
        sessions: item indices padded with 0 on the left.  # B L
        count: how many; at most ``n_items`` less the longest session.

    Returns:
        Item indices and scores.  # B count, B count
    """
    found = torch.empty(len(sessions), count, dtype=torch.int64)
    values = torch.empty(len(sessions), count)
    for start, stop in _chunks(len(sessions), model.n_items):
        chunk = sessions[start:stop]
        scores = _scores(model, chunk[:, -model.max_length :])
        rows = torch.arange(len(chunk))[:, None].expand_as(chunk)
        scores[rows[chunk > 0], chunk[chunk > 0] - 1] = -torch.inf
        places, values[start:stop] = _best(scores, count)
        found[start:stop] = places + 1
    return found, values


def _best(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return places and values of the largest scores; of equal ones the first come first."""
    values, places = scores.topk(min(count + 1, scores.shape[1]), dim=1)
    torn = (values[:, count - 1 : count] == values[:, count:]).any(1)  # `topk` took any of these
    values, places = values[:, :count], places[:, :count]
    order = places.argsort(1)
    places, values = places.gather(1, order), values.gather(1, order)
    order = values.argsort(dim=1, descending=True, stable=True)
    places, values = places.gather(1, order), values.gather(1, order)
    if torn.any():
        ordered = scores[torn].sort(dim=1, descending=True, stable=True)
        places[torn], values[torn] = ordered.indices[:, :count], ordered.values[:, :count]
    return places, values


def ndcg_at_10(ranks: Tensor) -> float:
    """Return the mean of 1 / log2(rank + 1) over ranks up to 10, else 0: what is validated."""
    return float(gains_at_10(ranks).mean())


def gains_at_10(ranks: Tensor) -> Tensor:
    """Return NDCG@10 of each rank.  # ..., float64."""
    return torch.where(ranks <= 10, 1 / torch.log2(ranks.double() + 1), 0.0)


@torch.no_grad()
def _scores(model: Recommender, sessions: Tensor) -> Tensor:
    return model.score(model.encode(sessions), 1, model.n_items + 1)


def sessions_at_once(n_items: int) -> int:
    """Return how many sessions are scored together: a product's last bits depend on it."""
    return max(16, SCORES_AT_ONCE // max(n_items, 1))


def _chunks(count: int, n_items: int) -> Iterator[tuple[int, int]]:
    step = sessions_at_once(n_items)
    for start in range(0, count, step):
        yield start, min(start + step, count)
