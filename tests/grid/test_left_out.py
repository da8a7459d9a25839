"""What was left out is remembered until it is made, and is said in few words."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.grid import left_out
from pipeline.grid.store import Result, Spent
from pipeline.grid.studies import EXTENTS, Scope, entries
from pipeline.grid.units import Entry, Unit
from pipeline.grid.workplace import Grid
from tests.recommenders.toys import SHIPPED

STUDENT = Unit("a", "fpmc", "strong", 1, "student")


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    return Grid("quick", SHIPPED, tmp_path, tmp_path, {"a": "1", "b": "2"}, {})


def table(*units: Unit) -> list[Entry]:
    return [Entry("table", unit) for unit in units]


def keys(grid: Grid, listed: list[Entry]) -> set[str]:
    return {grid.keys.of(one.unit) for one in listed}


def told(grid: Grid, listed: list[Entry], gone: list[Entry]) -> str | None:
    return left_out.in_words(grid, listed, keys(grid, gone))


def test_methods_seeds_and_whole_studies_are_named_once(grid: Grid) -> None:
    first = table(STUDENT, replace(STUDENT, method="exact"), replace(STUDENT, method="de"))
    second = [Entry("table", replace(one.unit, seed=2)) for one in first]
    labels = [
        Entry("labels", replace(STUDENT, method="exact", setting=(("labels", count),)))
        for count in (50, 100)
    ]
    other = table(replace(STUDENT, backbone="stamp"))
    listed = [*first, *second, *labels, *other]
    start = "left out to fit the hours given: "
    assert told(grid, listed, []) is None
    assert told(grid, listed, second) == f"{start}table (seed 2)"
    assert told(grid, listed, [first[2], *second]) == f"{start}table (de, seed 2)"
    assert told(grid, listed, [second[1]]) == f"{start}table (some exact)"
    assert told(grid, listed, [*labels, *other]) == f"{start}labels (all), table of stamp (all)"
    assert told(grid, listed, labels[:1]) == f"{start}labels (some exact)"


def test_what_is_left_is_named_where_it_is_less(grid: Grid) -> None:
    listed = table(*(replace(STUDENT, method=name) for name in ("student", "exact", "de", "ftd")))
    assert str(told(grid, listed, listed[1:])).endswith(": table (all but student)")
    assert str(told(grid, listed, listed[2:])).endswith(": table (de, ftd)")


def test_a_model_of_two_studies_is_named_with_the_first(grid: Grid) -> None:
    own = SHIPPED.training.recipes["strong"].student.dimension
    widths = [
        Entry("dimensions", replace(STUDENT, setting=(("dimension", width),))) for width in (4, own)
    ]
    listed = [*table(STUDENT), *widths]
    assert grid.keys.of(widths[1].unit) == grid.keys.of(STUDENT)
    assert str(told(grid, listed, widths[:1])).endswith(": dimensions (all)")


def test_a_dataset_is_named_where_a_method_is_left_out_of_it_alone(grid: Grid) -> None:
    units = [STUDENT, replace(STUDENT, method="de")]
    listed = table(*units, *(replace(one, dataset="b") for one in units))
    assert str(told(grid, listed, listed[3:])).endswith(": table (de of b)")
    assert str(told(grid, listed, listed[1::2])).endswith(": table (de)")


def test_each_study_is_named_once_and_each_method_once_in_it(grid: Grid) -> None:
    scope = Scope(("a",), ("fpmc",), ("published", "strong"))
    listed = entries(EXTENTS["quick"], scope, ("popularity", "itemknn"))
    for kept in range(len(listed)):
        gone = keys(grid, listed[kept:]) - keys(grid, listed[:kept])
        words = str(left_out.in_words(grid, listed, gone)).partition(": ")[2]
        parts = dict(re.findall(r"(\w+) \((.*?)\)", words))
        assert len(parts) == words.count("(")
        for of in parts.values():
            names = of.replace("some ", "").split(", ")
            assert len(set(names)) == len(names)


def test_what_was_left_out_of_another_part_stays_so_until_it_is_asked_for(grid: Grid) -> None:
    one, two = table(STUDENT), table(replace(STUDENT, method="exact"))
    assert left_out.of(grid, [*one, *two]) == set()
    left_out.remember(grid, keys(grid, [*one, *two]), keys(grid, one))
    left_out.remember(grid, keys(grid, one), keys(grid, one))
    assert left_out.of(grid, [*one, *two]) == keys(grid, two)
    assert left_out.of(grid, one) == set()
    left_out.remember(grid, keys(grid, two), keys(grid, two))
    assert left_out.of(grid, [*one, *two]) == set()


def test_what_has_been_made_since_is_no_longer_left_out(grid: Grid) -> None:
    listed = table(STUDENT)
    left_out.remember(grid, keys(grid, listed), set())
    assert left_out.of(grid, listed) == keys(grid, listed)
    grid.store.write(grid.keys.of(STUDENT), grid.described(STUDENT), Result({}), Spent(1.0, 1.0))
    assert left_out.of(grid, listed) == set()
