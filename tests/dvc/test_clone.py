"""A fresh clone with its committed `dvc.lock` and no remote runs from end to end."""

import sys
from pathlib import Path

import pytest

from pipeline.evaluation.results import MODELS
from tests.dvc.project import SOURCE, clone_of, stages

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.xdist_group("clone"),
    pytest.mark.timeout(600),  # 14 stages on a machine that is busy with other tests
]
STEPS = 20
"""Of each training: the shipped ones, of both recipes, are for `make repro`."""


def test_a_clone_without_a_remote_runs_and_prints_its_results(tmp_path: Path) -> None:
    if not (SOURCE / ".git").exists():
        pytest.skip("this is no Git clone, so it cannot be cloned")
    project = clone_of(SOURCE, tmp_path / "clone")
    assert (project.root / "dvc.lock").exists(), "dvc.lock is not committed"

    project.change("run.recipes", ["strong"])
    project.change("training.recipes.strong.fit.max_steps", STEPS)
    project.change("distill.strong.max_steps", STEPS)
    assert {"fetch", "label", "distill", "evaluate", "report"} <= stages(project.repro())
    table = project.run(sys.executable, "-m", "pipeline", "results").stdout
    for word in ("tiny", *MODELS):
        assert word in table
    assert (project.root / "reports/index.html").stat().st_size > 10_000
    assert project.repro() == set()
