"""The figures of a grid: their form, that they follow from the ranks, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.errors import DataError
from pipeline.evaluation import metrics
from pipeline.evaluation.evidence import Run, figures, rounded
from pipeline.params.evaluation import EvaluateParams
from tests.evaluation.made_runs import everything, made_sessions, run, table

PARAMS = EvaluateParams(cutoffs=(5, 10, 20), bootstrap_draws=200)


@pytest.fixture(scope="module")
def part() -> pl.DataFrame:
    return made_sessions()


@pytest.fixture(scope="module")
def made(part: pl.DataFrame) -> dict[str, Any]:
    runs = [*everything("films"), *table(("student", "exact"), (1, 2), dataset="games")]
    return figures(runs, {"films": part, "games": part}, PARAMS)


def test_every_dataset_has_every_part_and_nothing_that_json_does_not_know(
    made: dict[str, Any],
) -> None:
    assert list(made) == ["films", "games"]
    parts = ["sessions", "models", "comparisons", "slices", "noise", "areas"]
    assert all(list(of) == parts for of in made.values())
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["films"]["sessions"] == {"test": 400, "cold": 16}
    assert made["games"]["areas"] == []


def test_a_model_has_the_mean_of_its_runs(made: dict[str, Any]) -> None:
    runs = [one for one in everything("films") if one.study == "table" and one.recipe == "strong"]
    seeds = [metrics.figures(one.ranks, [10])["ndcg@10"] for one in runs if one.method == "teacher"]
    row = next(
        one
        for one in made["films"]["models"]
        if (one["study"], one["recipe"], one["method"]) == ("table", "strong", "teacher")
    )
    assert row["metrics"]["ndcg@10"]["mean"] == pytest.approx(np.mean(seeds), rel=1e-5)
    assert row["metrics"]["ndcg@10"]["sd"] == pytest.approx(np.std(seeds, ddof=1), rel=1e-5)
    assert (row["seeds"], row["draws"], row["dimension"], row["labels"]) == (5, 1, 100, 0)
    assert set(row["metrics"]) == {
        f"{name}@{k}" for name in ("recall", "ndcg", "mrr") for k in (5, 10, 20)
    }


def test_the_frontier_is_of_models_that_stand_on_the_plane(made: dict[str, Any]) -> None:
    by_study = {
        study: [one["on_frontier"] for one in made["films"]["models"] if one["study"] == study]
        for study in ("table", "labels", "dimensions", "bytes")
    }
    assert set(by_study["labels"]) == {None}
    assert any(by_study["table"] + by_study["dimensions"] + by_study["bytes"])
    assert not all(by_study["table"])


def test_slices_and_noise_are_of_the_table_alone(made: dict[str, Any]) -> None:
    models = [one for one in made["films"]["models"] if one["study"] == "table"]
    assert len(made["films"]["noise"]) == 2 * len(models)
    assert len(made["films"]["slices"]) == 8 * len(models)
    assert {one["policy"] for one in made["films"]["areas"]} == {"exact"}


def test_equal_runs_give_equal_bytes(part: pl.DataFrame) -> None:
    runs = table(("student", "exact", "itemknn"), (1, 2))
    once, again = (figures(runs, {"made": part}, PARAMS) for _ in range(2))
    assert json.dumps(once) == json.dumps(again)


def test_a_price_that_is_not_known_everywhere_is_not_known(part: pl.DataFrame) -> None:
    runs = [run("exact", 1), replace(run("exact", 2), usd=None)]
    found = figures(runs, {"made": part}, PARAMS)["made"]["models"][0]
    assert found["usd"] is None
    assert found["validation_ndcg"] == pytest.approx(0.115)


def test_ranks_of_other_sessions_are_refused(part: pl.DataFrame) -> None:
    short: Run = replace(run("exact", 3), ranks=np.ones(7, dtype=np.int32))
    with pytest.raises(DataError, match=r"exact of study table, seed 3, has 7 ranks for 400"):
        figures([short], {"made": part}, PARAMS)
    with pytest.raises(DataError, match="no test sessions"):
        figures([short], {}, PARAMS)


def test_fractions_are_rounded_wherever_they_are() -> None:
    assert rounded({"a": [1.23456789e-7, 3, None, "x"], "b": {"c": 0.1 + 0.2}}) == {
        "a": [1.23457e-7, 3, None, "x"],
        "b": {"c": 0.3},
    }
