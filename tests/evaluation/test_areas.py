"""Areas over random: the trapezoid rule by hand, against SciPy, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from pipeline.evaluation.areas import rows, weights
from pipeline.evaluation.evidence import Run
from pipeline.evaluation.runs import arms
from tests.evaluation.made_runs import labels_study, run

START = [run("student", seed) for seed in (1, 2, 3)]


def test_three_points_by_hand() -> None:
    """To 4: 1 of 4 belongs to each half of the first step, 3 of 4 to each half of the second."""
    assert weights([0, 1, 4], 4) == pytest.approx([0.5 / 4, (0.5 + 1.5) / 4, 1.5 / 4])


def test_an_end_between_two_points_cuts_the_line_and_one_behind_them_goes_on_level() -> None:
    assert weights([0, 2], 1) == pytest.approx([0.75, 0.25])
    assert weights([0, 2], 4) == pytest.approx([0.25, 0.75])


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=8, unique=True),
    st.integers(1, 600),
    st.integers(0, 99),
)
def test_it_is_the_mean_height_of_the_curve(more: list[int], end: int, at: int) -> None:
    places = [0, *sorted(more)]
    heights = np.random.default_rng(at).random(len(places))
    grid = np.union1d([one for one in places if one < end], [end])
    slow = trapezoid(np.interp(grid, places, heights), grid) / end
    found = weights(places, end)
    assert found @ heights == pytest.approx(slow)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()


def unpriced(runs: list[Run]) -> list[Run]:
    return [replace(one, usd=None) for one in runs]


def test_the_area_by_hand_from_the_means() -> None:
    runs = [*START, *unpriced(labels_study())]
    row = next(one for one in rows(arms(runs), 300, "made") if one["metric"] == "ndcg@10")
    of = {
        (one.method, int(one.setting["labels"])): one.values("ndcg@10").mean()
        for one in arms(runs[3:])
    }
    gains = [0.0] + [of["exact", labels] - of["random", labels] for labels in (50, 100, 200, 400)]
    assert row["area_over_random"] == pytest.approx(trapezoid(gains, [0, 50, 100, 200, 400]) / 400)
    assert row["low"] < row["area_over_random"] < row["high"]
    assert (row["policy"], row["axis"], row["until"], row["points"]) == ("exact", "labels", 400, 4)


def test_dollars_are_the_axis_where_every_run_has_a_price() -> None:
    priced = [*START, *labels_study()]
    assert {one["axis"] for one in rows(arms(priced), 50, "made")} == {"usd"}
    assert all(one["until"] == pytest.approx(0.4) for one in rows(arms(priced), 50, "made"))
    free = [replace(one, usd=0.0) for one in priced]
    assert {one["axis"] for one in rows(arms(free), 50, "made")} == {"labels"}


def test_a_policy_that_pays_more_for_the_same_is_below_random() -> None:
    runs = [one for one in labels_study() if one.method == "random"]
    dearer = [replace(one, method="exact", usd=2 * (one.usd or 0)) for one in runs]
    found = rows(arms([*START, *runs, *dearer]), 100, "made")
    assert all(one["area_over_random"] < 0 for one in found)
    assert all(one["until"] == pytest.approx(0.4) for one in found)


def test_the_same_curve_is_no_area() -> None:
    runs = [one for one in labels_study() if one.method == "random"]
    same = [replace(one, method="exact") for one in runs]
    assert [one["area_over_random"] for one in rows(arms([*START, *runs, *same]), 50, "made")] == [
        0,
        0,
    ]


def test_without_random_a_student_or_a_common_seed_there_is_none() -> None:
    exact = [one for one in labels_study() if one.method == "exact"]
    assert rows(arms([*START, *exact]), 50, "made") == []
    assert rows(arms(labels_study()), 50, "made") == []
    assert rows(arms([run("student", 9), *labels_study()]), 50, "made") == []
