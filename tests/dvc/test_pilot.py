"""A pilot between two runs of `dvc repro`: what it bought stays, and is not bought again."""

from pathlib import Path

import pytest

from tests.dvc.paid import Till
from tests.dvc.project import Project, stages

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("paid")]

SELECTED = 12
PILOT = ("distilrec", "labels", "pilot", "shop", "4", "--without-teacher")


@pytest.fixture
def project(bought: Project, tmp_path: Path) -> Project:
    """Return a repository that asks another model: it has its hints and no ranking of it."""
    project = bought.copy(tmp_path / "project")
    project.change("label.model", "another-model")
    project.repro("hints")
    return project


def parts(project: Project) -> set[str]:
    """Return the names of the store's parts."""
    return {path.name for path in (project.root / "data/labels/shop").glob("*.parquet")}


def test_repro_keeps_what_a_pilot_bought_and_buys_the_rest(project: Project, till: Till) -> None:
    before = parts(project)
    told = project.run(*PILOT).stdout
    assert "4 of 12 selected sessions: 0 were here, 4 bought" in told
    pilot = parts(project) - before
    assert (len(pilot), len(till.sessions())) == (1, 4)

    assert stages(project.repro()) == {"label"}
    assert before | pilot < parts(project)
    assert len(till.paid()) == len(till.sessions()) == SELECTED
    assert "4 of 12 selected sessions: 4 were here, 0 bought" in project.run(*PILOT).stdout
    assert project.repro() == set()


def test_what_a_forced_checkout_removes_of_a_pilot_is_not_bought_again(
    project: Project, till: Till
) -> None:
    before = parts(project)
    project.run(*PILOT)
    project.dvc("checkout", "--force", "label")
    assert parts(project) == before
    stopped = project.run("dvc", "repro", check=False)
    assert "`distilrec labels recover shop`" in stopped.stderr
    project.run("distilrec", "labels", "recover", "shop")
    project.dvc("repro")
    assert len(till.paid()) == len(till.sessions()) == SELECTED
