"""Fourteen ways around in DVC: each pays for what is missing and no more, or the gate stops it."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.dvc import shop
from tests.dvc.paid import (
    BEFORE_LABELS,
    STORES,
    Till,
    asked_twice,
    crash,
    held,
    missing,
    type_what_it_says,
)
from tests.dvc.project import Project

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("paid")]

BOUGHT = 12
TRAINING_SESSIONS = 36
FORCED = ("repro", "--force", "--single-item", "hints", "label")


@pytest.fixture
def project(bought: Project, tmp_path: Path) -> Project:
    """Return the repository with 12 paid rankings once more: the same person and machine."""
    return bought.copy(tmp_path / "project")


@pytest.fixture
def shared(project: Project, tmp_path: Path) -> Project:
    """Return the same with a remote that has everything."""
    project.dvc("remote", "add", "--default", "shared", tmp_path / "remote")
    project.dvc("push")
    project.commit("where our labels are")
    return project


@pytest.fixture
def colleague(shared: Project, tmp_path: Path) -> Project:
    """Return a clone of it with an empty journal."""
    return shared.clone(tmp_path / "clone")


def test_after_a_crash_dvc_exp_run_buys_what_was_not_answered(project: Project, till: Till) -> None:
    project.change("select.count", 24)
    young = crash(project, till, "dvc", "repro")
    project.dvc("exp", "run")
    assert asked_twice(till) <= young
    assert len(held(project)) == BOUGHT + len({one.digest for one in till.paid()})


def test_two_temporary_experiments_buy_once(project: Project, till: Till) -> None:
    wide = ("--temp", "--set-param", "select.count=18")
    project.dvc("exp", "run", *wide)
    extra = till.sessions()
    assert extra
    project.dvc("exp", "run", *wide, "--set-param", "report.title=again", "--force")
    assert till.sessions() == extra
    assert len(held(project)) == BOUGHT


def test_a_clone_that_pulled_buys_nothing(colleague: Project, till: Till) -> None:
    colleague.dvc("pull")
    colleague.dvc(*FORCED)
    assert till.paid() == []
    assert len(held(colleague)) == BOUGHT


def test_a_clone_that_did_not_pull_is_told_to_and_then_buys_nothing(
    colleague: Project, till: Till
) -> None:
    colleague.dvc("pull", *BEFORE_LABELS)
    told = type_what_it_says(colleague, "dvc", "repro")
    assert told == [f"dvc pull {store}" for store in STORES]
    assert till.paid() == []
    assert len(held(colleague)) == BOUGHT


def test_one_row_more_in_the_log_buys_only_sessions_that_are_new(
    project: Project, till: Till
) -> None:
    before = held(project)
    shop.look_at_one_more(project.root / "logs/shop")
    project.dvc("repro", "--force", "--single-item", "fetch")
    project.dvc("repro")
    assert () not in till.sessions()  # the hints serve although the teacher is another one
    assert till.sessions().isdisjoint(before)
    assert len(held(project)) == BOUGHT + len(till.sessions())


def test_back_to_older_parameters_buys_nothing(project: Project, till: Till) -> None:
    project.change("select.count", 18)
    project.dvc("repro")
    extra = till.sessions()
    project.change("select.count", 12)
    project.dvc("repro")
    assert till.sessions() == extra


def test_force_buys_nothing(project: Project, till: Till) -> None:
    project.dvc(*FORCED)
    assert till.paid() == []


def test_a_branch_switch_with_dvc_checkout_buys_nothing(project: Project, till: Till) -> None:
    project.run("git", "checkout", "--quiet", "-b", "more")
    project.change("select.count", 18)
    project.dvc("repro")
    project.commit("more labels")
    extra = till.sessions()
    project.run("git", "checkout", "--quiet", "main")
    project.dvc("checkout")
    assert len(held(project)) == BOUGHT
    project.change("select.count", 18)
    project.dvc("repro")
    assert till.sessions() == extra
    assert len(held(project)) == BOUGHT + len(extra)


def test_a_backbone_that_was_removed_is_neither_planned_nor_bought(
    project: Project, till: Till
) -> None:
    project.change("run.backbones", ["fpmc", "stamp"])
    project.dvc("repro", "select")
    both = missing(project)
    assert min(both) > 0
    project.change("run.backbones", ["fpmc"])
    assert missing(project) == [0, 0]
    project.dvc("repro")
    assert till.paid() == []


def test_another_teacher_seed_in_a_second_clone_buys_nothing(
    colleague: Project, till: Till
) -> None:
    colleague.dvc("pull")
    colleague.change("select.count", TRAINING_SESSIONS)
    colleague.dvc("repro")
    assert len(till.sessions()) == TRAINING_SESSIONS - BOUGHT
    colleague.change("run.seeds", [2])
    colleague.dvc("repro")
    assert len(till.sessions()) == TRAINING_SESSIONS - BOUGHT


def test_dvc_exp_apply_loses_nothing_that_was_paid(project: Project, till: Till) -> None:
    project.dvc("exp", "run", "--temp", "--name", "wide", "--set-param", "select.count=18")
    project.change("select.count", TRAINING_SESSIONS)
    young = crash(project, till, "dvc", "repro")
    project.dvc("exp", "apply", "wide")
    project.change("select.count", TRAINING_SESSIONS)
    project.dvc("repro")
    assert asked_twice(till) <= young
    assert len(held(project)) == TRAINING_SESSIONS


def test_after_git_clean_the_journal_is_nearer_than_what_was_shared(
    shared: Project, till: Till
) -> None:
    shared.run("git", "clean", "-fdx", "--quiet")
    assert not (shared.root / "data/labels/shop").exists()
    shared.dvc("pull", *BEFORE_LABELS)
    assert type_what_it_says(shared, "dvc", "repro") == ["distilrec labels recover shop"]
    assert till.paid() == []


def test_after_git_clean_what_nobody_shared_is_taken_from_the_journal(
    project: Project, till: Till
) -> None:
    before = held(project)
    project.run("git", "clean", "-fdx", "--quiet", *STORES, ".dvc/cache")
    stopped = project.run("dvc", "repro", check=False)
    assert "`distilrec labels recover shop`" in stopped.stderr
    project.run("distilrec", "labels", "recover", "shop")
    project.dvc("repro")
    assert till.paid() == []
    assert sorted(held(project)) == sorted(before)


def test_dvc_checkout_force_costs_nothing(project: Project, till: Till) -> None:
    project.change("select.count", 24)
    young = crash(project, till, "dvc", "repro")
    project.dvc("checkout", "--force")
    project.dvc("repro")
    assert asked_twice(till) <= young


def test_when_dvc_alone_is_killed_a_second_repro_buys_nothing_twice(
    project: Project, till: Till
) -> None:
    project.change("select.count", 24)
    till.stub.change(delay=0.25)
    run = project.start("dvc", "repro")
    till.wait_for(3)
    os.kill(run.pid, signal.SIGKILL)
    run.wait(timeout=10)
    killed, again = time.monotonic(), None
    while again is None or again.returncode != 0:
        assert time.monotonic() - killed < 60
        again = project.run("dvc", "repro", check=False)
        assert again.returncode == 0 or "another labeller is at work" in again.stderr, again.stderr
    till.stub.change(delay=0.0)
    assert asked_twice(till) == set()
    assert len(held(project)) == BOUGHT + len(till.paid())
