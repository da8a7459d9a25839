"""Two forms in which a folder keeps what was counted; both are read as the same forward counts.

``pairs``: how often, and how near, one item came before another, each count in eight bits. No
session can be read from it but where its items are in no other one.
``sessions``: the training sessions' items, in their order and without users or times. Fewer bytes,
and the counts are exact; who holds the folder holds the sessions.
"""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from pipeline.errors import DataError
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.counting.itemknn import count_forward, popularity_of
from pipeline.recommenders.counting.packing import pack_numbers, unpack_numbers

LEVELS = 255
"""Steps of a count's square root: small counts, of which there are most, are kept finer."""


def pack_sessions(training: SessionBatches) -> dict[str, Tensor]:
    """Return the sessions, packed."""
    return {
        "sessions.items": pack_numbers(training.items.numpy()),
        "sessions.lengths": pack_numbers(training.offsets.diff().numpy()),
    }


def pack_pairs(forward: sparse.csr_matrix, popularity: np.ndarray) -> dict[str, Tensor]:
    """Return forward counts and popularity, packed.

    A count v is kept as the whole number nearest to 255 times the root of v over the largest count,
    at least 1: it comes back with an error of at most 2 root(v m) h + m h h, h = 1 / 255.

    Args:
        forward: as `count_forward` returns it.  # N+1 N+1
        popularity: training events an item.  # N+1
    """
    forward = forward.sorted_indices()
    largest = forward.data.max(initial=np.float32(0))
    shares = forward.data.astype(np.float64) / max(largest, np.float32(1e-9))
    lengths = np.diff(forward.indptr)
    gaps = np.diff(forward.indices, prepend=0)
    starts = forward.indptr[:-1][lengths > 0]
    gaps[starts] = forward.indices[starts]  # a row's first column is counted from 0
    return {
        "pairs.lengths": pack_numbers(lengths),
        "pairs.gaps": pack_numbers(gaps),
        "pairs.levels": pack_numbers(np.maximum(np.rint(np.sqrt(shares) * LEVELS), 1)),
        "pairs.largest": torch.tensor([largest], dtype=torch.float32),
        "popularity": pack_numbers(popularity),
    }


def unpack(
    tensors: dict[str, Tensor], n_items: int, decay: float
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return forward counts and popularity from either form.

    Args:
        tensors: of a folder; those that are not about counts are passed over.
        n_items: real items in the catalogue.
        decay: with which sessions are counted; pairs were counted with it before.

    Returns:
        float32  # N+1 N+1, N+1
    """
    if "sessions.items" in tensors:
        training = _sessions(tensors)
        return count_forward(training, n_items, decay), popularity_of(training, n_items)
    lengths, gaps, levels = (
        unpack_numbers(tensors[f"pairs.{name}"]) for name in ("lengths", "gaps", "levels")
    )
    starts = np.concatenate([[0], np.cumsum(lengths)])
    so_far = np.cumsum(gaps)
    before = np.concatenate([[0], so_far])[starts[:-1]]  # what the rows above add up to
    columns = so_far - np.repeat(before, lengths)
    values = (levels / LEVELS) ** 2 * float(tensors["pairs.largest"])
    shape = (n_items + 1, n_items + 1)
    forward = sparse.csr_matrix((values.astype(np.float32), columns, starts), shape=shape)
    return forward, popularity_in(tensors, n_items)


def popularity_in(tensors: dict[str, Tensor], n_items: int) -> np.ndarray:
    """Return the training events of each item, from either form.  # N+1, float32."""
    if "sessions.items" in tensors:
        return popularity_of(_sessions(tensors), n_items)
    return unpack_numbers(tensors["popularity"]).astype(np.float32)


def numbers_in(tensors: dict[str, Tensor]) -> int:
    """Return how many numbers of counts are packed in a folder's tensors."""
    packed = [name for name in tensors if name.startswith(("sessions.", "pairs.", "popularity"))]
    return sum(
        1 if name == "pairs.largest" else len(unpack_numbers(tensors[name])) for name in packed
    )


def pruned(forward: sparse.csr_matrix, keep: int) -> sparse.csr_matrix:
    """Return the ``keep`` counts that matter most: each row's largest, then each row's second, ..

    Of equal counts in a row the first columns stay; of equal places the first rows.
    """
    rows = np.repeat(np.arange(forward.shape[0]), np.diff(forward.indptr))
    order = np.lexsort((forward.indices, -forward.data, rows))
    place = np.arange(len(order)) - forward.indptr[rows[order]]
    kept = np.sort(order[np.argsort(place, kind="stable")][:keep])
    return sparse.csr_matrix(
        (forward.data[kept], (rows[kept], forward.indices[kept])), shape=forward.shape
    )


def pruned_to(forward: sparse.csr_matrix, popularity: np.ndarray, size: int) -> sparse.csr_matrix:
    """Return as many counts as are packed in at most ``size`` bytes, popularity included.

    Raises:
        DataError: no count at all would take more.
    """

    def bytes_of(keep: int) -> int:
        packed = pack_pairs(pruned(forward, keep), popularity)
        return sum(value.nbytes for value in packed.values())

    low, high = 0, forward.nnz
    if (least := bytes_of(0)) > size:
        raise DataError(
            f"counting in {size:,} bytes: without any pair it has {least:,}; allow more"
        )
    while low < high:
        middle = (low + high + 1) // 2
        if bytes_of(middle) <= size:
            low = middle
        else:
            high = middle - 1
    return pruned(forward, low)


def _sessions(tensors: dict[str, Tensor]) -> SessionBatches:
    lengths = torch.from_numpy(unpack_numbers(tensors["sessions.lengths"]))
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    return SessionBatches(torch.from_numpy(unpack_numbers(tensors["sessions.items"])), offsets)
