"""Difficulty: minus the mean closeness of a session's own items, by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pipeline.selection.difficulty import difficulty

scores = hnp.arrays(np.float32, (3, 4), elements=st.floats(-100, 100, width=32))


def of(rows: list[list[float]], present: list[list[int]]) -> list[float]:
    found = difficulty(np.array(rows, np.float32), np.array(present, bool))
    return [float(value) for value in found]


def test_two_sessions_by_hand() -> None:
    # sigmoid(0) = 1/2, sigmoid(log 3) = 3/4, sigmoid(-log 3) = 1/4
    three = math.log(3)
    rows = [[0, three], [-three, -three]]
    assert of(rows, [[1, 1], [1, 1]]) == pytest.approx([-5 / 8, -1 / 4], abs=1e-7)


def test_a_close_session_is_easy_and_a_distant_one_hard() -> None:
    easy, middle, hard = of([[9, 9], [0, 0], [-9, -9]], [[1, 1]] * 3)
    assert -1 < easy < middle < hard < 0


def test_the_mean_is_over_the_sessions_items_and_not_over_places() -> None:
    three = math.log(3)
    padded = [[7, 7, three], [0, three, three], [three, three, three]]
    present = [[0, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert of(padded, present) == pytest.approx([-3 / 4] * 3, abs=1e-7)


def test_length_alone_decides_nothing() -> None:
    lengths = np.arange(1, 21)
    present = np.arange(20)[None, :] >= 20 - lengths[:, None]
    found = difficulty(np.zeros((20, 20), np.float32), present)
    np.testing.assert_array_equal(found, -0.5)


def test_huge_scores_give_the_ends_of_the_scale() -> None:
    assert of([[1e30], [-1e30]], [[1], [1]]) == [-1, 0]


@given(scores=scores, noise=scores)
def test_what_stands_at_padding_does_not_matter(
    scores: NDArray[np.float32], noise: NDArray[np.float32]
) -> None:
    present = np.array([[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]], bool)
    expected = difficulty(scores, present)
    np.testing.assert_array_equal(difficulty(np.where(present, scores, noise), present), expected)
    assert ((expected >= -1) & (expected <= 0)).all()
    slow = [
        -float(np.mean([1 / (1 + math.exp(-float(x))) for x in row[seen]]))
        for row, seen in zip(scores, present, strict=True)
    ]
    np.testing.assert_allclose(expected, slow, rtol=1e-12)
