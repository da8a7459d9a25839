"""Popularity: every session is recommended the items with most training events."""

from typing import Any

import torch
from torch import Tensor

from pipeline.recommenders.batches import SessionBatches


class Popularity:
    """Training events an item, the same for every session."""

    max_length = 1

    def __init__(self, counts: Tensor) -> None:
        self.counts = counts  # N+1, float32; 0 at the padding
        self.n_items = len(counts) - 1

    @classmethod
    def counted(cls, training: SessionBatches, n_items: int) -> "Popularity":
        """Count the training sessions' events, targets included."""
        return cls(torch.bincount(training.items, minlength=n_items + 1).float())

    @classmethod
    def restore(cls, _: dict[str, Any], tensors: dict[str, Tensor]) -> "Popularity":
        """Return the model whose tensors were saved."""
        return cls(tensors["counts"])

    def tensors(self) -> dict[str, Tensor]:
        """Return what is stored."""
        return {"counts": self.counts}

    def encode(self, sessions: Tensor) -> Tensor:
        """Return an empty row a session: popularity looks at none of them.  # B 0."""
        return torch.empty(len(sessions), 0)

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return the counts of items ``first`` to ``last - 1`` for each session."""
        return self.counts[first:last].repeat(len(queries), 1)
