"""Above the limit seeds are left out before methods, the least important first."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.grid.figures import read_plan, write_plan
from pipeline.grid.hours import LEAST_SEEDS, MEASURING, Estimates, fitted
from pipeline.grid.store import Result, Spent
from pipeline.grid.studies import EXTENTS, Scope, entries
from pipeline.grid.units import TUNED, Entry, Unit, closed
from pipeline.grid.workplace import Grid
from tests.recommenders.toys import SHIPPED

SCOPE = Scope(("a", "b"), ("fpmc", "stamp"), ("published", "strong"))
PAPER = entries(EXTENTS["paper"], SCOPE, ("popularity", "itemknn"))


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return Grid("paper", SHIPPED, tmp_path, tmp_path, {"a": "1", "b": "2"}, {})


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    """Return a grid of which nothing is finished, nor will be."""
    folder = tmp_path_factory.mktemp("new")
    return Grid("paper", SHIPPED, folder, folder, {"a": "1", "b": "2"}, {})


@pytest.fixture(scope="module")
def whole(new: Grid) -> float:
    """Return the seconds that all of it takes."""
    plan = fitted(new, PAPER, Estimates(new, []), 1e9)
    assert plan.left_out is None
    assert plan.entries == PAPER
    return plan.seconds


def seeds(kept: list[Entry], part: str) -> int:
    studies = [one for one in kept if (one.study != "table") == (part == "studies")]
    backbones = {"main": ("fpmc",), "others": ("stamp",), "studies": ("fpmc", "stamp")}[part]
    return max((one.unit.seed for one in studies if one.unit.backbone in backbones), default=0)


def methods(kept: list[Entry]) -> set[tuple[str, str, str, str]]:
    return {(one.study, one.unit.dataset, one.unit.backbone, one.unit.method) for one in kept}


def share(grid: Grid, whole: float, part: float) -> list[Entry]:
    """Return what is kept within a share of the seconds that all of it takes."""
    plan = fitted(grid, PAPER, Estimates(grid, []), part * whole)
    assert plan.seconds <= part * whole
    assert plan.whole_seconds == whole
    assert plan.left_out
    return plan.entries


def test_the_other_backbones_lose_seeds_first_then_the_studies_then_the_main_table(
    new: Grid, whole: float
) -> None:
    parts = ("others", "studies", "main")
    kept = [share(new, whole, part) for part in (0.99, 0.9, 0.75)]
    found = [tuple(seeds(one, part) for part in parts) for one in kept]
    assert found[0] == (2, 3, 5)
    assert found[1] == (2, 2, 5)
    assert found[2][:2] == (2, 2)
    assert found[2][2] < 5


def test_no_method_goes_while_a_seed_can(new: Grid, whole: float) -> None:
    assert methods(share(new, whole, 0.7)) == methods(PAPER)
    few = share(new, whole, 0.3)
    assert methods(few) < methods(PAPER)
    left = {part: seeds(few, part) for part in ("main", "studies")}
    assert left["main"] <= LEAST_SEEDS["main"]
    assert left["studies"] <= LEAST_SEEDS["studies"]
    assert few[: len(EXTENTS["paper"].rivals)] == PAPER[: len(EXTENTS["paper"].rivals)]


def test_what_is_left_out_is_said(new: Grid, whole: float) -> None:
    estimates = Estimates(new, [])
    text = str(fitted(new, PAPER, estimates, 0.99 * whole).left_out)
    assert text == "cut to fit the time given: others have 2 seeds"
    assert "without " in str(fitted(new, PAPER, estimates, 0.2 * whole).left_out)


def test_what_was_left_out_of_another_part_stays_said(grid: Grid) -> None:
    assert read_plan(grid) == {"cut": None, "left_out": []}
    write_plan(grid, "cut one", {"a", "b"}, {"a"})
    write_plan(grid, None, {"c"}, {"c"})
    assert read_plan(grid) == {"cut": "cut one", "left_out": ["b"]}
    write_plan(grid, "cut two", {"c", "d"}, {"c"})
    assert read_plan(grid) == {"cut": "cut one; cut two", "left_out": ["b", "d"]}
    write_plan(grid, None, {"a", "b", "c", "d"}, {"a", "b", "c", "d"})
    assert read_plan(grid) == {"cut": None, "left_out": []}


def finish(grid: Grid, unit: Unit, seconds: float) -> None:
    key = grid.keys.of(unit)
    grid.store.write(key, grid.described(unit), Result({}), Spent(seconds, seconds))


def test_what_is_finished_is_never_left_out_and_takes_no_time(grid: Grid) -> None:
    last = [one for one in PAPER if one.unit.seed == 5]
    for unit in closed(last):
        finish(grid, unit, 1.0)
    before = Estimates(grid, [])
    whole = fitted(grid, PAPER, before, 1e9).seconds
    kept = fitted(grid, PAPER, before, 0.4 * whole).entries
    assert set(last) <= set(kept)
    assert Counter(one.unit.seed for one in kept)[5] == len(last)


def test_the_weight_chosen_on_the_tuning_seed_is_not_trained_again(new: Grid) -> None:
    chosen = Unit("a", "fpmc", "strong", 1, "de", (("weight", TUNED),))
    estimates = Estimates(new, [])
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
