"""What every recommender can do, and what the neural ones have in common.

``Recommender`` is the seam that ranking, difficulty, distillation and evaluation use.
``EmbeddingRecommender`` gives a backbone its item tables; the backbone adds ``session_vectors``.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.params.training import FitParams, RoleParams

SHORT = 4
"""Places of the first group of sessions of like length; each next one has twice as many."""


@runtime_checkable
class Recommender(Protocol):
    """Scores items after a session, in two steps so that items can be scored by ranges."""

    n_items: int
    """Real items are 1..n_items; 0 is padding."""
    max_length: int
    """Most recent items of a session that the model looks at."""

    def encode(self, sessions: Tensor) -> Tensor:
        """Return what `score` needs of each session.

        Args:
            sessions: item indices, oldest first, padded with 0 on the left.  # B L, int64

        Returns:
            One row a session; its width is the model's own affair.  # B Q
        """
        ...

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return the scores of items ``first`` .. ``last - 1``, ``first >= 1``.  # B last-first."""
        ...


@runtime_checkable
class KnowsTitles(Protocol):
    """A recommender that can score items without a training event."""

    def scorable(self) -> Tensor:
        """Return which items it knows something of.  # N+1, bool."""
        ...


class EmbeddingRecommender(nn.Module):
    """Item tables and the inner product that all neural backbones share.

    ``items`` is the output table, ``context`` the table a session is looked up in: the same one if
    the recipe ties them. Row 0 of both is zero and stays so: no gradient reaches it.
    """

    cuts_padding: bool = True
    """Whether training leaves out padding; not where that takes longer than it saves."""

    def __init__(self, n_items: int, fit: FitParams, role: RoleParams) -> None:
        super().__init__()
        self.n_items = n_items
        self.max_length = fit.max_length
        self.items = nn.Embedding(n_items + 1, role.dimension, padding_idx=0)
        self.context = self.items
        if not fit.tied:
            self.context = nn.Embedding(n_items + 1, role.dimension, padding_idx=0)
        self.bias = nn.Parameter(torch.zeros(n_items + 1)) if fit.item_bias else None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights: Xavier-normal matrices, zero offsets, row 0 of the tables zero."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.dim() > 1:  # drawn on the CPU: the same numbers on every device
                    weight.copy_(nn.init.xavier_normal_(weight.cpu(), generator=generator))
                elif not name.endswith(("norm.weight", "places")):
                    weight.zero_()
            self.items.weight[0] = 0
            self.context.weight[0] = 0

    def encode(self, sessions: Tensor) -> Tensor:
        """Return the session vectors.  # B L -> B D.

        Most sessions are much shorter than the longest. Training on a processor takes those of
        like length together, cut to ``SHORT`` places, twice as many, and so on; the vectors are
        the same but for rounding, and dropout falls on other numbers.
        """
        items = self.context(sessions)  # one look-up: its gradient is as long as the catalogue
        if self.training and self.cuts_padding and sessions.device.type == "cpu":
            return self._by_length(sessions, items)
        return self.session_vectors(sessions, items)

    def session_vectors(self, sessions: Tensor, items: Tensor) -> Tensor:
        """Return the session vectors; more padding on the left must not change them.

        Args:
            sessions: item indices, padded with 0 on the left.  # B L, int64
            items: their rows of ``context``.  # B L D
        """
        raise NotImplementedError

    def _by_length(self, sessions: Tensor, items: Tensor) -> Tensor:
        widths = [SHORT]
        while widths[-1] < sessions.shape[1]:
            widths.append(2 * widths[-1])
        group = torch.bucketize((sessions > 0).sum(1), torch.tensor(widths))
        order = group.argsort(stable=True)
        sizes = group.bincount(minlength=len(widths)).tolist()
        rows = torch.split(sessions[order], sizes)
        rows_items = torch.split(items.index_select(0, order), sizes)
        vectors = [
            self.session_vectors(some[:, -width:], some_items[:, -width:])
            for some, some_items, width in zip(rows, rows_items, widths, strict=True)
            if len(some)
        ]
        return torch.cat(vectors).index_select(0, order.argsort())

    def item_vectors(self, index: Tensor | slice) -> Tensor:
        """Return rows of the output table in the form that scores use.  # ... D."""
        return self.item_rows(index)

    def item_rows(self, index: Tensor | slice) -> Tensor:
        """Return rows of the output table as they are stored.  # ... D.

        The gradient of a look-up adds rows in their order; that of an indexing adds them in the
        order in which threads come by, and the same seed would give other bytes.
        """
        if isinstance(index, slice):
            return self.items.weight[index]
        rows: Tensor = self.items(index)
        return rows

    def item_offsets(self, index: Tensor) -> Tensor | float:
        """Return the offsets of items, 0 where the recipe has none.  # ...."""
        if self.bias is None:
            return 0.0
        return functional.embedding(index, self.bias[:, None]).squeeze(-1)

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return inner products with items ``first`` to ``last - 1``, plus their offsets."""
        scores = queries @ self.item_vectors(slice(first, last)).T
        return scores if self.bias is None else scores.add_(self.bias[first:last])

    def pair_scores(self, queries: Tensor, index: Tensor) -> Tensor:
        """Return each session's scores of its own items.  # B D, B K -> B K."""
        scores = torch.einsum("bd,bkd->bk", queries, self.item_vectors(index))
        return scores + self.item_offsets(index)
