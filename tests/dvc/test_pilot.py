"""A pilot between two runs of `dvc repro`: what it bought stays, and is not bought again."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dvc.project import Project, stages, standing
from tests.labelling.conftest import StartStub, Stub, start_stub  # noqa: F401 - a fixture

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("dvc")]

PILOT = (sys.executable, "-m", "pipeline", "labels", "pilot", "shop", "4", "--without-teacher")


def buying(ran: Project, root: Path, stub: Stub) -> Project:
    """Return a clone of a run that buys from the stub, its hints bought already."""
    project = replace(standing(ran, root), secrets={"STUB_API_KEY": "sk-stub"})
    for key, value in {
        "label.provider": "openai_compatible",
        "label.endpoint": "stub",
        "label.model": "stub-model",
        "label_transport.base_url": stub.url,
        "label_transport.api_key_variable": "STUB_API_KEY",
        "label_transport.requests_per_minute": 60_000,
        "label_transport.budget_usd": 10,
        "label_transport.price_input": 1,
        "label_transport.price_output": 2,
    }.items():
        project.change(key, value)
    project.repro("hints")
    return project


def rankings(stub: Stub) -> list[str]:
    """Return the questions about rankings that were paid for."""
    paid = [entry for entry in stub.seen() if entry.get("paid")]
    asked = [(one, json.loads(one["body"])["messages"][-1]["content"]) for one in paid]
    return [one["question"] for one, words in asked if '"C1"' in words]


def parts(project: Project) -> set[str]:
    """Return the names of the store's parts."""
    return {path.name for path in (project.root / "data/labels/shop").glob("*.parquet")}


def test_repro_keeps_what_a_pilot_bought_and_buys_the_rest(
    ran: Project,
    tmp_path: Path,
    start_stub: StartStub,  # noqa: F811
) -> None:
    stub = start_stub()
    project = buying(ran, tmp_path / "clone", stub)
    before = parts(project)
    told = project.run(*PILOT).stdout
    assert "4 of 12 selected sessions: 0 were here, 4 bought" in told
    bought = parts(project) - before
    assert (len(bought), len(rankings(stub))) == (1, 4)

    assert stages(project.repro("label")) == {"label"}
    assert bought < parts(project)
    assert len(set(rankings(stub))) == len(rankings(stub)) == 12
    assert "4 of 12 selected sessions: 4 were here, 0 bought" in project.run(*PILOT).stdout
    assert project.repro("label") == set()
