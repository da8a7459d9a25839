"""Which part of a grid is run when a part is asked for."""

import pytest

from pipeline.grid.prepare import Asked
from pipeline.grid.running import asked_for
from tests.grid.test_studies import PAPER


def test_without_a_word_all_of_it_is_asked_for() -> None:
    assert asked_for(PAPER, Asked()) == PAPER


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (Asked(datasets=("games",)), {"films"}),
        (Asked(backbones=("fpmc", "stamp")), {"attenmixer", "gru4rec", "sasrec"}),
        (Asked(recipes=("strong",)), {"published"}),
    ],
)
def test_of_names_only_those_asked_for_are_run_and_counting_with_them(
    asked: Asked, left: set[str]
) -> None:
    units = [one.unit for one in asked_for(PAPER, asked)]
    assert (
        not {name for unit in units for name in (unit.dataset, unit.backbone, unit.recipe)} & left
    )
    assert {"popularity", "itemknn"} <= {unit.method for unit in units}


def test_only_the_first_seeds_of_a_study_are_run() -> None:
    found = asked_for(PAPER, Asked(studies=("labels", "bytes"), seeds=2))
    assert {one.study for one in found} == {"labels", "bytes"}
    assert {one.unit.seed for one in found} == {0, 1, 2}  # 0: pruned counting has no seed
