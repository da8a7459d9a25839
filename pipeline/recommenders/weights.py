"""Weights of a hybrid's parts, chosen on sessions that did not stop the student's training."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from pipeline.params.distillation import HybridParams
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.counting.itemknn_titles import ItemKnnTitles
from pipeline.recommenders.counting.titles import TitleCosines
from pipeline.recommenders.hybrid import StudentShares
from pipeline.recommenders.ranking import gains_at_10, ranks_of_mixtures

Weights = tuple[float, float, float]
"""Of counts, titles and students."""


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
    tried = grid(counting.numbers["title_weight"], params)
    parts = (counting.counts, titles, students)
    ranks = ranks_of_mixtures(parts, tried, sessions, sessions.examples("last"))
    return chosen(gains_at_10(ranks), tried, params.margin)


def grid(alone: float, params: HybridParams) -> list[Weights]:
    """Return the weights of counts, titles and students that are tried; first, no student.

    Args:
        alone: weight of the titles without a student.
        params: weights of the students, and of the titles in units of them.
    """
    pairs = product(params.student_weight, params.title_share)
    return [(1.0, alone, 0.0), *((1.0, share * k, k) for k, share in pairs)]


def chosen(gains: Tensor, tried: Sequence[Weights], margin: float) -> Choice:
    """Return the choice among weights by their NDCG@10, a session a column.  # W X.

    With fewer than two sessions the error is infinite, and no student is taken.
    """
    best = 1 + int(gains[1:].mean(1).argmax())
    gain, error = _mean_and_error(gains[best] - gains[0])
    place = best if gain > margin * error else 0
    _, titles, students = tried[place]
    figures = gains.mean(1).tolist()
    return Choice(titles, students, figures[place], figures[0], gain, error)


def _mean_and_error(differences: Tensor) -> tuple[float, float]:
    count = len(differences)
    error = float(differences.std()) / count**0.5 if count > 1 else torch.inf
    return float(differences.mean()), error
