"""The offline labeller: ranks candidates by titles and by co-occurrence. It is no LLM.

It lets the whole pipeline run without a network or a cent, and its answers have the form that an
LLM would give, so that everything behind it is the real thing. It sees titles and the training
sessions' co-occurrence, and counts a session's own pairs out: its held-back target is unknown to
it. Title similarity is the cosine of TF-IDF vectors, words and character trigrams to equal parts.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from pipeline.errors import LabelError
from pipeline.labelling.prompt import ranking_request
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case, Request, json_text

RECENCY = 0.7  # weight of an item of the session falls by this with its place from the end
TITLE_WEIGHT = 0.1  # of the title's cosine, the rest is co-occurrence; both chosen on validation
WORD = re.compile(r"\w+")
ENDPOINT = "offline:similarity"  # no name of a service has a colon: none is taken for an LLM's
DECIMALS = 9  # ranks must not hang on the last bit of a sum


def make(context: Context) -> "Similarity":
    """Return the provider."""
    return Similarity(context)


class Similarity:
    """Ranks a session's candidates without asking anybody."""

    free = True
    wants_hints = False
    batched = False

    def __init__(self, context: Context) -> None:
        self._context = context

    def request(self, case: Case) -> Request:
        """Return the request that an LLM would get."""
        context = self._context
        label = context.label.model_copy(update={"endpoint": ENDPOINT})
        return ranking_request(case, context.dataset, context.titles, context.ids, label)

    async def answer(self, request: Request) -> Answer:
        """Return the ranking as the JSON that was asked for."""
        if request.case is None:
            raise LabelError("similarity answers rankings only; it needs no hints")
        labels = {item_id: label for label, item_id in request.offered.items()}
        best = self.order(request.case, list(labels))
        length = self._context.label.ranking_length
        text = json_text({"ranking": [labels[item_id] for item_id in best[:length]]})
        return Answer(text, finish_reason="offline")

    def order(self, case: Case, item_ids: Sequence[str]) -> list[str]:
        """Return items best first, by what everything but this session's target says of them."""
        offered = np.array([self._index[item_id] for item_id in item_ids], dtype=np.int64)
        scores = np.round(self._scores(case, offered), DECIMALS)
        best = sorted(range(len(item_ids)), key=lambda n: (-scores[n], item_ids[n]))
        return [item_ids[n] for n in best]

    async def close(self) -> None:
        """Nothing is open."""

    def _scores(self, case: Case, offered: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a score for each offered item, weighted over the session's items."""
        seen = np.array(case.items, dtype=np.int64)
        weights = RECENCY ** np.arange(len(seen) - 1.0, -1, -1)
        weights /= weights.sum()
        titles = (self._titles[seen] @ self._titles[offered].T).toarray()  # S K
        together = self._together(case, seen, offered)
        scores: NDArray[np.float64] = weights @ (
            TITLE_WEIGHT * titles + (1 - TITLE_WEIGHT) * together
        )
        return scores

    def _together(
        self, case: Case, seen: NDArray[np.int64], offered: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return co-occurrence cosines over all training sessions but this one.  # S K."""
        pairs = self._pairs[seen][:, offered].toarray().astype(np.float64)
        counts = self._counts.copy()
        own = self._own(case.session_id)
        if own.size:
            counts[own] -= 1
            pairs -= np.isin(seen, own)[:, None] & np.isin(offered, own)[None, :]
        scale = np.sqrt((counts[seen][:, None] + 1) * (counts[offered][None, :] + 1))
        cosines: NDArray[np.float64] = pairs / scale
        return cosines

    def _own(self, session_id: int) -> NDArray[np.int64]:
        """Return the items a training session gave to the counts."""
        row = self._rows.get(session_id)
        matrix = self._memberships
        empty = np.empty(0, dtype=np.int64)
        return empty if row is None else matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]

    @cached_property
    def _training(self) -> pl.DataFrame:
        return self._context.sessions.filter(pl.col("part") == "training")

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {session: row for row, session in enumerate(self._training["session_id"])}

    @cached_property
    def _memberships(self) -> sparse.csr_matrix:
        """Training sessions by items, 1 where an item occurs."""
        lengths = self._training["items"].list.len().to_numpy()
        rows = np.repeat(np.arange(len(lengths)), lengths)
        items = self._training["items"].explode(empty_as_null=False).to_numpy()
        shape = (len(lengths), max(self._context.ids, default=0) + 1)
        matrix = sparse.csr_matrix((np.ones(len(rows), dtype=np.int64), (rows, items)), shape=shape)
        matrix.data[:] = 1
        return matrix

    @cached_property
    def _pairs(self) -> sparse.csr_matrix:
        return (self._memberships.T @ self._memberships).tocsr()

    @cached_property
    def _counts(self) -> NDArray[np.float64]:
        counts: NDArray[np.float64] = np.asarray(self._memberships.sum(axis=0), np.float64).ravel()
        return counts

    @cached_property
    def _titles(self) -> sparse.csr_matrix:
        texts = {item: title.casefold() for item, title in self._context.titles.items()}
        words = _tfidf({item: WORD.findall(text) for item, text in texts.items()})
        pieces = _tfidf({item: _trigrams(text) for item, text in texts.items()})
        return sparse.hstack([words, pieces]).tocsr() * math.sqrt(0.5)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {item_id: index for index, item_id in self._context.ids.items()}


def _trigrams(text: str) -> list[str]:
    return [
        padded[start : start + 3]
        for word in WORD.findall(text)
        if (padded := f" {word} ")
        for start in range(len(padded) - 2)
    ]


def _tfidf(terms: dict[int, list[str]]) -> sparse.csr_matrix:
    """Return unit rows of TF-IDF, one an item index; row 0 and items without terms are zero."""
    vocabulary: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for item, found in terms.items():
        for term, count in Counter(found).items():
            rows.append(item)
            columns.append(vocabulary.setdefault(term, len(vocabulary)))
            counts.append(1 + math.log(count))
    shape = (max(terms, default=0) + 1, max(len(vocabulary), 1))
    matrix = sparse.csr_matrix((counts, (rows, columns)), shape=shape, dtype=np.float64)
    documents = np.bincount(matrix.indices, minlength=shape[1])
    matrix = matrix @ sparse.diags(np.log((1 + len(terms)) / (1 + documents)) + 1)
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1)).A1
    return sparse.diags(1 / np.where(norms > 0, norms, 1)) @ matrix
