"""Weights of a hybrid's parts, chosen on sessions that did not stop the student's training."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from pipeline.params import HybridParams
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.hybrid import StudentShares
from pipeline.recommenders.itemknn_titles import ItemKnnTitles
from pipeline.recommenders.ranking import gains_at_10, ranks_of_mixtures
from pipeline.recommenders.titles import TitleCosines


@dataclass(frozen=True)
class Choice:
    """Weights beside the counts', and what the student gains."""

    titles: float
    students: float
    ndcg: float
    """NDCG@10 of these weights on the sessions that chose them."""
    without: float
    """That of counts and titles alone."""
    gain: float
    """Of the best weights with a student over those without, whether or not it was taken."""
    error: float
    """Standard error of the gain over sessions."""


def choose_weights(
    counting: ItemKnnTitles,
    titles: TitleCosines,
    students: StudentShares,
    sessions: SessionBatches,
    params: HybridParams,
) -> Choice:
    """Return the best weights of one grid over titles and students together.

    Without students the weight of the titles is that of ``counting``. The students are taken if
    they gain more than ``params.margin`` standard errors: a grid's best is better than it should
    be, and what gains next to nothing is not worth its bytes.

    Args:
        counting: counts and titles, whose own weight stands without students.
        titles: with the features of the catalogue's titles.
        students: as they will be stored.
        sessions: validation sessions.
        params: the grid and the margin.
    """
    alone = counting.numbers["title_weight"]
    grid = [(share * k, k) for k, share in product(params.student_weight, params.title_share)]
    tried = [(1.0, alone, 0.0), *((1.0, weight, k) for weight, k in grid)]
    parts = (counting.counts, titles, students)
    ranks = ranks_of_mixtures(parts, tried, sessions, sessions.examples("last"))
    gains = gains_at_10(ranks)  # W X
    best = 1 + int(gains[1:].mean(1).argmax())
    gain, error = _mean_and_error(gains[best] - gains[0])
    chosen = best if gain > params.margin * error else 0
    _, weight, k = tried[chosen]
    figures = gains.mean(1).tolist()
    return Choice(weight, k, figures[chosen], figures[0], gain, error)


def _mean_and_error(differences: Tensor) -> tuple[float, float]:
    spread = differences.std() if len(differences) > 1 else torch.inf
    return float(differences.mean()), float(spread / len(differences) ** 0.5)
