"""A word more in a list of `run` gives all the cells it stands for."""

import json
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.dvc.project import Project, copy_of_the_project, standing

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("dvc")]

OF_A_DATASET = ("fetch", "sessions", "baselines", "hints", "label")
OF_A_CELL = (
    "teacher",
    "student",
    "difficulty",
    "select",
    "labelled",
    "distill",
    "hybrid",
    "evaluate",
)


def test_two_datasets_and_two_backbones_give_all_stages(tmp_path: Path) -> None:
    project = copy_of_the_project(tmp_path / "project")
    project.change("run.datasets", ["tiny", "hetrec2011-ml"])
    project.change("run.backbones", ["fpmc", "stamp"])
    project.dvc("init", "--force", "--quiet")
    listed = set(project.dvc("stage", "list", "--all", "--name-only").split())
    datasets, backbones = ("tiny", "hetrec2011-ml"), ("fpmc", "stamp")
    cells = list(product(datasets, backbones, ("published", "strong")))
    assert listed == {
        "report",
        *(f"{stage}@{dataset}" for stage in OF_A_DATASET for dataset in datasets),
        *(f"{stage}@{'-'.join(cell)}-1" for stage in OF_A_CELL for cell in cells),
    }


def test_a_cell_of_a_second_backbone_runs_and_leaves_the_first_alone(
    ran: Project, tmp_path: Path
) -> None:
    project = standing(ran, tmp_path / "clone")
    project.change("run.backbones", ["fpmc", "stamp"])
    found = project.repro("evaluate@shop-stamp-published-1")
    # One labelling serves all cells of a dataset, so it runs again with the selections of both.
    assert found == {
        "hints shop",
        "label shop",
        *(f"{stage} shop/stamp/published/1" for stage in OF_A_CELL),
    }
    rows = json.loads(project.run(sys.executable, "-m", "pipeline", "results", "--json").stdout)
    cells = {(row["dataset"], row["backbone"]) for row in rows}
    assert cells == {("shop", "fpmc"), ("shop", "stamp")}
