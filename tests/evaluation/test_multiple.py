"""Holm's correction by hand, by its definition step by step, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.multiple import holm

P_VALUES = st.lists(st.floats(1e-9, 1), min_size=1, max_size=20)


def test_four_p_values_by_hand() -> None:
    """.005 x 4 = .02, .01 x 3 = .03, .03 x 2 = .06, .04 x 1 = .04 but not below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_nothing_is_raised_above_1_and_one_alone_stays() -> None:
    assert holm([0.6, 0.9]).tolist() == [1, 1]
    assert holm([0.04]).tolist() == [0.04]
    assert holm([]).tolist() == []


def rejected(p_values: list[float], level: float) -> list[bool]:
    """Return what Holm's procedure rejects, as he wrote it: step down until one is not small."""
    found = [False] * len(p_values)
    left = sorted(range(len(p_values)), key=p_values.__getitem__)
    while left and p_values[left[0]] <= level / len(left):
        found[left.pop(0)] = True
    return found


@settings(deadline=None)
@given(P_VALUES, st.floats(0.001, 0.5))
def test_corrected_values_say_what_the_steps_say(p_values: list[float], level: float) -> None:
    corrected = holm(p_values)
    if np.abs(corrected - level).min() > 1e-12:  # not on the edge, where rounding decides
        assert (corrected <= level).tolist() == rejected(p_values, level)


@settings(deadline=None)
@given(P_VALUES)
def test_correcting_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    corrected, order = holm(p_values), np.argsort(p_values, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
    assert (corrected >= np.array(p_values) - 1e-15).all()
    assert ((corrected > 0) & (corrected <= 1)).all()


@settings(deadline=None)
@given(P_VALUES)
def test_the_order_in_which_they_are_given_does_not_matter(p_values: list[float]) -> None:
    shuffled = np.random.default_rng(len(p_values)).permutation(len(p_values))
    assert holm([p_values[at] for at in shuffled]) == pytest.approx(holm(p_values)[shuffled])
