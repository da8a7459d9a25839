"""Every kind of unit is made, on a very small project, and what comes out of it is whole."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from ruamel.yaml import YAML

from pipeline import files
from pipeline.errors import DataError
from pipeline.evaluation.evidence import figures as evidence
from pipeline.evaluation.runs import Run
from pipeline.grid import figures
from pipeline.grid.making import make
from pipeline.grid.prepare import grid_of, params_of
from pipeline.grid.studies import Extent, Scope, entries
from pipeline.grid.takeover import counting, take_over
from pipeline.grid.units import (
    CONTROLS,
    TUNED,
    Entry,
    Unit,
    closed,
    tuning,
)
from pipeline.grid.workplace import Grid
from pipeline.params import read_params
from pipeline.paths import Paths
from pipeline.tables import GRID_RANKS, GRID_RUNS, LABELLED
from tests.grid.project import DATASET, write_project

TRIED = ("de", "dsl", "dllm2rec", "teacher_ranking", "exact_tuned")
CHOSEN = ("exact", "paper_corrected_easy_first", "random", "hardest")
BASE = Unit(DATASET, "fpmc", "strong", 1, "")
EXTENT = Extent(
    seeds=1,
    study_seeds=1,
    other_seeds=0,
    draws=2,
    study_draws=1,
    rivals=TRIED,
    weight=TUNED,
    selections=CHOSEN,
    dimensions=(4, 8),
    counts=(20, 50),
    policies=("exact", "random"),
    shares=((0.1, 0.4), (0.2, 0.4)),
    rates=(0.0, 1.0),
    true_counts=True,
    served=(8,),
    study_recipes=1,
)


def opened(folder: Path) -> Grid:
    project = Paths(folder)
    params = params_of("quick", read_params(project.params), project)
    return grid_of("quick", params, project, [DATASET])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Grid, list[Entry]]:
    """Return a grid with all kinds of units, every one of them finished."""
    folder = tmp_path_factory.mktemp("grid")
    write_project(folder)
    grid = opened(folder)
    baselines = counting(grid.paths, BASE)
    listed = entries(EXTENT, Scope((DATASET,), ("fpmc",), ("strong",)), baselines)
    for unit in closed(listed):
        if not grid.finished(unit):
            make(grid, unit)
    return grid, listed


def unit(method: str, **setting: float | str) -> Unit:
    return replace(BASE, method=method, setting=tuple(setting.items()))


def test_every_unit_is_finished_and_says_what_it_is(made: tuple[Grid, list[Entry]]) -> None:
    grid, listed = made
    methods = {entry.unit.method for entry in listed}
    assert methods >= {*CHOSEN, *CONTROLS, *TRIED, "student", "teacher", "hybrid", "itemknn"}
    for entry in listed:
        key = grid.keys.of(entry.unit)
        content, ranks = grid.store.read(key), grid.store.ranks(key)
        assert content["key"] == key
        assert content["seconds"] >= 0
        assert len(ranks) == len(figures.test_of(grid, DATASET))
        assert (ranks["rank"] >= 1).all()
        assert content["facts"]["bytes"] > content["facts"]["parameters"] > 0


def test_labels_and_their_price_are_those_of_the_method(made: tuple[Grid, list[Entry]]) -> None:
    grid, _ = made
    labels = {name: grid.facts(unit(name))["labels"] for name in ("exact", *CONTROLS, "student")}
    assert labels == {
        "exact": 20,
        "llm_shuffled": 20,
        "label_only": 0,
        "teacher_order": 0,
        "no_list": 0,
        "student": 0,
    }
    assert grid.facts(unit("exact", labels=50))["labels"] == 50
    rivals = {name: grid.facts(unit(name, weight=TUNED))["labels"] for name in TRIED}
    of_llm = ("dllm2rec", "exact_tuned")
    assert rivals == {name: 20 if name in of_llm else 0 for name in TRIED}
    assert grid.facts(unit("exact"))["usd"] == 0.0  # an offline stand-in


def test_the_control_takes_as_many_steps_as_the_lists_took(made: tuple[Grid, list[Entry]]) -> None:
    grid, _ = made
    assert grid.facts(unit("no_list"))["steps"] == grid.facts(unit("exact"))["steps"] > 0


def test_a_tuned_rival_is_the_best_on_validation_of_those_tried(
    made: tuple[Grid, list[Entry]],
) -> None:
    grid, _ = made
    for name in TRIED:
        chosen = unit(name, weight=TUNED)
        tried = [grid.facts(one)["validation_ndcg"] for one in tuning(chosen)]
        assert len(tried) == (1 if name == "dsl" else 5)
        assert grid.facts(chosen)["validation_ndcg"] == max(tried)


def test_students_of_other_widths_have_a_place_of_their_own(
    made: tuple[Grid, list[Entry]],
) -> None:
    grid, _ = made
    sizes = {width: grid.facts(unit("student", dimension=width)) for width in (4, 8)}
    assert [one["dimension"] for one in sizes.values()] == [4, 8]
    assert sizes[8] == grid.facts(unit("student"))
    assert grid.facts(unit("exact", dimension=4))["bytes"] == pytest.approx(
        sizes[4]["bytes"], abs=3
    )


def test_served_forms_take_fewer_bytes(made: tuple[Grid, list[Entry]]) -> None:
    grid, _ = made
    bits = {n: grid.facts(unit("student", bits=n, dimension=8))["bytes"] for n in (4, 8)}
    assert bits[4] < bits[8] < grid.facts(unit("student"))["bytes"]
    counting = Unit(DATASET, "", "", 0, "itemknn")
    pruned = replace(counting, setting=(("bytes_an_item", 160),))
    assert 0 < grid.facts(pruned)["bytes"] <= 160 * 40


def test_true_counts_are_those_of_all_usable_answers(made: tuple[Grid, list[Entry]]) -> None:
    grid, _ = made
    found = grid.facts(unit("answers"))
    usable = LABELLED.read(grid.paths.labelled(BASE.cell))
    assert found["effective"] + found["similar"] + found["incorrect"] == len(usable)


def test_figures_follow_from_the_tables_beside_them(
    made: tuple[Grid, list[Entry]], tmp_path: Path
) -> None:
    grid, listed = made
    project = Paths(tmp_path)
    figures.write(grid, listed, project)
    content = figures.read(project, "quick")
    assert content["complete"]
    assert content["finished"] == content["planned"] == len({grid.keys.of(e.unit) for e in listed})
    assert content["cut"] is None
    assert content["made"]["prices"]["usd"] == 0
    assert len(content["tuned"]) == len(TRIED)
    folder = project.grid_ranks("quick", DATASET)
    ranks = {
        str(key): of.sort("session_id")["rank"].to_numpy()
        for (key,), of in GRID_RANKS.read(folder).partition_by("key", as_dict=True).items()
    }
    rows = GRID_RUNS.read(folder).sort("run").drop("run").iter_rows(named=True)
    runs = [_run(row, ranks[row["key"]]) for row in rows]
    test = {DATASET: figures.test_of(grid, DATASET)}
    assert evidence(runs, test, grid.params.evaluate) == content["datasets"]
    first = project.grid_figures("quick").read_bytes()
    figures.write(grid, listed, project)
    assert project.grid_figures("quick").read_bytes() == first


def _run(row: dict[str, Any], ranks: Any) -> Run:
    named = {name: value for name, value in row.items() if name not in ("key", "setting")}
    return Run(**named, setting=json.loads(row["setting"]), ranks=ranks)


def test_a_unit_made_twice_has_the_same_ranks(made: tuple[Grid, list[Entry]]) -> None:
    grid, _ = made
    for name in ("exact", "random"):
        key = grid.keys.of(unit(name))
        before = grid.store.ranks(key)["rank"].to_numpy()
        make(grid, unit(name))
        assert np.array_equal(grid.store.ranks(key)["rank"].to_numpy(), before)


def test_a_model_that_is_gone_or_changed_is_made_again(made: tuple[Grid, list[Entry]]) -> None:
    grid, _ = made
    student, again = unit("student"), opened(grid.project)
    path = grid.paths.student(BASE.cell) / "model.json"
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert not opened(grid.project).finished(student)
    path.unlink()
    assert not opened(grid.project).finished(student)
    path.write_bytes(content)
    assert again.finished(student)


def test_models_made_elsewhere_are_taken_over_and_other_ones_are_not(
    made: tuple[Grid, list[Entry]], tmp_path: Path
) -> None:
    theirs, listed = made
    write_project(tmp_path)
    grid = opened(tmp_path)
    taken = take_over(grid, theirs.root, closed(listed))
    assert (taken.folders, taken.other) == (4, 0)  # baselines, student, teacher, difficulty
    make(grid, unit("teacher"))
    key = grid.keys.of(unit("teacher"))
    assert grid.store.read(key)["taken"]
    assert grid.store.read(key)["seconds"] is None
    assert grid.store.ranks(key).equals(theirs.store.ranks(theirs.keys.of(unit("teacher"))))
    make(grid, unit("pool"))
    assert grid.store.read(grid.keys.of(unit("pool")))["taken"]

    other = grid.paths.student(BASE.cell) / "model.json"
    described = files.read_json(other)
    described["role"]["dropout"] = 0.25
    files.write_json(theirs.root / "elsewhere.json", {})  # nothing of it is read
    files.write_json(other, described)
    make(grid, unit("student"))
    assert not grid.store.read(grid.keys.of(unit("student")))["taken"]


def test_a_model_trained_at_another_speed_than_the_backbone_s_is_not_taken_over(
    made: tuple[Grid, list[Entry]], tmp_path: Path
) -> None:
    theirs, listed = made
    write_project(tmp_path)
    path, yaml = tmp_path / "params.yaml", YAML(typ="safe")
    values = yaml.load(path)
    changes = {BASE.recipe: {"student": {"learning_rate": 0.5}}}
    values["training"]["backbones"]["fpmc"]["recipes"] = changes
    yaml.dump(values, path)
    grid = opened(tmp_path)
    take_over(grid, theirs.root, closed(listed))
    for method, taken in (("teacher", True), ("student", False)):
        make(grid, unit(method))
        assert bool(grid.store.read(grid.keys.of(unit(method)))["taken"]) == taken


def test_models_of_other_sessions_are_refused(
    made: tuple[Grid, list[Entry]], tmp_path: Path
) -> None:
    theirs, listed = made
    write_project(tmp_path)
    log = tmp_path / "log/events.csv"
    log.write_text(log.read_text() + "\nu1,item 1,999999999", encoding="utf-8")
    events = pl.read_csv(log)
    assert len(events) == 751
    log.write_text(
        "\n".join(log.read_text().splitlines()[:-6]), encoding="utf-8"
    )  # one session fewer
    grid = opened(tmp_path)
    with pytest.raises(DataError, match=r"leave out --models") as caught:
        take_over(grid, theirs.root, closed(listed))
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="no dataset of chains"):
        take_over(grid, tmp_path, closed(listed))


def test_a_labeller_that_costs_is_never_asked(
    made: tuple[Grid, list[Entry]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, _ = made
    write_project(tmp_path)
    path = tmp_path / "params.yaml"
    text = path.read_text(encoding="utf-8")
    changed = text.replace("provider: similarity", "provider: openai_compatible")
    path.write_text(changed, encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "nobody reads it")
    grid = opened(tmp_path)
    take_over(grid, theirs.root, [unit("teacher")])
    make(grid, unit("teacher"))
    with pytest.raises(DataError, match="a grid never spends") as caught:
        make(grid, unit("pool"))
    assert "\n" not in str(caught.value)
    assert not grid.finished(unit("pool"))
