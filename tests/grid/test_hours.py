"""A unit takes what finished ones of its kind took, or what a pilot tells."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.grid.hours import MEASURING, Estimates
from pipeline.grid.store import Result, Spent
from pipeline.grid.units import TUNED, Unit
from pipeline.grid.workplace import Grid
from tests.recommenders.toys import SHIPPED


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return Grid("paper", SHIPPED, tmp_path, tmp_path, {"a": "1", "b": "2"}, {})


def finish(grid: Grid, unit: Unit, seconds: float) -> None:
    key = grid.keys.of(unit)
    grid.store.write(key, grid.described(unit), Result({}), Spent(seconds, seconds))


def test_the_weight_chosen_on_the_tuning_seed_is_not_trained_again(grid: Grid) -> None:
    chosen = Unit("a", "fpmc", "strong", 1, "de", (("weight", TUNED),))
    estimates = Estimates(grid, [])
    estimates.add(replace(chosen, seed=2), 40.0)
    assert estimates.of(chosen) == MEASURING
    assert estimates.of(replace(chosen, seed=3)) == 40.0
    assert estimates.of(replace(chosen, backbone="stamp")) > MEASURING


def test_finished_units_of_a_kind_tell_how_long_the_others_take(grid: Grid) -> None:
    first = Unit("a", "fpmc", "strong", 1, "exact")
    finish(grid, first, 11.0)
    finish(grid, replace(first, seed=2), 13.0)
    estimates = Estimates(grid, [first, replace(first, seed=2)])
    assert estimates.of(replace(first, seed=3)) == 12.0
    assert estimates.of(replace(first, recipe="published")) != 12.0
    estimates.add(replace(first, seed=3), None)  # taken over: it took nothing here
    assert estimates.of(replace(first, seed=4)) == 12.0


def test_a_pilot_tells_how_long_units_take_of_which_none_is_finished(grid: Grid) -> None:
    pilot = Unit("a", "fpmc", "strong", 0, "pilot")
    took = {"step": 0.01, "look": 0.1}
    facts = {"teacher": took, "student": took, "fine_tuning": took}
    key = grid.keys.of(pilot)
    grid.store.write(key, grid.described(pilot), Result(facts), Spent(1, 1))
    found = Estimates(grid, []).of(Unit("a", "fpmc", "strong", 1, "student"))
    assert found == pytest.approx(2400 * 0.01 + 24 * 0.1 + 2.0)
