"""The tables of a terminal: a model's figures, and what may be said of it against another."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import files
from pipeline.errors import ParamsError
from pipeline.grid import tables
from pipeline.grid.tables import Choice
from pipeline.paths import Paths

PLACE = {"study": "table", "backbone": "fpmc", "recipe": "strong", "setting": {}}


@pytest.fixture
def project(tmp_path: Path) -> Paths:
    """A project with figures of two models, of which the second is better."""
    metrics = {"recall@10": figure(0.2, 0.1, 0.3), "ndcg@10": figure(0.1, None, None)}
    models = [
        {**PLACE, "method": method, "seeds": 2, "draws": draws, "metrics": metrics}
        for method, draws in (("exact", 1), ("random", 3), ("student", 1))
    ]
    compared = [
        comparison("exact", "random", "less", -0.02),
        comparison("random", "student", "more", 0.03),
        comparison("exact", "student", "not enough data to tell", 0.0),
    ]
    return written(tmp_path, models, compared)


def written(folder: Path, models: list[dict[str, Any]], comparisons: list[dict[str, Any]]) -> Paths:
    found = {"sessions": {"test": 40}, "models": models, "comparisons": comparisons}
    counted = {"grid": "quick", "finished": 3, "planned": 3, "cut": None}
    paths = Paths(folder)
    files.write_json(paths.grid_figures("quick"), {**counted, "datasets": {"chains": found}})
    return paths


def figure(mean: float, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"mean": mean, "low": low, "high": high}


def comparison(ours: str, theirs: str, verdict: str, difference: float) -> dict[str, Any]:
    interval = {"low": difference - 0.01, "high": difference + 0.01}
    told = {
        **interval,
        "verdict": verdict,
        "difference": difference,
        "metric": "ndcg@10",
        "their_setting": {},
    }
    return {**PLACE, "ours": ours, "theirs": theirs, **told}


def lines(project: Paths, than: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    tables.show("quick", Choice(than=than), project, as_json=False)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_model_is_shown_with_its_intervals_half_and_what_may_be_said(
    project: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(project, "student", capsys) == [
        "chains fpmc strong (40 test sessions)",
        "method seeds R@10 +- N@10 +- than student",
        "exact 2 .2000 .1000 .1000 not told +0.0000",
        "random 2x3 .2000 .1000 .1000 more +0.0300",
        "student 2 .2000 .1000 .1000",
    ]


def test_against_another_method_a_comparison_is_read_from_its_side(
    project: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(project, "random", capsys)[2:] == [
        "exact 2 .2000 .1000 .1000 less -0.0200",
        "random 2x3 .2000 .1000 .1000",
        "student 2 .2000 .1000 .1000 less -0.0300",
    ]
    assert lines(project, "exact", capsys)[3:] == [
        "random 2x3 .2000 .1000 .1000 more +0.0200",
        "student 2 .2000 .1000 .1000 not told +0.0000",
    ]


def test_what_never_differs_is_called_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = {"recall@10": figure(0.2, 0.1, 0.3), "ndcg@10": figure(0.1, None, None)}
    models = [
        {**PLACE, "method": method, "seeds": 2, "draws": 1, "metrics": metrics}
        for method in ("exact", "student")
    ]
    never = {**comparison("exact", "student", "not enough data to tell", 0.0), "low": 0, "high": 0}
    project = written(tmp_path, models, [never])
    assert lines(project, "student", capsys)[2] == "exact 2 .2000 .1000 .1000 the same"
    assert lines(project, "exact", capsys)[3] == "student 2 .2000 .1000 .1000 the same"


def test_a_comparison_with_a_model_of_another_setting_is_not_read_from_its_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = {"setting": {"labels": 50}}
    metrics = {"recall@10": figure(0.2, 0.1, 0.3), "ndcg@10": figure(0.1, None, None)}
    model = {**PLACE, **many, "method": "random", "seeds": 2, "draws": 1, "metrics": metrics}
    compared = [{**comparison("exact", "random", "less", -0.02), **many}]  # with `random` as it is
    project = written(tmp_path, [model], compared)
    assert lines(project, "exact", capsys)[2] == "random labels 50 2 .2000 .1000 .1000"


def test_a_method_that_nothing_is_compared_with_is_refused_with_those_that_are(
    project: Paths,
) -> None:
    with pytest.raises(ParamsError, match=r"'teacher' is compared .*: exact, random, student$"):
        tables.show("quick", Choice(than="teacher"), project, as_json=False)


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        (Choice(), ["", "fpmc published", "fpmc strong", "stamp strong"]),
        (Choice(backbones=("fpmc",)), ["", "fpmc published", "fpmc strong"]),
        (Choice(recipes=("strong",)), ["", "fpmc strong", "stamp strong"]),
        (Choice(backbones=("stamp",), datasets=("chains",)), ["", "stamp strong"]),
        (Choice(study="labels"), ["fpmc strong"]),
        (
            Choice(backbones=("stamp", "fpmc"), recipes=("strong",)),
            ["", "fpmc strong", "stamp strong"],
        ),
    ],
)
def test_what_is_named_is_printed_and_counting_beside_it(choice: Choice, named: list[str]) -> None:
    found = [" ".join(filter(None, (one["backbone"], one["recipe"]))) for one in several(choice)]
    assert found == named


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(datasets=("films",)), "'films' is not a dataset of these figures: chains"),
        (Choice(study="bytes"), "'bytes' is not a study of these figures: labels, table"),
        (
            Choice(study="labels", backbones=("stamp",)),
            "'stamp' is not a backbone of these figures, labels: fpmc",
        ),
        (
            Choice(backbones=("stamp",), recipes=("published",)),
            "'published' is not a recipe of these figures, table, stamp: strong",
        ),
    ],
)
def test_a_name_that_there_is_no_model_of_is_refused_with_those_that_there_are(
    choice: Choice, said: str
) -> None:
    with pytest.raises(ParamsError) as raised:
        several(choice)
    assert str(raised.value) == said


def several(choice: Choice) -> list[Any]:
    cells = [
        ("table", "", ""),
        ("table", "fpmc", "published"),
        ("table", "fpmc", "strong"),
        ("table", "stamp", "strong"),
        ("labels", "fpmc", "strong"),
    ]
    keys = ("dataset", "study", "backbone", "recipe")
    return choice.of([dict(zip(keys, ("chains", *cell), strict=True)) for cell in cells])


@pytest.mark.parametrize(("value", "text"), [(0.05, ".0500"), (1.0, "1.0000"), (10.5, "10.5000")])
def test_a_share_has_four_places_and_no_leading_zero(value: float, text: str) -> None:
    assert tables.short(value) == text
