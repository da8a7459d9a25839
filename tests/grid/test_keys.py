"""A unit's key changes with what decides what comes out, and with nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline.grid.keys import Keys
from pipeline.grid.units import TUNED, Unit
from pipeline.params import Params
from tests.recommenders.toys import SHIPPED

BASE = Unit("tiny", "fpmc", "strong", 1, "exact")
UNITS = {
    name: replace(BASE, method=name)
    for name in ("teacher", "student", "pool", "exact", "random", "no_list", "llm_shuffled")
} | {
    "de": replace(BASE, method="de", setting=(("weight", 0.1),)),
    "popularity": Unit("tiny", "", "", 0, "popularity"),
}
EVERY = set(UNITS)
LEARNT = {"exact", "random", "no_list", "llm_shuffled", "de"}
OF_TEACHER = {"teacher", "pool", *LEARNT}
OTHER_SPEED = {"strong": {"teacher": {"learning_rate": 0.5}}}


def changed(place: str, value: object) -> Params:
    """Return the shipped parameters with another value at a place."""
    values = SHIPPED.model_dump()
    *sections, key = place.split(".")
    section: Any = values
    for name in sections:
        section = section[name]
    section[key] = value
    return Params.model_validate(values)


def keys(
    params: Params = SHIPPED,
    data: Mapping[str, str] | None = None,
    stores: Mapping[str, str] | None = None,
) -> dict[str, str]:
    of = Keys(params, data or {"tiny": "a"}, stores or {})
    return {name: of.of(unit) for name, unit in UNITS.items()}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {name for name in one if one[name] != other[name]}


@pytest.mark.parametrize(
    ("place", "value", "units"),
    [
        ("training.recipes.strong.teacher.dropout", 0.2, OF_TEACHER),
        ("training.recipes.strong.student.dimension", 12, {"student", *LEARNT}),
        ("training.recipes.strong.fit.batch", 100, EVERY - {"popularity"}),
        ("training.recipes.published.fit.batch", 100, set()),
        ("training.backbones.stamp.add_mean", False, set()),
        ("training.backbones.stamp.recipes", OTHER_SPEED, set()),
        ("training.backbones.fpmc.recipes", OTHER_SPEED, OF_TEACHER),
        ("training.backbones.fpmc.recipes", {"published": {}}, set()),
        ("training.counting.decay", [0.5], {"popularity"}),
        ("difficulty.candidates", 40, OF_TEACHER - {"teacher"}),
        ("label.min_ranking", 6, OF_TEACHER - {"teacher"}),
        ("label_transport.concurrency", 3, set()),
        ("select.count", 400, LEARNT),
        ("select.pool", "recorded", set()),
        ("distill.strong.batch", 99, LEARNT),
        ("distill.published.batch", 99, set()),
        ("distill.weights", [[5, 1]], LEARNT),
        ("evaluate.bootstrap_draws", 7, set()),
        ("report.title", "other", set()),
        ("run.seeds", [1, 2], set()),
    ],
)
def test_a_parameter_changes_the_keys_of_what_obeys_it_and_of_what_needs_that(
    place: str, value: object, units: set[str]
) -> None:
    assert differing(keys(), keys(changed(place, value))) == units


def test_other_data_change_every_key_and_other_paid_answers_those_that_learn_from_them() -> None:
    assert differing(keys(), keys(data={"tiny": "b"})) == EVERY
    assert differing(keys(), keys(stores={"tiny": "b"})) == {"pool", *LEARNT}
    assert differing(keys(), keys(data={"tiny": "a", "other": "b"})) == set()


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, seed=2),
        replace(BASE, draw=1),
        replace(BASE, recipe="published"),
        replace(BASE, backbone="stamp"),
        replace(BASE, method="exact_easy_first"),
        replace(BASE, method="hardest"),
        replace(BASE, setting=(("labels", 200),)),
        replace(BASE, setting=(("dimension", 20),)),
        replace(BASE, setting=(("effective", 0.2), ("incorrect", 0.4))),
        replace(BASE, setting=(("counts", "true"),)),
        replace(BASE, setting=(("rate", 0.0),)),
    ],
)
def test_units_that_differ_have_keys_that_differ(other: Unit) -> None:
    of = Keys(SHIPPED, {"tiny": "a"}, {})
    assert of.of(BASE) != of.of(other)


@pytest.mark.parametrize(
    "setting",
    [
        (("labels", SHIPPED.select.count),),
        (("dimension", SHIPPED.training.recipes["strong"].student.dimension),),
        (
            ("effective", SHIPPED.select.share_effective),
            ("incorrect", SHIPPED.select.share_incorrect),
        ),
    ],
)
def test_a_setting_that_is_the_parameters_own_value_is_the_same_unit(
    setting: tuple[tuple[str, float], ...],
) -> None:
    of = Keys(SHIPPED, {"tiny": "a"}, {})
    assert of.of(replace(BASE, setting=setting)) == of.of(BASE)


def test_a_tuned_rival_depends_on_the_units_that_its_weight_is_chosen_from() -> None:
    of = Keys(SHIPPED, {"tiny": "a"}, {})
    tuned = replace(BASE, method="de", seed=3, setting=(("weight", TUNED),))
    assert len(of.content(tuned)["needs"]) == 3 + 5
    other = Keys(changed("training.recipes.strong.student.dimension", 12), {"tiny": "a"}, {})
    assert of.of(tuned) != other.of(tuned)
