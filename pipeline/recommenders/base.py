"""What every recommender can do, neural or counting: the seam that ranking and distillation use."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Recommender(Protocol):
    """Scores items after a session, in two steps so that a large catalogue is scored by blocks."""

    n_items: int
    """Real items are 1..n_items; 0 is padding."""

    def encode(self, sessions: Tensor) -> Tensor:
        """Return what `score` needs of each session.

        Args:
            sessions: item indices, oldest first, padded with 0 on the left.  # B L, int64

        Returns:
            One row a session; its width is the model's own affair.  # B Q
        """
        ...

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return the scores of items ``first`` to ``last - 1`` (``first >= 1``).  # B last-first."""
        ...
