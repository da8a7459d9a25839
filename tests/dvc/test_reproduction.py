"""`dvc repro` runs again what depends on a change, and nothing else."""

from typing import Any

import pytest

from tests.dvc.project import Project, stages

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("dvc")]

ALL = "report"
"""The last stage: everything is reproduced."""

# Parameter, new value, the stage up to which is reproduced, stages that must run, stages that may:
# those whose input can come out with the same bytes, and then DVC rightly skips them. No other
# stage may run. Each change comes on top of those before it.
CHANGES: list[tuple[str, Any, str, str, str]] = [
    ("label_transport.concurrency", 3, ALL, "", ""),
    ("dataset.lastfm.folder", "elsewhere", ALL, "", ""),
    ("report.title", "shop", ALL, "report", ""),
    ("evaluate.cutoffs", [3, 10], ALL, "evaluate report", ""),
    ("training.counting.recency", [0.5], ALL, "baselines hybrid evaluate", "report"),
    ("hybrid.margin", 1000, ALL, "hybrid", "evaluate report"),
    ("hints.cases", 7, ALL, "hints report", ""),
    (
        "training.recipes.published.student.learning_rate",
        0.03,
        ALL,
        "student distill hybrid evaluate",
        "report",
    ),
    ("select.count", 9, ALL, "select label labelled distill evaluate", "report"),
    ("label.ranking_length", 9, "labelled", "hints label labelled", ""),
    ("difficulty.candidates", 14, "labelled", "difficulty select hints label labelled", ""),
    ("sessions.seed", 2, "select", "sessions teacher difficulty select", ""),
]


def test_a_second_run_runs_nothing(ran: Project) -> None:
    assert ran.repro() == set()


@pytest.mark.parametrize(
    ("key", "value", "target", "must", "may"), CHANGES, ids=[one[0] for one in CHANGES]
)
def test_a_change_runs_what_depends_on_it(
    key: str, value: Any, target: str, must: str, may: str, ran: Project
) -> None:
    ran.change(key, value)
    found = stages(ran.repro(target))
    assert found - set(may.split()) == set(must.split())


def test_back_to_earlier_parameters_is_restored_without_training(ran: Project) -> None:
    ran.repro("teacher")
    ran.change("training.recipes.published.teacher.weight_decay", 0.5)
    assert "teacher" in stages(ran.repro("teacher"))
    ran.change("training.recipes.published.teacher.weight_decay", 0)
    assert ran.repro("teacher") == set()
