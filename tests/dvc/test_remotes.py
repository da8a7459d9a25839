"""Models and labels travel through a remote to a second clone, which trains what changed alone."""

from pathlib import Path

import pytest

from tests.dvc.project import Project, stages, standing

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("dvc")]


def test_a_clone_that_pulls_everything_from_a_folder_distils_anew_without_asking(
    ran: Project, tmp_path: Path
) -> None:
    first = standing(ran, tmp_path / "first")
    first.dvc("remote", "add", "--default", "team", tmp_path / "remote")
    first.dvc("push")
    first.commit("where our labels are")

    second = first.clone(tmp_path / "second")
    second.dvc("pull")
    assert parts(second) == parts(first) != []
    second.change("distill.published.learning_rate", 0.04)
    found = stages(second.repro())
    assert {"distill", "evaluate"} <= found <= {"distill", "evaluate", "report"}


def parts(project: Project) -> list[str]:
    """Return the names of the label store's files."""
    return sorted(path.name for path in (project.root / "data/labels/shop").rglob("*.parquet"))
