"""One repository with a run of the shop's 60 sessions, and one whose labels were paid for."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.dvc import paid, shop
from tests.dvc.paid import Till
from tests.dvc.project import SOURCE, Project, copy_of_the_project, standing
from tests.labelling.conftest import Stub

SERVED_SECONDS = 900


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a repository in which `dvc repro` has run and everything is committed."""
    project = copy_of_the_project(tmp_path_factory.mktemp("dvc") / "project")
    shop.write(project.root / "logs/shop", seed=1)
    project.change("dataset.shop", shop.section("logs/shop"), new=True)
    for key, value in shop.SETTINGS.items():
        project.change(key, value)
    project.repro()
    project.commit("a first run")
    return project


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    """Yield the paid service, one for all tests: its address is committed in `params.yaml`."""
    log = tmp_path_factory.mktemp("service") / "log.jsonl"
    words = [str(log), "[]", "0", json.dumps({"most_seconds": SERVED_SECONDS})]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.labelling.stub_server", *words],
        cwd=SOURCE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        yield Stub(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log)
        process.terminate()


@pytest.fixture(scope="session")
def bought(ran: Project, service: Stub, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a repository whose hints and 12 rankings were paid for; everything is committed."""
    project = paid.buying(standing(ran, tmp_path_factory.mktemp("bought") / "project"), service.url)
    till = Till(service)
    project.dvc("repro")
    assert len(till.paid()) == 13
    project.commit("labels")
    return project


@pytest.fixture
def till(service: Stub) -> Till:
    """Return what the service is paid for in this test."""
    return Till(service)
