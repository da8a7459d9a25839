"""A weighted sum of recommenders that is a recommender itself, scored by ranges of items."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from pipeline.recommenders.base import Recommender
from pipeline.recommenders.ranking import weighted_sum


class Part(Recommender, Protocol):
    """A recommender whose queries have a width that is known beforehand."""

    @property
    def width(self) -> int:
        """Columns of what `encode` returns."""
        ...


class Mixture:
    """Parts and their weights; a part without weight is neither asked nor scored."""

    def __init__(self, parts: Sequence[Part], weights: Sequence[float]) -> None:
        known = zip(parts, weights, strict=True)
        self.used = [(part, weight) for part, weight in known if weight]
        self.n_items = parts[0].n_items
        self.max_length = max(part.max_length for part in parts)

    def encode(self, sessions: Tensor) -> Tensor:
        """Return the parts' queries side by side; in float64 item indices are exact.  # B Q."""
        queries = [part.encode(sessions[:, -part.max_length :]) for part, _ in self.used]
        return torch.cat([query.double() for query in queries], dim=1)

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return the weighted sums of the parts' scores.  # B last-first."""
        each = torch.split(queries, [part.width for part, _ in self.used], dim=1)
        scores = [
            part.score(query, first, last) for (part, _), query in zip(self.used, each, strict=True)
        ]
        return weighted_sum(scores, [weight for _, weight in self.used])
