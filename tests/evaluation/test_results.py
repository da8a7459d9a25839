"""Rows over seeds from metrics.json, and the command that shows them."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli import app
from pipeline.errors import DataError
from pipeline.evaluation import results, seconds
from pipeline.params import read_params
from pipeline.paths import Cell, Paths

FIGURES = {"recall@10": 0.2, "ndcg@10": 0.1, "parameters": 1_200, "bytes": 4_900}


SIMILARITY = {
    "provider": "similarity",
    "endpoint": None,
    "model": None,
    "offline_stand_in": True,
}


def metrics(ndcg: float = 0.1, *, synthetic: bool = True) -> dict[str, Any]:
    """Return a cell's figures; the distilled student has NDCG@10 ``ndcg``."""
    models: dict[str, Any] = {name: dict(FIGURES) for name in results.MODELS}
    models["distilled"]["ndcg@10"] = ndcg
    interval = {"ndcg@10": {"mean": ndcg - 0.1, "low": ndcg - 0.12, "high": ndcg - 0.08}}
    about = {"name": "tiny", "synthetic": synthetic, "test_sessions": 600, "cold_targets": 7}
    labels = {"asked": 500, "usable": 480, "with_target": 200}
    differences = {"distilled_minus_student": interval, "distilled_minus_control": interval}
    return {"dataset": about, "models": models, "differences": differences, "labels": labels}


