"""A neural recommender as it is served: whole sessions in, the best items out."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.recommenders.base import EmbeddingRecommender


class Served(nn.Module):
    """Scores, and the best items that may be shown.

    What a phone would otherwise do by hand is part of it: a session is cut or padded to the
    length that the model looks at, and what can never be an answer (the session's own items,
    items without a training event) is left out.
    """

    rewritten: ClassVar[dict[Any, Callable[..., Any]]] = {}
    """Operators to be written in terms of others, because a runtime lacks them."""

    def __init__(self, model: EmbeddingRecommender, cold: Tensor) -> None:
        super().__init__()
        self.model = model.eval()
        self.register_buffer("cold", cold)  # N: no event in training
        self.cold: Tensor

    def forward(self, session: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best items, their scores, and the scores of all items.

        Args:
            session: item indices, oldest first, padded with 0 on the left.  # B L, int64
            count: how many items, at most `n_items`.

        Returns:
            items: item indices, best first.  # B count, int64
            values: their scores; minus infinity where nothing is left to show.  # B count
            scores: of items 1, 2, ..., whether they may be shown or not.  # B N
        """
        length = self.model.max_length
        scores = self.scores(functional.pad(session, (length, 0))[:, -length:])
        held = torch.zeros(session.shape[0], self.model.n_items + 1, dtype=torch.bool)
        held = held.scatter(1, session, value=True)[:, 1:]  # column 0 is padding
        best = scores.masked_fill(held | self.cold, -torch.inf).topk(count)
        return best.indices + 1, best.values, scores

    def scores(self, window: Tensor) -> Tensor:
        """Return the scores of all items after the end of a session.  # B L -> B N."""
        return self.model.score(self.model.encode(window), 1, self.model.n_items + 1)
