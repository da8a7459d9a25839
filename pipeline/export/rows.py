"""Item tables with one byte a number and one factor a row."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.recommenders.base import EmbeddingRecommender

LARGEST = 127
SMALLEST = torch.finfo(torch.float32).tiny
"""Of a factor: below it float32 has too few bits for a quotient to stay within `LARGEST`."""


def quantised(table: Tensor) -> tuple[Tensor, Tensor]:
    """Return a table's rows as whole numbers and the factor of each.  # R D -> R D int8, R."""
    factor = (table.abs().amax(1) / LARGEST).clamp_min(SMALLEST)
    return (table / factor[:, None]).round().to(torch.int8), factor


class Rows(nn.Module):
    """A table kept as int8 that is looked up like an `nn.Embedding`, in float64."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        whole, factor = quantised(table.detach())
        self.register_buffer("whole", whole)  # N+1 D
        self.register_buffer("factor", factor)  # N+1
        self.whole: Tensor
        self.factor: Tensor
        self.embedding_dim = table.shape[1]

    def forward(self, index: Tensor) -> Tensor:
        """Return rows of the table.  # ... -> ... D."""
        return self.whole[index].double() * self.factor[index].double()[..., None]

    @property
    def weight(self) -> Tensor:
        """The whole table.  # N+1 D."""
        return self.whole.double() * self.factor.double()[:, None]


def with_rows(model: EmbeddingRecommender) -> tuple[EmbeddingRecommender, Rows]:
    """Return a copy of a model whose one or two item tables are `Rows`, and its output table."""
    copied = copy.deepcopy(model)
    tied = copied.items is copied.context
    items = Rows(copied.items.weight)
    context = items if tied else Rows(copied.context.weight)
    copied.items, copied.context = cast("nn.Embedding", items), cast("nn.Embedding", context)
    return copied, items


def item_factors(model: EmbeddingRecommender, table: Rows) -> Tensor:
    """Return by what each row becomes the vector that the model's scores use.  # N+1.

    That is the row's own factor where rows are used as they are, another one where they are used
    at unit length.

    Raises:
        TypeError: the backbone makes something else of its rows.
    """
    rows = table.whole.double()
    vectors = model.item_vectors(slice(0, None)).double()  # N+1 D
    found = ((vectors * rows).sum(1) / (rows * rows).sum(1).clamp_min(1)).float()
    if not torch.allclose(rows * found[:, None], vectors, rtol=1e-6, atol=1e-7):
        raise TypeError(f"{type(model).__name__}: item vectors are no multiples of table rows")
    return table.factor if torch.equal(found[1:], table.factor[1:]) else found
