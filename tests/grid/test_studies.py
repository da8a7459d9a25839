"""What the grids hold, and in which order it is made."""

from itertools import pairwise

import pytest

from pipeline.grid.studies import EXTENTS, Scope, entries
from pipeline.grid.units import CONTROLS, DRAWN, RIVALS, SELECTIONS, Entry, Unit, closed, needs

SCOPE = Scope(
    ("films", "games"),
    ("fpmc", "stamp", "attenmixer", "gru4rec", "sasrec"),
    ("published", "strong"),
)
PAPER = entries(EXTENTS["paper"], SCOPE, ("popularity", "itemknn", "itemknn_titles"))
QUICK = entries(
    EXTENTS["quick"], Scope(("tiny",), ("fpmc",), ("published", "strong")), ("itemknn",)
)


def of(study: str, listed: list[Entry] = PAPER, **values: object) -> list[Unit]:
    units = [one.unit for one in listed if one.study == study]
    return [one for one in units if all(getattr(one, n) == v for n, v in values.items())]


def test_the_main_table_of_the_paper_has_every_method_with_five_seeds() -> None:
    for dataset in SCOPE.datasets:
        for recipe in SCOPE.recipes:
            units = of("table", dataset=dataset, recipe=recipe, backbone="fpmc")
            methods = {"student", "teacher", "hybrid", *SELECTIONS, *CONTROLS, *RIVALS}
            assert {one.method for one in units} == methods
            for method in methods:
                found = [one for one in units if one.method == method]
                assert {one.seed for one in found} == {1, 2, 3, 4, 5}
                draws = 5 if method in DRAWN else 1
                assert {one.draw for one in found} == {*range(draws)}
        counting = of("table", dataset=dataset, backbone="")
        assert [one.method for one in counting] == ["popularity", "itemknn", "itemknn_titles"]


def test_the_other_backbones_have_six_methods_and_three_seeds() -> None:
    for backbone in SCOPE.backbones[1:]:
        units = of("table", backbone=backbone)
        assert {one.method for one in units} == {
            "student", "teacher", "teacher_ranking", "exact", "random", "llm_shuffled"
        }  # fmt: skip
        assert len(units) == 2 * 2 * 3 * 6


@pytest.mark.parametrize(
    ("study", "units"),
    [
        ("dimensions", 9 * 2),
        ("labels", 9 * (8 + 3)),
        ("counts", 2),
        ("correctness", 6),
        ("shares", 16),
        ("bytes", 5 * 2),
    ],
)
def test_studies_have_three_seeds_of_the_first_backbone(study: str, units: int) -> None:
    trained = of(study, backbone="fpmc")
    assert len(trained) == units * 2 * 2 * 3
    assert {one.method for one in of(study) if one not in trained} <= {"itemknn"}


def test_what_matters_most_comes_first() -> None:
    order = [one.unit for one in PAPER]
    table = [order.index(one) for one in of("table", backbone="fpmc")]
    chosen = [place for place in table if order[place].method not in RIVALS]
    rivals = [place for place in table if order[place].method in RIVALS]
    studies = [
        place for place, one in enumerate(PAPER) if one.study != "table" and one.unit.backbone
    ]
    others = [order.index(one) for one in of("table", backbone="sasrec")]
    groups = [chosen, rivals, studies, others]
    assert all(max(one) < min(next_) for one, next_ in pairwise(groups))
    for places in groups[:2]:
        seeds = [order[place].seed for place in places]
        assert seeds == sorted(seeds)


def test_units_come_after_what_they_need() -> None:
    for listed in (PAPER, QUICK):
        units = closed(listed)
        place = {unit: number for number, unit in enumerate(units)}
        assert len(place) == len(units)
        assert all(place[one] < place[unit] for unit in units for one in needs(unit))


def test_rivals_weights_are_chosen_on_one_seed_of_the_first_backbone() -> None:
    weights = {
        (one.seed, one.backbone)
        for one in closed(PAPER)
        if one.method in RIVALS and isinstance(one.get("weight"), float)
    }
    assert weights == {(1, "fpmc")}


def test_quick_is_small() -> None:
    assert len(closed(QUICK)) < 120
    assert {one.unit.seed for one in QUICK} <= {0, 1, 2}
