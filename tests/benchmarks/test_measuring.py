"""The benchmarks of recommenders run and give their rows, on small made sessions."""

import pytest

from benchmarks import catalogue, ranking, training
from benchmarks.record import COLUMNS
from benchmarks.workload import made
from pipeline.params import read_params
from pipeline.params.training import TrainingParams
from pipeline.paths import Paths
from pipeline.recommenders import checkpoint


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> TrainingParams:
    monkeypatch.setattr(training, "TURNS", 1)
    return read_params(Paths().params).training


def test_training_is_measured_against_the_naive_loop(params: TrainingParams) -> None:
    ours, gain, _, naive = training.against_naive(made(2_000, 300), params, "student", 10)
    assert set(ours) == set(COLUMNS)
    assert gain["value"] == pytest.approx(ours["value"] / naive["value"])
    assert ours["rival"] == naive["value"] > 0


def test_a_strong_step_is_measured_against_its_products(params: TrainingParams) -> None:
    work, share = training.against_products(made(2_000, 300), params)
    assert share["value"] == pytest.approx(work["value"] / work["rival"])


def test_ranking_is_measured_against_sorting(params: TrainingParams) -> None:
    (row,) = ranking.against_sorting(made(100, 200), params, "student")
    assert row["name"] == "ranking 20 sessions over 200 items, d = 10"
    assert row["value"] > 0


@pytest.mark.parametrize("task", catalogue.TASKS)
def test_every_task_of_the_long_catalogue_runs(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", checkpoint.SECONDS_BETWEEN)  # put back
    monkeypatch.setattr(catalogue, "STEPS", 2)
    monkeypatch.setattr(catalogue, "N_ITEMS", 2_000)
    monkeypatch.setattr(catalogue, "N_SESSIONS", 100)
    measured = catalogue.measure(task, "student")
    assert measured["seconds"] > 0
    assert 0 < measured["gigabytes"] < catalogue.GIGABYTES