@pytest.fixture
def home(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return a project folder with the shipped parameters, and go there."""
    (tmp_path / "params.yaml").write_bytes((project / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return Paths(tmp_path)


def write(home: Paths, seed: int, ndcg: float, recipe: str = "strong", **more: Any) -> None:
    cell = Cell("tiny", "fpmc", recipe, seed)
    files.write_json(home.metrics(cell), metrics(ndcg, **more))
    files.write_json(home.card(cell), {"labeller": SIMILARITY})


def with_seeds(home: Paths, seeds: str) -> None:
    text = home.params.read_text(encoding="utf-8")
    assert "  seeds: [1] " in text
    home.params.write_text(text.replace("  seeds: [1] ", f"  seeds: {seeds} "), encoding="utf-8")


def row(found: list[results.Row], model: str, metric: str) -> results.Row:
    return next(one for one in found if (one.model, one.metric) == (model, metric))


def test_mean_and_deviation_are_over_seeds(home: Paths) -> None:
    with_seeds(home, "[1, 2, 3]")
    for seed, ndcg in enumerate((0.10, 0.12, 0.14), start=1):
        write(home, seed, ndcg)
    found = results.rows(results.read_cells(home, read_params(home.params).run))
    distilled = row(found, "distilled", "ndcg@10")
    assert distilled.mean == pytest.approx(0.12)
    assert distilled.sd == pytest.approx(0.02)
    assert (distilled.seeds, distilled.sessions) == (3, 600)
    assert row(found, "student", "ndcg@10").sd == 0


def test_one_seed_has_no_deviation(home: Paths) -> None:
    write(home, 1, 0.1)
    found = results.rows(results.read_cells(home, read_params(home.params).run))
    assert row(found, "distilled", "ndcg@10").sd is None


def test_cells_outside_the_run_are_left_out(home: Paths) -> None:
    write(home, 1, 0.1)
    write(home, 9, 0.9)
    found = results.read_cells(home, read_params(home.params).run)
    assert [cell.seed for cell in found] == [1]


def test_nothing_evaluated_is_one_line_that_says_what_to_do(home: Paths) -> None:
    message = r"none of the 2 cells of `run` has been evaluated; run `dvc repro`"
    with pytest.raises(DataError, match=message):
        results.read_cells(home, read_params(home.params).run)


def test_json_is_rows_with_the_promised_columns(home: Paths) -> None:
    write(home, 1, 0.1)
    done = CliRunner().invoke(app, ["results", "--json"])
    found = json.loads(done.stdout)
    columns = [field.name for field in dataclasses.fields(results.Row)]
    assert all(list(one) == columns for one in found)
    assert {one["model"] for one in found} == set(results.MODELS)


def test_table_says_synthetic_money_difference_and_what_is_missing(home: Paths) -> None:
    write(home, 1, 0.13)
    for names, count, dollars in ((home.hint_parts, 1, 0.5), (home.label_parts, 2, 2.0)):
        tokens = {"prompt_tokens": 450, "completion_tokens": 50, "seconds": 4.5}
        bought = {"count": count, "cost_usd": dollars, **tokens}
        files.write_json(names("tiny"), {"bought": bought})
    seconds.write(home, "student", ("tiny", "fpmc", "strong", 1), 12.34)
    done = CliRunner().invoke(app, ["results"])
    assert "SYNTHETIC" in done.stdout
    assert "labels bought: 3, 1,000 tokens, $2.50" in done.stdout
    assert "distilled minus student  +0.0300  (+0.0100 to +0.0500)" in done.stdout
    assert "480 of 500 labels usable" in done.stdout
    assert done.stdout.count("labels by similarity (offline stand-in, no LLM)") == 1
    assert "12.3" in done.stdout
    assert "1 of 2 cells are not evaluated yet" in done.output


def test_table_has_counting_models_once_and_both_recipes(home: Paths) -> None:
    write(home, 1, 0.1, recipe="published", synthetic=False)
    write(home, 1, 0.1, recipe="strong", synthetic=False)
    text = CliRunner().invoke(app, ["results"]).stdout
    lines = [line.split(" ")[0] for line in text.splitlines()]
    assert all(lines.count(name) == 1 for name in ("popularity", "itemknn", "itemknn_titles"))
    assert text.count(" teacher ") == 2
    assert max(map(len, text.splitlines())) <= 80
    assert "fpmc published" in text
    assert "fpmc strong" in text
    assert "SYNTHETIC" not in text


@pytest.mark.parametrize(
    ("labeller", "words"),
    [
        (("openai_compatible", "openai", "gpt-4.1-mini"), "labels by gpt-4.1-mini at openai"),
        (("replay", None, None), "labels recorded with the dataset"),
    ],
)
def test_who_made_the_labels_is_said_in_words(labeller: tuple[str | None, ...], words: str) -> None:
    made = dict(zip(("provider", "endpoint", "model"), labeller, strict=True))
    assert results.labelled_by({**made, "offline_stand_in": False}) == words


def test_several_seeds_show_their_deviation(home: Paths) -> None:
    with_seeds(home, "[1, 2]")
    write(home, 1, 0.13)
    write(home, 2, 0.11)
    text = CliRunner().invoke(app, ["results"]).stdout
    assert "0.1200 ± 0.0141" in text
    assert "+0.0200 ± 0.0141  (intervals of 2 seeds: 1 above 0, 0 below)" in text


def test_command_answers_within_a_second_without_the_heavy_libraries(home: Paths) -> None:
    write(home, 1, 0.1)
    code = (
        "import sys; from pipeline.cli import app\n"
        "try: app(['results'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'polars', 'numpy', 'scipy') if name in sys.modules])"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - started < 5  # 0.6 s on an idle machine


def test_a_distillation_that_changed_no_figure_says_so(home: Paths) -> None:
    write(home, 1, 0.12)
    assert "undistilled" not in CliRunner().invoke(app, ["results"]).stdout
    same = metrics()
    zero = {"mean": 0.0, "low": 0.0, "high": 0.0}
    same["differences"]["distilled_minus_student"] = {"ndcg@10": zero, "recall@10": zero}
    files.write_json(home.metrics(Cell("tiny", "fpmc", "strong", 1)), same)
    text = CliRunner().invoke(app, ["results"]).stdout
    assert "  validation kept the undistilled weights\n" in text
    assert results.undistilled([same, metrics(0.12), same]).endswith("weights (2 of 3 seeds)")
    same["differences"]["distilled_minus_student"]["recall@10"] = {**zero, "low": -0.01}
    assert results.undistilled([same]) == ""


def test_a_hybrid_without_a_student_says_so(home: Paths) -> None:
    one = metrics()
    assert results.without_student([one]).startswith("hybrid is itemknn_titles here")
    other = metrics()
    other["models"]["hybrid"] = FIGURES | {"ndcg@10": 0.9}
    assert results.without_student([other]) == ""
    assert results.without_student([one, other]).endswith("(1 of 2 seeds)")
    del other["models"]["hybrid"]
    assert results.without_student([other]) == ""


def test_figures_of_another_machine_are_told_from_those_made_here(home: Paths) -> None:
    write(home, 1, 0.13)
    words = "nothing was evaluated here"
    assert words in CliRunner().invoke(app, ["results"]).output
    home.ranks(Cell("tiny", "fpmc", "strong", 1)).mkdir(parents=True)
    assert words not in CliRunner().invoke(app, ["results"]).output
