"""``paths.py`` and ``dvc.yaml`` spell the same files."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.params.run import RunParams
from pipeline.paths import Cell, Paths, cells

CELL = Cell("tiny", "fpmc", "strong", 1)
OUTPUTS: dict[str, Callable[[Paths], set[Path]]] = {
    "fetch": lambda paths: {paths.raw("tiny")},
    "sessions": lambda paths: {paths.sessions("tiny")},
    "baselines": lambda paths: {paths.baselines("tiny")},
    "teacher": lambda paths: {paths.teacher(CELL)},
    "student": lambda paths: {paths.student(CELL)},
    "difficulty": lambda paths: {paths.difficulty(CELL)},
    "select": lambda paths: {paths.selected(CELL), paths.plots(CELL) / "policies.csv"},
    "hints": lambda paths: {
        paths.hints_store("tiny"),
        paths.hinted("tiny"),
        paths.hint_parts("tiny"),
    },
    "label": lambda paths: {paths.labels_store("tiny"), paths.label_parts("tiny")},
    "labelled": lambda paths: {
        paths.labelled(CELL),
        paths.label_ranks(CELL),
        paths.card(CELL),
    },
    "distill": lambda paths: {paths.distilled(CELL)},
    "hybrid": lambda paths: {paths.hybrid(CELL)},
    "evaluate": lambda paths: {
        paths.ranks(CELL),
        paths.metrics(CELL),
        *(paths.plots(CELL) / f"{name}.csv" for name in ("training", "quality", "selection")),
    },
    "report": lambda paths: {
        paths.report,
        *(paths.report_plots(name) for name in ("bytes", "labels", "dimensions")),
    },
}


@pytest.fixture(scope="module")
def stages(project: Path) -> dict[str, Any]:
    """Return dvc.yaml's stages with the names of one cell put in."""
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    values = {"dataset": "tiny", "backbone": "fpmc", "recipe": "strong", "seed": "1"}
    filled = re.sub(r"\$\{item\.(\w+)\}", lambda found: values[found[1]], text)
    filled = filled.replace("${hybrid.student}", "student")
    content: dict[str, Any] = YAML(typ="safe").load(filled)["stages"]
    return content


def places(entries: list[Any]) -> set[str]:
    return {next(iter(one)) if isinstance(one, dict) else one for one in entries}


def outputs(stage: dict[str, Any]) -> set[str]:
    return places([*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])])


def test_every_stage_writes_where_paths_says(stages: dict[str, Any]) -> None:
    expected = {name: {str(one) for one in made(Paths())} for name, made in OUTPUTS.items()}
    assert {name: outputs(stage) for name, stage in stages.items()} == expected


def test_a_stage_reads_only_from_its_left(stages: dict[str, Any]) -> None:
    before = {str(Paths().grids)}  # by a command of its own, which no stage waits for
    for name, stage in stages.items():
        data = {
            one for one in places(stage["deps"]) if one.startswith(("data", "models", "reports"))
        }
        assert {one for one in data if not any(made.startswith(one) for made in before)} == set(), (
            f"{name} reads what no stage on its left writes"
        )
        before |= outputs(stage)


def test_buying_for_others_makes_no_cell_s_figures_anew(stages: dict[str, Any]) -> None:
    read, paths = places(stages["evaluate"]["deps"]), Paths()
    stores = {paths.hints_store("tiny"), paths.labels_store("tiny")}
    names = {paths.hint_parts("tiny"), paths.label_parts("tiny")}
    assert read.isdisjoint({str(one) for one in stores | names})


def test_every_command_is_the_stage_s_own_name(stages: dict[str, Any]) -> None:
    for name, stage in stages.items():
        assert stage["cmd"].startswith(f"python -m pipeline {name}")


def test_code_that_a_stage_depends_on_is_there(stages: dict[str, Any], project: Path) -> None:
    code = {
        one
        for stage in stages.values()
        for one in places(stage["deps"])
        if one.startswith("pipeline/")
    }
    assert [one for one in sorted(code) if not (project / one).exists()] == []


def test_only_the_stores_of_paid_answers_and_their_lists_persist(stages: dict[str, Any]) -> None:
    persisted = {
        path
        for stage in stages.values()
        for one in stage["outs"]
        if isinstance(one, dict)
        for path, options in one.items()
        if options.get("persist")
    }
    assert persisted == outputs(stages["hints"]) - {"data/hinted/tiny"} | outputs(stages["label"])


def test_cells_come_in_the_order_of_the_lists() -> None:
    run = RunParams(
        datasets=("a", "b"), backbones=("fpmc",), recipes=("published", "strong"), seeds=(2, 1)
    )
    assert [cell.folder for cell in cells(run)][:3] == [
        "a/fpmc/published/2",
        "a/fpmc/published/1",
        "a/fpmc/strong/2",
    ]
    assert {cell.dataset for cell in cells(run, "b")} == {"b"}
    assert len(cells(run)) == 8


def test_the_data_home_is_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISTILREC_DATA_HOME", raising=False)
    assert Paths().data_home is None
    monkeypatch.setenv("DISTILREC_DATA_HOME", "/data")
    assert Paths().data_home == Path("/data")
