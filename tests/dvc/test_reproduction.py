"""`dvc repro` runs again what depends on a change, and nothing else."""

from typing import Any

import pytest

from tests.dvc.project import Project, stages

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("dvc")]

BEHIND_SESSIONS = (
    "sessions baselines teacher student difficulty select hints label labelled distill evaluate "
    "report"
)

# Parameter, new value, stages that must run, stages that may: those whose input can come out with
# the same bytes, and then DVC rightly skips them. No other stage may run.
CHANGES: list[tuple[str, Any, str, str]] = [
    ("label_transport.concurrency", 3, "", ""),
    ("dataset.lastfm.folder", "elsewhere", "", ""),
    ("report.title", "shop", "report", ""),
    ("evaluate.cutoffs", [3, 10], "evaluate report", ""),
    ("training.counting.recency", [0.5], "baselines evaluate", "report"),
    ("hints.cases", 7, "hints", ""),
    (
        "training.recipes.published.student.learning_rate",
        0.03,
        "student distill evaluate",
        "report",
    ),
    ("label.ranking_length", 9, "hints label labelled distill", "evaluate report"),
    ("select.count", 9, "select label labelled distill evaluate", "report"),
    (
        "difficulty.candidates",
        14,
        "difficulty select hints label labelled distill evaluate",
        "report",
    ),
    ("sessions.seed", 2, BEHIND_SESSIONS, ""),
]


def test_a_second_run_runs_nothing(ran: Project) -> None:
    assert ran.repro() == set()


@pytest.mark.parametrize(("key", "value", "must", "may"), CHANGES, ids=[one[0] for one in CHANGES])
def test_a_change_runs_what_depends_on_it(
    key: str, value: Any, must: str, may: str, ran: Project
) -> None:
    ran.change(key, value)
    found = stages(ran.repro())
    assert found - set(may.split()) == set(must.split())


def test_back_to_earlier_parameters_is_restored_without_training(ran: Project) -> None:
    ran.repro()
    ran.change("training.recipes.published.teacher.weight_decay", 0.5)
    assert "teacher" in stages(ran.repro("teacher"))
    ran.change("training.recipes.published.teacher.weight_decay", 0)
    assert ran.repro("teacher") == set()
