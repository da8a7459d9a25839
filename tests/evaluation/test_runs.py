"""Runs to arms, and values by seed."""

import numpy as np
import pytest

from pipeline.evaluation.runs import Arm, arms, common_seeds, metric_names, of_sessions
from tests.evaluation.made_runs import run


def test_runs_that_differ_in_nothing_but_seed_and_draw_are_one_arm() -> None:
    runs = [
        run("random", 2, draw=1),
        run("student", 1),
        run("random", 1, draw=0),
        run("random", 2, draw=0),
        run("random", 1, recipe="published"),
        run("random", 1, study="labels", setting={"labels": 50}),
        run("random", 1, study="labels", setting={"labels": 100}),
    ]
    found = arms(runs)
    assert [len(one.runs) for one in found] == [3, 1, 1, 1, 1]
    assert [one.method for one in found[:2]] == ["random", "student"]
    assert found[0].seeds == [1, 2]
    assert found[0].draws == 2


def test_a_session_counts_once_a_seed_however_many_draws_there_are() -> None:
    runs = (run("random", 1, draw=0), run("random", 1, draw=1), run("random", 2))
    values = Arm(runs).values("ndcg@10")
    first, second, third = (of_sessions(one.ranks, "ndcg@10") for one in runs)
    assert values[0] == pytest.approx((first + second) / 2)
    assert values[1] == pytest.approx(third)
    assert Arm(runs).values("ndcg@10", [2]).tolist() == [third.tolist()]


def test_a_counting_model_serves_under_every_seed() -> None:
    counting, student = Arm((run("itemknn"),)), Arm((run("student", 3), run("student", 7)))
    titles = Arm((run("itemknn_titles"),))
    assert common_seeds(student, counting) == common_seeds(counting, student) == [3, 7]
    assert common_seeds(counting, titles) == [0]
    both = counting.values("recall@10", [3, 7])
    assert np.array_equal(both[0], both[1])


def test_only_seeds_that_both_have_are_compared() -> None:
    ours = Arm(tuple(run("exact", seed) for seed in (1, 2, 3, 4, 5)))
    theirs = Arm(tuple(run("de", seed) for seed in (5, 2, 9)))
    assert common_seeds(ours, theirs) == [2, 5]


def test_metrics_are_named_with_their_cutoff() -> None:
    assert of_sessions(np.array([1, 3, 11]), "recall@10").tolist() == [1, 1, 0]
    assert of_sessions(np.array([1, 3, 11]), "ndcg@3").tolist() == [1, 0.5, 0]
    assert metric_names([20]) == [
        *("recall@10", "ndcg@10", "mrr@10"),
        *("recall@20", "ndcg@20", "mrr@20"),
    ]
