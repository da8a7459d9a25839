"""``params.yaml`` is read once, checked, and answers a mistake with its place."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from pipeline.errors import ParamsError
from pipeline.params import Params, read_params


@pytest.fixture(scope="session")
def shipped(project: Path) -> str:
    return (project / "params.yaml").read_text(encoding="utf-8")


def fault(text: str, folder: Path) -> str:
    """Return the error line that a changed ``params.yaml`` is answered with."""
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        read_params(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_the_shipped_file_is_right(project: Path) -> None:
    params = read_params(project / "params.yaml")
    assert params.run.datasets == ("tiny",)
    assert params.select.count == 500


def test_exponents_are_numbers(project: Path) -> None:
    # YAML 1.1 readers take `1e-3` for text; ours reads 1.2, as DVC does.
    role = read_params(project / "params.yaml").training.recipes["published"].student
    assert role.learning_rate == 0.001


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("gap_minutes: 30", "gap_minuts: 30", "sessions.gap_minuts is not a known key"),
        ("  gap_minutes: 30 ", "  # ", "sessions.gap_minutes is missing; add it"),
        ("gap_minutes: 30", "gap_minutes: -1", "sessions.gap_minutes: Input should be greater"),
        ("count: 500", "count: many", "select.count: Input should be a valid integer"),
        ("policy: exact", "policy: best", "select.policy: Input should be 'exact', "),
        ("datasets: [tiny]", "datasets: [tinny]", "run.datasets: 'tinny' is not one of amazon-"),
        ("backbones: [fpmc]", "backbones: [bert]", "run.backbones: 'bert' is not one of atten"),
        ("recipes: [published, strong]", "recipes: [x]", "run.recipes: 'x' is not one of publ"),
        ("seeds: [1]", "seeds: []", "run.seeds: the list needs an entry"),
        ("datasets: [tiny]", "datasets: tiny", "run.datasets: Input should be a list: [a, b]"),
        ("seeds: [1]", "seeds: [1, 2, 1]", "run.seeds: 1 is there more than once"),
        ("backbones: [fpmc]", "backbones: [fpmc, fpmc]", "run.backbones: 'fpmc' is there more"),
        ("share_effective: 0.1", "share_effective: 0.9", "select: share_effective + share_inc"),
        ("folds: 0", "folds: 1", "difficulty: folds: 0 (the teacher itself) or at least 2"),
        ("    path: examples/tiny\n", "", "dataset.tiny: give path, folder or url"),
        ("reader: lastfm", "reader: log", "dataset.lastfm: reader 'log' and a section 'log'"),
        (
            "    fpmc: {}",
            "    fpmc: {recipes: {weak: {}}}",
            "training: backbones.fpmc.recipes: 'weak",
        ),
        (
            "fpmc: {}",
            "fpmc: {recipes: {strong: {student: {dimension: 9}}}}",
            "training.backbones.fpmc.recipes.strong.student.dimension is not a known key",
        ),
        ("student: {dimension: 10", "student: {dimension: 0", "training.recipes.published.stude"),
    ],
)
def test_a_mistake_is_answered_with_its_place(
    old: str, new: str, answer: str, shipped: str, tmp_path: Path
) -> None:
    assert fault(replaced(shipped, old, new), tmp_path).startswith(answer)


def test_the_value_that_was_found_is_shown(shipped: str, tmp_path: Path) -> None:
    assert "'many'" in fault(replaced(shipped, "count: 500", "count: many"), tmp_path)


def test_several_mistakes_are_counted(shipped: str, tmp_path: Path) -> None:
    text = replaced(shipped, "count: 500", "count: 0")
    text = replaced(text, "min_events: 5", "min_events: 1")
    assert fault(text, tmp_path).endswith("; 1 more to correct")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="run the command in the project's folder"):
        read_params(tmp_path / "params.yaml")


@given(st.text(max_size=60))
def test_any_text_is_read_or_answered_in_one_line(text: str) -> None:
    class Memory:
        def read_text(self, encoding: str) -> str:
            return text

        def __str__(self) -> str:
            return "params.yaml"

    with pytest.raises(ParamsError) as caught:
        read_params(Memory())  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_parameters_cannot_be_changed_by_a_stage(project: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read_params(project / "params.yaml").select.count = 5  # type: ignore[misc]


def test_a_backbone_changes_the_recipe_it_names_and_no_other(shipped: str, tmp_path: Path) -> None:
    own = "fpmc: {recipes: {strong: {student: {learning_rate: 0.5, dropout: 0.25}}}}"
    path = tmp_path / "params.yaml"
    path.write_text(replaced(shipped, "fpmc: {}", own))
    training = read_params(path).training
    strong, fpmc = training.recipes["strong"], training.recipe("strong", "fpmc")
    assert (fpmc.student.learning_rate, fpmc.student.dropout) == (0.5, 0.25)
    expected = strong.student.model_copy(update={"learning_rate": 0.5, "dropout": 0.25})
    assert (fpmc.student, fpmc.teacher, fpmc.fit) == (expected, strong.teacher, strong.fit)
    assert training.recipe("published", "fpmc") == training.recipes["published"]


def test_every_recipe_has_a_schedule_to_distil_with(project: Path) -> None:
    params = read_params(project / "params.yaml")
    for recipe in params.training.recipes:
        assert params.distill.of(recipe).max_steps > 0
    with pytest.raises(ParamsError, match="distill has no section 'fast'"):
        params.distill.of("fast")


def test_the_sections_stand_in_the_order_of_the_classes(shipped: str) -> None:
    sections = re.findall(r"^(\w+):", shipped, flags=re.MULTILINE)
    assert sections == list(Params.model_fields)


def test_no_key_is_called_size_or_nfiles(shipped: str) -> None:
    # DVC's run-cache overlooks keys of these names: it would restore a stale output.
    assert {"size", "nfiles"}.isdisjoint(keys(YAML(typ="safe").load(shipped)))


def test_every_key_is_explained_where_it_first_stands(shipped: str) -> None:
    """A comment on the key's line, or one above or below that speaks of the key by name."""
    comments = " ".join(re.findall(r"#(.*)", shipped))
    lines = shipped.splitlines()
    named = keys(YAML(typ="safe").load(shipped)["run"])
    missing = [
        key
        for key in sorted(named | fields(Params))
        if key in shipped
        and not re.search(rf"\b{key}\b", comments)
        and not any(re.search(rf"^[^#]*\b{key}:.*#", line) for line in lines)
    ]
    assert missing == []


def keys(value: Any) -> set[str]:
    """Return the names of all keys below a value."""
    if not isinstance(value, dict):
        return set()
    return {str(key) for key in value}.union(*(keys(one) for one in value.values()))


def fields(model: type[BaseModel]) -> set[str]:
    """Return the names of all leaf fields of a section and the sections below it."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        below = [one for one in _classes(field.annotation) if issubclass(one, BaseModel)]
        found |= set().union(*(fields(one) for one in below)) if below else {name}
    return found


def _classes(annotation: Any) -> list[type]:
    if isinstance(annotation, type):
        return [annotation]
    return [one for part in getattr(annotation, "__args__", ()) for one in _classes(part)]
