"""One repository with a run of the shop's 60 sessions, shared by the tests of this folder."""

import pytest

from tests.dvc import shop
from tests.dvc.project import Project, copy_of_the_project


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a repository in which `dvc repro` has run and everything is committed."""
    project = copy_of_the_project(tmp_path_factory.mktemp("dvc") / "project")
    shop.write(project.root / "logs/shop", seed=1)
    shop.write(project.root / "logs/kiosk", seed=2)
    project.change("dataset.shop", shop.section("logs/shop"), new=True)
    project.change("dataset.kiosk", shop.section("logs/kiosk"), new=True)
    for key, value in shop.SETTINGS.items():
        project.change(key, value)
    project.repro()
    project.commit("a first run")
    return project
