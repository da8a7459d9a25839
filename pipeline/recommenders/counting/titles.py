"""Titles as TF-IDF vectors of their words and of pieces of their words.

weight(g, i) = (1 + ln tf(g, i)) * (ln((1 + n) / (1 + df(g))) + 1)

tf: how often text i has the feature g; df: in how many of the n texts it is; features of one text
alone are left out. Words, and pieces of 3 to 5 characters of a word with a blank at both ends, are
two halves, each of length 1 and of the same weight (Salton and Buckley 1988; smoothed idf).
"""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import torch
from scipy import sparse
from torch import Tensor

from pipeline.recommenders.counting.itemknn import to_length, weighed

PIECES = (3, 4, 5)
"""Characters of a piece of a word."""
_WORD = re.compile(r"\w+")


def texts_of(catalog: pl.DataFrame) -> list[str]:
    """Return the words of each item's title, lower case, with one blank between them.  # N.

    A title that is the identifier is none: its text is empty.
    """
    titles = catalog.sort("item_index").select("title", "item_id").iter_rows()
    return [words_of(title) if title != name else "" for title, name in titles]


def words_of(title: str) -> str:
    """Return a title's words in lower case with one blank between them."""
    return " ".join(_WORD.findall(title.lower()))


def features(texts: Sequence[str]) -> sparse.csr_matrix:
    """Return TF-IDF vectors of length 1 of texts as `words_of` gives them, 0 of empty ones.

    Returns:
        float32; the columns are in the order in which features first come.  # N G
    """
    words, of_text = _counted(text.split() for text in texts)
    _, of_word = _counted(pieces(word) for word in words)
    halves = [_weighed(of_text), _weighed(of_text @ of_word)]  # a text has its words' pieces
    return _to_length_1(sparse.hstack(halves, format="csr"))


def pieces(word: str) -> Iterator[str]:
    """Yield the pieces of a word with a blank before and behind it."""
    framed = f" {word} "
    for length in PIECES:
        yield from (framed[at : at + length] for at in range(len(framed) - length + 1))


def _counted(rows: Iterable[Iterable[str]]) -> tuple[list[str], sparse.csr_matrix]:
    """Return what occurs, first things first, and how often in each row.  # G, R G."""
    numbers: dict[str, int] = {}
    columns, starts = array("i"), array("q", [0])  # four bytes a feature: catalogues can be long
    for row in rows:
        columns.extend(numbers.setdefault(one, len(numbers)) for one in row)
        starts.append(len(columns))
    ones = np.ones(len(columns), np.float32)
    found = ones, np.asarray(columns, np.int32), np.asarray(starts)
    counts = sparse.csr_matrix(found, shape=(len(starts) - 1, len(numbers)))
    counts.sum_duplicates()
    return list(numbers), counts


def _weighed(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return TF-IDF of length 1 of how often features occur in texts.  # N G -> N less than G."""
    counts = counts.sorted_indices()  # a copy
    texts, features = counts.shape
    texts_with = np.bincount(counts.indices, minlength=features)
    counts.data = 1 + np.log(counts.data)
    idf = (np.log((1 + texts) / (1 + texts_with)) + 1).astype(np.float32)
    return _to_length_1((counts @ sparse.diags(idf)).tocsr()[:, texts_with > 1])


def _to_length_1(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = (1 / np.where(lengths > 0, lengths, 1)).astype(rows.dtype)
    return (sparse.diags(scale) @ rows).tocsr()


class TitleCosines:
    """Scores are cosines of an item's title with the titles of a session, recent ones first."""

    def __init__(self, texts: list[str], recency: float, max_length: int) -> None:
        self.recency, self.max_length, self.n_items = recency, max_length, len(texts)
        self.width = max_length
        self.rows = features(["", *texts])  # N+1 G
        self._every = np.ones(len(texts) + 1)

    def titled(self) -> Tensor:
        """Return whether an item's title says anything; the padding's does not.  # N+1, bool."""
        return torch.from_numpy(np.diff(self.rows.indptr) > 0)

    def encode(self, sessions: Tensor) -> Tensor:
        """Return the sessions, all of one length.  # B L -> B width."""
        return to_length(sessions, self.width)

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return cosines from 0 to 1; 0 where a title, or all of a session's, say nothing.

        Sparse rows times the few features that occur in these sessions: nothing is ever items by
        items, and a shorter range of items takes less time.
        """
        sessions = weighed(queries.long(), self.recency, self._every)
        asked = _to_length_1((sessions @ self.rows).tocsr())  # B G
        used = np.unique(asked.indices)
        wanted = np.ascontiguousarray(asked[:, used].toarray().T)  # U B
        found = self.rows[first:last][:, used] @ wanted
        return torch.from_numpy(np.ascontiguousarray(found.T, dtype=np.float32))
