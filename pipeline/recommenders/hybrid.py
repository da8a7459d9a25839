"""Counts, titles and small trained models in one.

score(i | s) = a c(i | s) + lambda t(i | s) + k p(i | s)

c, t: as in `itemknn_titles`; p: the mean over the students of their softmax over the items with a
training event: what a student says of the others was never learnt, so they live by their titles.
The softmax needs every item's score once a session: `encode` takes their sum range by range and
hands its logarithm on, so that scores of a range need that range alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.compact.quantised import Quantised
from pipeline.recommenders.counting.itemknn_titles import counts_of, titles_of
from pipeline.recommenders.counting.packing import pack_numbers
from pipeline.recommenders.counting.stored_counts import numbers_in, popularity_in
from pipeline.recommenders.mixture import Mixture, Part

PARTS = ("counts", "titles", "students")
RANGE = 2**14
"""Items scored at once for the softmax's sum."""


class StudentShares:
    """The mean of the students' softmaxes over the items with a training event."""

    def __init__(
        self, students: Sequence[EmbeddingRecommender], popularity: NDArray[np.float32]
    ) -> None:
        self.students = students
        self._unknown = torch.from_numpy(np.where(popularity > 0, 0, -np.inf).astype(np.float32))
        self.n_items = students[0].n_items
        self.max_length = max(one.max_length for one in students)
        self._widths = [one.items.embedding_dim + 1 for one in students]
        self.width = sum(self._widths)

    @torch.no_grad()
    def encode(self, sessions: Tensor) -> Tensor:
        """Return each student's session vector and the logarithm of its softmax's sum.  # B Q."""
        queries = [one.encode(sessions[:, -one.max_length :]) for one in self.students]
        pairs = [
            (query, self._log_sum(one, query))
            for one, query in zip(self.students, queries, strict=True)
        ]
        return torch.cat([part for pair in pairs for part in pair], dim=1)

    @torch.no_grad()
    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return mean probabilities of items ``first`` to ``last - 1``.  # B last-first."""
        each = torch.split(queries.float(), self._widths, dim=1)
        shares = [
            (self._scores(one, query[:, :-1], first, last) - query[:, -1:]).exp_()
            for one, query in zip(self.students, each, strict=True)
        ]
        return torch.stack(shares).mean(0)

    def _scores(
        self, student: EmbeddingRecommender, queries: Tensor, first: int, last: int
    ) -> Tensor:
        return student.score(queries, first, last) + self._unknown[first:last]

    def _log_sum(self, student: EmbeddingRecommender, queries: Tensor) -> Tensor:
        """Return log of the sum over all items of e^score.  # B 1."""
        total = torch.full((len(queries), 1), -torch.inf)
        for first in range(1, self.n_items + 1, RANGE):
            scores = self._scores(student, queries, first, min(first + RANGE, self.n_items + 1))
            total = torch.logaddexp(total, scores.logsumexp(1, keepdim=True))
        return total


class Hybrid(Mixture):
    """A mixture made from what was stored of it."""

    def __init__(
        self,
        numbers: dict[str, Any],
        tensors: dict[str, Tensor],
        students: Sequence[EmbeddingRecommender],
    ) -> None:
        self.numbers, self._tensors = numbers, tensors
        self._titles = titles_of(numbers, tensors)
        self._popularity = popularity_in(tensors, numbers["n_items"])
        weights = numbers["weights"]
        parts: list[Part] = []
        if weights["counts"]:
            parts.append(counts_of(numbers, tensors))
        parts.append(self._titles)
        if weights["students"]:
            parts.append(StudentShares(students, self._popularity))
        names = [name for name in PARTS if weights[name] or name == "titles"]
        super().__init__(parts, [weights[name] for name in names])

    def tensors(self) -> dict[str, Tensor]:
        """Return what is stored."""
        return self._tensors

    def scorable(self) -> Tensor:
        """Return which items have a training event or a title that weighs.  # N+1, bool."""
        return torch.from_numpy(self._popularity > 0) | self._titles.titled()


def mixed(
    numbers: dict[str, Any],
    tensors: dict[str, Tensor],
    students: Sequence[Quantised],
    weights: dict[str, float],
) -> Hybrid:
    """Return a hybrid in which everything that weighs nothing is left out.

    Args:
        numbers: as `itemknn_titles.describe` gives them.
        tensors: packed counts and ``titles``.
        students: as they will be stored.
        weights: of the `PARTS`.
    """
    n_items = numbers["n_items"]
    taken = list(students) if weights["students"] else []
    counts = {name: value for name, value in tensors.items() if name != "titles"}
    if not weights["counts"]:  # which items are cold must be known even so
        counts = {"popularity": pack_numbers(popularity_in(counts, n_items))}
    titles = {"titles": tensors["titles"]} if weights["titles"] else {}
    learnt = {
        f"{place}.{name}": value
        for place, one in enumerate(taken)
        for name, value in one.tensors.items()
    }
    described = {
        **{name: numbers[name] for name in ("n_items", "form", "max_length", "neighbours")},
        "model": "hybrid",
        "weights": weights,
        "students": [one.description for one in taken],
        "parameters": numbers_in(counts) + sum(one.description["parameters"] for one in taken),
    }
    return Hybrid(described, {**counts, **titles, **learnt}, [one.model for one in taken])


def of_student(tensors: dict[str, Tensor], place: int) -> dict[str, Tensor]:
    """Return the tensors of one of the students that a hybrid holds."""
    start = f"{place}."
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
