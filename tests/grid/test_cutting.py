"""Above the limit seeds are left out before methods, the least important first."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.grid.cutting import LAST, LEAST_SEEDS, fitted
from pipeline.grid.hours import Estimates
from pipeline.grid.store import Result, Spent
from pipeline.grid.studies import EXTENTS, Scope, entries
from pipeline.grid.units import Entry, Unit, closed
from pipeline.grid.workplace import Grid
from tests.recommenders.toys import SHIPPED

SCOPE = Scope(("a", "b"), ("fpmc", "stamp"), ("published", "strong"))
PAPER = entries(EXTENTS["paper"], SCOPE, ("popularity", "itemknn"))
ONE = replace(SCOPE, datasets=("a",), backbones=("fpmc",))
QUICK = entries(EXTENTS["quick"], ONE, ("popularity", "itemknn"))


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
    assert len(plan.entries) < len(PAPER)
    return plan.entries


def test_the_other_backbones_lose_seeds_first_then_the_studies_then_the_main_table(
    new: Grid, whole: float
) -> None:
    parts = ("others", "studies", "main")
    kept = [share(new, whole, part) for part in (0.995, 0.9, 0.75)]
    found = [tuple(seeds(one, part) for part in parts) for one in kept]
    assert found[0] == (2, 3, 5)
    assert found[1] == (2, 2, 5)
    assert found[2][:2] == (2, 2)
    assert found[2][2] < 5


def test_no_method_goes_while_a_seed_can(new: Grid, whole: float) -> None:
    assert methods(share(new, whole, 0.7)) == methods(PAPER)
    few = share(new, whole, 0.3)
    assert methods(few) < methods(PAPER)
    least = LEAST_SEEDS["paper"]
    left = {part: seeds(few, part) for part in ("main", "studies")}
    assert left["main"] <= least["main"]
    assert left["studies"] <= least["studies"]
    assert {one.unit.backbone for one in few} <= {"", "fpmc"}  # the others go first


def quick(grid: Grid, part: float) -> list[Entry]:
    """Return what the quick grid keeps within a share of the seconds that all of it takes."""
    grid = replace(grid, name="quick")
    estimates = Estimates(grid, [])
    whole = fitted(grid, QUICK, estimates, 1e9).seconds
    return fitted(grid, QUICK, estimates, part * whole).entries


@pytest.mark.parametrize("part", [0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01])
def test_the_quick_grid_loses_a_seed_then_studies_then_methods_of_the_table(
    new: Grid, part: float
) -> None:
    kept = quick(new, part)
    gone = methods(QUICK) - methods(kept)
    if gone:
        assert max(one.unit.seed for one in kept) == 1
    if any(study == "table" for study, *_ in gone):
        assert {one.study for one in kept} == {"table"}
    names = {one.unit.method for one in kept if one.study == "table"}
    if not names >= set(LAST):
        assert names == set(LAST[: len(names)])


def test_every_way_of_cutting_the_quick_grid_is_met(new: Grid) -> None:
    """The rules above are not kept for want of a case."""
    every = [quick(new, part) for part in (0.9, 0.3, 0.05)]
    assert [max(one.unit.seed for one in kept) for kept in every] == [1, 1, 1]
    assert "labels" in {one.study for one in every[0]}
    assert {one.study for one in every[1]} == {"table"}
    assert {one.unit.method for one in every[2]} < set(LAST)


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
