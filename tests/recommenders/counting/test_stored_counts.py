"""Counts that were stored are the counted ones, exactly or within a step of eight bits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from pipeline.errors import DataError
from pipeline.recommenders.counting.itemknn import (
    both_ways,
    count_forward,
    count_pairs,
    popularity_of,
)
from pipeline.recommenders.counting.stored_counts import (
    LEVELS,
    numbers_in,
    pack_pairs,
    pack_sessions,
    pruned,
    pruned_to,
    unpack,
)
from tests.recommenders.toys import batches

TWO = batches([1, 2, 3], [2, 1, 4])
SESSIONS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=7), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(rows=SESSIONS, decay=st.sampled_from([1.0, 0.8, 0.3]), backward=st.sampled_from([0.0, 0.5]))
def test_counts_of_stored_sessions_are_the_counted_ones_exactly(
    rows: list[list[int]], decay: float, backward: float
) -> None:
    training = batches(*rows)
    forward, popularity = unpack(pack_sessions(training), 9, decay)
    again, counted = both_ways(forward, backward, 0), count_pairs(training, 9, decay, 0, backward)
    assert np.array_equal(again.toarray(), counted.toarray())
    assert np.array_equal(popularity, popularity_of(training, 9))


@settings(max_examples=40, deadline=None)
@given(rows=SESSIONS, decay=st.sampled_from([1.0, 0.8, 0.3]))
def test_stored_pairs_are_off_by_half_a_step_or_less(rows: list[list[int]], decay: float) -> None:
    training = batches(*rows)
    counted = count_forward(training, 9, decay)
    packed = pack_pairs(counted, popularity_of(training, 9))
    forward, popularity = unpack(packed, 9, decay)
    exact, found = counted.toarray().astype(float), forward.toarray().astype(float)
    assert np.array_equal(exact > 0, found > 0)
    largest, step = exact.max(), 1 / LEVELS
    bound = 2 * np.sqrt(exact * largest) * step + largest * step * step
    assert (np.abs(found - exact) <= bound + 1e-6).all()
    assert np.array_equal(popularity, popularity_of(training, 9))


def test_pairs_of_two_sessions_by_hand() -> None:
    # (1,2), (2,3) one apart and (1,3) two apart; (2,1), (1,4) one apart and (2,4) two apart
    forward = count_forward(TWO, 4, 0.25)
    assert forward.toarray().tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0.25, 1],
        [0, 1, 0, 1, 0.25],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    packed = pack_pairs(forward, popularity_of(TWO, 4))
    found, _ = unpack(packed, 4, 0.25)
    near_half = (round(0.5 * LEVELS) / LEVELS) ** 2  # the root of 1/4, in steps of 1/255
    assert found[1].toarray()[0] == pytest.approx([0, 0, 1, near_half, 1], abs=1e-7)
    assert numbers_in(packed) == 5 + 6 + 6 + 1 + 5  # rows, columns, counts, the largest, events
    assert numbers_in(pack_sessions(TWO)) == 6 + 2


def test_nothing_counted_is_stored_too() -> None:
    alone = batches([3], [2])
    packed = pack_pairs(count_forward(alone, 4, 0.5), popularity_of(alone, 4))
    forward, popularity = unpack(packed, 4, 0.5)
    assert forward.nnz == 0
    assert popularity.tolist() == [0, 0, 1, 1, 0]


def test_pruning_keeps_each_row_s_largest_before_any_second() -> None:
    forward = sparse.csr_matrix(
        np.array([[0, 0, 0, 0], [0, 0, 3, 2], [0, 9, 0, 8], [0, 1, 1, 0]], dtype=np.float32)
    )
    assert pruned(forward, 3).toarray().tolist() == [
        [0, 0, 0, 0],
        [0, 0, 3, 0],
        [0, 9, 0, 0],
        [0, 1, 0, 0],
    ]
    assert pruned(forward, 4).nnz == 4
    assert pruned(forward, 4)[1].toarray().tolist() == [[0, 0, 3, 2]]
    assert np.array_equal(pruned(forward, 99).toarray(), forward.toarray())
    assert pruned(forward, 0).nnz == 0


def test_pruning_to_a_size_keeps_as_much_as_fits() -> None:
    draw = torch.Generator().manual_seed(1)
    rows = torch.randint(1, 200, (400, 6), generator=draw).tolist()
    training = batches(*rows)
    forward, popularity = count_forward(training, 200, 0.8), popularity_of(training, 200)

    def size(kept: sparse.csr_matrix) -> int:
        return sum(value.nbytes for value in pack_pairs(kept, popularity).values())

    half = size(forward) // 2
    kept = pruned_to(forward, popularity, half)
    assert 0 < kept.nnz < forward.nnz
    assert half - 100 < size(kept) <= half
    assert pruned_to(forward, popularity, size(forward)).nnz == forward.nnz
    least = size(pruned(forward, 0))
    assert pruned_to(forward, popularity, least).nnz < 20
    with pytest.raises(DataError, match=f"without any pair it has {least}; allow more"):
        pruned_to(forward, popularity, least - 1)
