"""Item tables as product codes: a few bytes an item, and books that all items share.

A row is cut into parts of equal width. Of each part one byte is kept, the number of a vector in
that part's book (Jégou et al. 2011, TPAMI 33(1), product quantisation):
row of i = book_1[c_i1] .. book_M[c_iM]. Ten bytes may so stand for forty numbers, while a table of
ten numbers has no more than ten directions to tell items apart.

Departures: rows weigh by a power of their popularity where books are made; and the books are
trained further by the model's own loss while the codes stay (`coding`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from pipeline.recommenders.base import EmbeddingRecommender

BOOK = 256
"""Vectors of a book at most: a code is a byte."""
CODES, BOOKS = ".codes", ".books"
_ROUNDS = 15
_ROWS_AT_ONCE = 2**14


class ProductCodes(nn.Module):
    """What makes a table of its books, as a parametrisation of ``nn.Embedding``'s weight.

    Row 0, the padding, is zero and gives no gradient.
    """

    codes: Tensor

    def __init__(self, codes: Tensor, weights: Tensor) -> None:
        """Keep the codes.

        Args:
            codes: numbers of vectors.  # R M, int64
            weights: of the rows, where books are made of a table.  # R
        """
        super().__init__()
        self.register_buffer("codes", codes)
        self._weights = weights

    def forward(self, books: Tensor) -> Tensor:
        """Return the table.  # M 256 D/M -> R D."""
        pairs = zip(self.codes.T, books, strict=True)
        table = torch.cat([functional.embedding(code, book) for code, book in pairs], dim=1)
        return table.index_fill(0, torch.zeros(1, dtype=torch.int64, device=table.device), 0)

    def right_inverse(self, table: Tensor) -> Tensor:
        """Return the books that are nearest to a table, its codes being given.  # R D -> M 256 S.

        A vector is the weighted mean of the rows that have its number.
        """
        cut = table.reshape(*self.codes.shape, -1).transpose(0, 1)  # M R S
        pairs = zip(cut, self.codes.T, strict=True)
        return torch.stack([_means(part, code, self._weights) for part, code in pairs])


def learn_codes(table: Tensor, weights: Tensor, parts: int, generator: torch.Generator) -> Tensor:
    """Return each row's numbers in books made by weighted k-means.  # R M, int64.

    Args:
        table: item vectors; row 0 is the padding.  # R D
        weights: how much a row counts, at least 0; some are above it.  # R
        parts: codes a row; divides the table's width.
        generator: draws the first vectors, by weight.
    """
    if table.shape[1] % parts:
        raise ValueError(f"{parts} codes cannot share {table.shape[1]} numbers evenly")
    cut = table.reshape(len(table), parts, -1).transpose(0, 1)  # M R S
    return torch.stack([_clusters(part, weights, generator) for part in cut], dim=1)


def _clusters(rows: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """Return the number of each row's cluster.  # R S -> R."""
    count = min(BOOK, int((weights > 0).sum()))
    drawn = torch.multinomial(weights, count, generator=generator)
    vectors = rows[drawn].clone()
    for _ in range(_ROUNDS):
        nearest = _nearest(rows, vectors)
        means = _means(rows, nearest, weights)[:count]
        used = torch.zeros(count).index_add_(0, nearest, weights) > 0
        vectors = torch.where(used[:, None], means, vectors)
    return _nearest(rows, vectors)


def _nearest(rows: Tensor, vectors: Tensor) -> Tensor:
    """Return the number of the nearest vector, the first of equally near ones.  # R."""
    half = (vectors * vectors).sum(1) / 2
    blocks = torch.split(rows, _ROWS_AT_ONCE)
    return torch.cat([(half - some @ vectors.T).argmin(1) for some in blocks])


def _means(rows: Tensor, numbers: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of the rows of each number, 0 where none weighs.  # 256 S."""
    total = rows.new_zeros(BOOK, rows.shape[1]).index_add_(0, numbers, rows * weights[:, None])
    weight = rows.new_zeros(BOOK).index_add_(0, numbers, weights)
    return total / torch.where(weight > 0, weight, 1)[:, None]


def encode_tables(
    model: EmbeddingRecommender, weights: Tensor, parts: int, generator: torch.Generator
) -> None:
    """Put books in the place of a model's item tables; from here on they are its weights."""
    for table in {id(one): one for one in (model.items, model.context)}.values():
        codes = learn_codes(table.weight.detach(), weights, parts, generator)
        parametrize.register_parametrization(table, "weight", ProductCodes(codes, weights))


def decode_tables(model: EmbeddingRecommender) -> None:
    """Put plain tables in the place of a model's books, with the same numbers."""
    for table in (model.items, model.context):
        if parametrize.is_parametrized(table, "weight"):
            parametrize.remove_parametrizations(table, "weight", leave_parametrized=True)


def stored_tensors(model: EmbeddingRecommender) -> dict[str, Tensor]:
    """Return what is stored of a model with books: bytes, books in 16 bits, offsets in 16 bits."""
    stored: dict[str, Tensor] = {}
    for name, weight in model.named_parameters():
        place, found, _ = name.partition(".parametrizations.weight.original")
        if found:
            codes = model.get_submodule(f"{place}.parametrizations.weight.0").get_buffer("codes")
            stored[f"{place}.weight{CODES}"] = codes.to(torch.uint8)
            stored[f"{place}.weight{BOOKS}"] = weight.detach().half()
        else:
            offsets = weight.dim() == 1 and len(weight) == model.n_items + 1
            stored[name] = weight.detach().half() if offsets else weight.detach().clone()
    return stored


def read_tensors(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a plain model's weights, float32, made of what was stored."""
    weights: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(CODES):
            codes = ProductCodes(tensor.long(), torch.ones(len(tensor)))
            books = stored[name.removesuffix(CODES) + BOOKS].float()
            weights[name.removesuffix(CODES)] = codes(books)
        elif not name.endswith(BOOKS):
            weights[name] = tensor.float()
    return weights
