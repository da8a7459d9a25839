"""Item co-occurrence: what was clicked in the same sessions, near to it and lately, comes next.

score(i | s) = pop(i)^-b * sum over j in s of recency^(places from the end) * pop(j)^-a * C(j, i)
C(j, i)      = sum over training sessions that hold both of decay^(places between them - 1),
               times backward where i came before j

There is no training but the choice of the five numbers, on the validation part. A session-based
form of item-based nearest neighbours (Sarwar et al. 2001; Ludewig and Jannach 2018).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from pipeline.recommenders.batches import SessionBatches


@dataclass(frozen=True)
class Form:
    """The numbers that validation chooses."""

    decay: float
    recency: float
    session_power: float
    candidate_power: float
    backward: float = 1.0


class ItemKnn:
    """Co-occurrence counts and the form in which they are read."""

    def __init__(
        self, counts: sparse.csr_matrix, popularity: np.ndarray, form: Form, max_length: int
    ) -> None:
        self.counts, self.popularity, self.form = counts, popularity, form
        self.max_length = max_length
        self.n_items = len(popularity) - 1
        self._by_session = np.maximum(popularity, 1.0) ** -form.session_power
        self._by_candidate = torch.from_numpy(
            (np.maximum(popularity, 1.0) ** -form.candidate_power).astype(np.float32)
        )
        self._totals = counts @ self._by_candidate.numpy()

    @classmethod
    def restore(cls, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> "ItemKnn":
        """Return the model whose numbers and tensors were saved."""
        length = numbers["n_items"] + 1
        parts = (tensors[name].numpy() for name in ("values", "columns", "starts"))
        counts = sparse.csr_matrix(tuple(parts), shape=(length, length))
        popularity = tensors["popularity"].numpy()
        return cls(counts, popularity, Form(**numbers["form"]), numbers["max_length"])

    def tensors(self) -> dict[str, Tensor]:
        """Return what is stored."""
        return {
            "values": torch.from_numpy(self.counts.data),
            "columns": torch.from_numpy(self.counts.indices),
            "starts": torch.from_numpy(self.counts.indptr),
            "popularity": torch.from_numpy(self.popularity),
        }

    def encode(self, sessions: Tensor) -> Tensor:
        """Return the sessions as they are: counting needs nothing else.  # B L."""
        return sessions

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return the scores of items ``first`` to ``last - 1``.

        The range is cut out of the sums: cut out of the counts, it would be a copy of all of them.
        """
        found = (self._asked(queries) @ self.counts)[:, first:last].toarray()
        return torch.from_numpy(found) * self._by_candidate[first:last]

    def total(self, queries: Tensor) -> Tensor:
        """Return the sum of each session's scores of all items, without making them.  # B."""
        return torch.from_numpy(self._asked(queries) @ self._totals)

    def _asked(self, sessions: Tensor) -> sparse.csr_matrix:
        return weighed(sessions, self.form.recency, self._by_session)


def popularity_of(training: SessionBatches, n_items: int) -> np.ndarray:
    """Return the training events of each item.  # N+1, float32; the padding has 0."""
    return np.bincount(training.items.numpy(), minlength=n_items + 1).astype(np.float32)


def weighed(sessions: Tensor, recency: float, by_item: np.ndarray) -> sparse.csr_matrix:
    """Return each session as the weights of its items.

    Args:
        sessions: item indices, padded with 0 on the left.  # B L
        recency: factor for each place from the end.
        by_item: a further factor of each item.  # N+1

    Returns:
        float32; the padding weighs nothing.  # B N+1
    """
    places = sessions.numpy()
    B, L = places.shape
    weights = recency ** np.arange(L - 1, -1, -1.0) * by_item[places]
    weights = np.where(places > 0, weights, 0).astype(np.float32)
    starts = np.arange(0, B * L + 1, L)
    return sparse.csr_matrix((weights.ravel(), places.ravel(), starts), (B, len(by_item)))


def to_length(sessions: Tensor, length: int) -> Tensor:
    """Return sessions with as much padding on the left as makes them so long.  # B length."""
    return functional.pad(sessions, (length - sessions.shape[1], 0))


def count_pairs(
    training: SessionBatches, n_items: int, decay: float, neighbours: int, backward: float = 1.0
) -> sparse.csr_matrix:
    """Return C: decayed counts of item pairs within sessions.

    Args:
        training: the sessions, targets included.
        n_items: highest item index.
        decay: factor for each place between two items.
        neighbours: keep this many of an item's largest counts; 0 keeps all.
        backward: weight of a pair whose scored item came before the clicked one.

    Returns:
        float32, row = item that was clicked, column = item that is scored.  # N+1 N+1
    """
    return both_ways(count_forward(training, n_items, decay), backward, neighbours)


def count_forward(training: SessionBatches, n_items: int, decay: float) -> sparse.csr_matrix:
    """Return the decayed counts of pairs in the order of the clicks.  # N+1 N+1."""
    items, session = training.items.numpy(), _session_of(training)
    size = (n_items + 1, n_items + 1)
    total = sparse.csr_matrix(size, dtype=np.float32)
    for gap in range(1, int(training.offsets.diff().max()) if len(training) else 1):
        near = np.flatnonzero(session[gap:] == session[:-gap])
        weights = np.full(len(near), decay ** (gap - 1), dtype=np.float32)
        total = total + sparse.csr_matrix((weights, (items[near], items[near + gap])), shape=size)
    return total.tocsr()


def both_ways(forward: sparse.csr_matrix, backward: float, neighbours: int) -> sparse.csr_matrix:
    """Return C of forward counts: those of the other direction too, less an item with itself.

    Args:
        forward: as `count_forward` returns it.  # N+1 N+1
        backward: weight of the other direction.
        neighbours: keep this many of an item's largest counts; 0 keeps all.
    """
    both = (forward + np.float32(backward) * forward.T).tocsr()
    both.setdiag(0)
    both.eliminate_zeros()
    both.sort_indices()
    return _largest(both, neighbours) if neighbours else both


def _session_of(training: SessionBatches) -> np.ndarray:
    return np.repeat(np.arange(len(training)), training.offsets.diff().numpy())


def _largest(counts: sparse.csr_matrix, keep: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    order = np.lexsort((counts.indices, -counts.data, rows))
    place = np.arange(len(order)) - counts.indptr[rows[order]]
    kept = np.sort(order[place < keep])
    return sparse.csr_matrix(
        (counts.data[kept], (rows[kept], counts.indices[kept])), shape=counts.shape
    )
