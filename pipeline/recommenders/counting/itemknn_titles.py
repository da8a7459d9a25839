"""Counting with titles: what was clicked near, and what is called alike.

score(i | s) = c(i | s) + lambda t(i | s)

c: the scores of `itemknn` as shares of their sum over all items; t: cosine of the item's title with
the session's titles, each weighed by its place as in c. Items without a training event have a t.
What is stored is packed counts and the words of the titles; vectors are made on loading. A model is
always made from its stored form, so that what validation saw is what is served.
"""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from pipeline.recommenders.counting.itemknn import Form, ItemKnn, both_ways, to_length
from pipeline.recommenders.counting.packing import unpack_texts
from pipeline.recommenders.counting.stored_counts import numbers_in, unpack
from pipeline.recommenders.counting.titles import TitleCosines
from pipeline.recommenders.mixture import Mixture


class CountShares:
    """The scores of a counting model as shares of their sum over the catalogue."""

    def __init__(self, counting: ItemKnn) -> None:
        self.counting = counting
        self.n_items, self.max_length = counting.n_items, counting.max_length
        self.width = self.max_length

    def encode(self, sessions: Tensor) -> Tensor:
        """Return the sessions, all of one length.  # B L -> B width."""
        return to_length(sessions, self.width)

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return shares; 0 where nothing was ever near the session's items.  # B last-first."""
        sessions = queries.long()
        total = self.counting.total(sessions)[:, None]
        return self.counting.score(sessions, first, last) / torch.where(total > 0, total, 1)


class ItemKnnTitles(Mixture):
    """Counts and titles, made from packed tensors and the numbers that say how to read them."""

    def __init__(self, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.numbers, self._tensors = numbers, tensors
        self.counts, self.titles = counts_of(numbers, tensors), titles_of(numbers, tensors)
        super().__init__([self.counts, self.titles], [1, numbers["title_weight"]])

    @classmethod
    def restore(cls, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> "ItemKnnTitles":
        """Return the model whose numbers and tensors were saved."""
        return cls(numbers, tensors)

    def tensors(self) -> dict[str, Tensor]:
        """Return what is stored."""
        return self._tensors

    def scorable(self) -> Tensor:
        """Return which items have a training event or a title that weighs.  # N+1, bool."""
        return torch.from_numpy(self.counts.counting.popularity > 0) | self.titles.titled()


def describe(form: Form, max_length: int, neighbours: int, n_items: int) -> dict[str, Any]:
    """Return the numbers by which stored counts are read."""
    read = {"form": asdict(form), "max_length": max_length, "neighbours": neighbours}
    return {"model": "itemknn_titles", "n_items": n_items, **read}


def with_titles(
    numbers: dict[str, Any], counts: dict[str, Tensor], titles: Tensor, weight: float
) -> ItemKnnTitles:
    """Return counts and titles in one model; titles that weigh nothing are not stored."""
    kept = {**counts, "titles": titles} if weight else counts
    known = {"title_weight": weight, "parameters": numbers_in(counts)}
    return ItemKnnTitles({**numbers, **known}, kept)


def counts_of(numbers: dict[str, Any], tensors: dict[str, Tensor]) -> CountShares:
    """Return the counts that were stored, as a recommender."""
    form = Form(**numbers["form"])
    forward, popularity = unpack(tensors, numbers["n_items"], form.decay)
    counts = both_ways(forward, form.backward, numbers["neighbours"])
    return CountShares(ItemKnn(counts, popularity, form, numbers["max_length"]))


def titles_of(numbers: dict[str, Any], tensors: dict[str, Tensor]) -> TitleCosines:
    """Return the titles that were stored, as a recommender; empty ones if none were."""
    n_items = numbers["n_items"]
    texts = unpack_texts(tensors["titles"]) if "titles" in tensors else [""] * n_items
    if len(texts) != n_items:
        raise ValueError(f"{len(texts)} titles of {n_items} items")
    return TitleCosines(texts, numbers["form"]["recency"], numbers["max_length"])
