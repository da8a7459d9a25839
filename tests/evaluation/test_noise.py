"""Variance components: by hand, when nothing is known, and that they find what was put in."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.noise import components, noise, rows
from pipeline.evaluation.runs import Arm, of_sessions
from tests.evaluation.made_runs import run


def test_two_seeds_with_two_draws_by_hand() -> None:
    """Within: (2 + 2) / 2 = 2. Between: 2 (4 + 4) / 1 = 16 = 2 + 2 S², so S² = 7."""
    assert components([[1, 3], [5, 7]]) == pytest.approx((np.sqrt(7), np.sqrt(2)))


def test_unequal_numbers_of_draws_by_hand() -> None:
    """With n = 3, k = 2: within (0 + 2) / 1; grand 4; between 1·9 + 2·2.25 = 13.5; n₀ 4/3."""
    found = components([[1.0], [4.5, 6.5]])
    assert found == pytest.approx((np.sqrt((13.5 - 2) / (3 - 5 / 3)), np.sqrt(2)))


def test_seeds_that_agree_more_than_their_draws_have_no_deviation_of_their_own() -> None:
    assert components([[0, 4], [1, 3]])[0] == 0


def test_what_cannot_be_known_is_none() -> None:
    assert components([[0.5]]) == (None, None)
    between, within = components([[1], [3]])
    assert (between, within) == (np.sqrt(2), None)
    between, within = components([[1, 3]])
    assert (between, within) == (None, np.sqrt(2))


def test_they_find_what_was_put_in() -> None:
    generator = np.random.default_rng(0)
    tries = [
        components((generator.normal(0, 2, (8, 1)) + generator.normal(0, 1, (8, 5))).tolist())
        for _ in range(300)
    ]
    squares = np.mean(
        [[one[0] ** 2, one[1] ** 2] for one in tries if one[0] is not None and one[1]], 0
    )
    assert squares == pytest.approx([4, 1], rel=0.1)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=6),
    st.floats(-1, 1),
)
def test_they_are_never_negative_and_do_not_depend_on_the_level(
    by_seed: list[list[float]], shift: float
) -> None:
    found = components(by_seed)
    moved = components([[value + shift for value in of] for of in by_seed])
    for one, other in zip(found, moved, strict=True):
        assert (one is None) == (other is None)
        assert one is None or one >= 0
        if one is not None and other is not None:
            assert one**2 == pytest.approx(other**2, abs=1e-9)


def test_an_arm_has_all_three() -> None:
    arm = Arm(tuple(run("random", seed, draw=draw) for seed in (1, 2, 3) for draw in range(3)))
    found = noise(arm, "ndcg@10")
    means = [
        [of_sessions(one.ranks, "ndcg@10").mean() for one in arm.runs[at : at + 3]]
        for at in (0, 3, 6)
    ]
    assert (found.seed_sd, found.draw_sd) == components(means)
    sessions = arm.values("ndcg@10").mean(axis=0)
    assert found.session_se == pytest.approx(sessions.std(ddof=1) / np.sqrt(len(sessions)))
    assert {row["metric"] for row in rows([arm])} == {"ndcg@10", "recall@10"}


def test_draws_that_were_numbered_on_are_draws_of_their_seed() -> None:
    """Draw 3 of seed 2 is no draw of seed 1."""
    one = run("random", 1, draw=0)
    arm = Arm((one, replace(run("random", 2, draw=3), seed=2)))
    assert noise(arm, "ndcg@10").draw_sd is None


def test_draws_that_do_not_differ_have_no_deviation() -> None:
    assert components([[0.06419] * 5, [0.0641] * 5])[1] == 0.0
