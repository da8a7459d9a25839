"""The page holds every figure, is the same twice, and needs nothing from outside."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline import files
from pipeline.evaluation import results
from pipeline.evaluation.results import MODELS
from pipeline.params import read_params
from pipeline.paths import Cell, Paths
from pipeline.report import page
from pipeline.stages import report

CELLS = [Cell("tiny", "fpmc", recipe, 1) for recipe in ("published", "strong")]
VOID = {"meta", "br", "link", "img", "input", "hr"}


def figures(shift: float = 0.0, *, synthetic: bool = True) -> dict[str, Any]:
    """Return a cell's `metrics.json`: model number i has NDCG@10 of i / 100 + shift."""
    return {
        "dataset": {"name": "tiny", "synthetic": synthetic, "test_sessions": 1234},
        "models": {
            name: {
                "recall@10": 0.1,
                "ndcg@10": place / 100 + shift,
                "mrr@10": 0.05,
                "parameters": 6010,
                "bytes": 24_500,
            }
            for place, name in enumerate(MODELS)
        },
        "differences": {
            "distilled_minus_student": {"ndcg@10": {"mean": 0.02, "low": 0.01, "high": 0.03}}
        },
        "labels": {
            "asked": 500,
            "usable": 487,
            "with_target": 99,
            "bought": 0,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "dollars": 0.0,
            "seconds": 0.0,
            "labeller": {
                "provider": "similarity",
                "endpoint": None,
                "model": None,
                "offline_stand_in": True,
            },
        },
    }


def place(paths: Paths, cell: Cell, metrics: dict[str, Any]) -> None:
    """Write what `evaluate` leaves of a cell."""
    files.write_json(paths.metrics(cell), metrics)
    models = ["student", "teacher"] * 3
    tables: dict[str, dict[str, Any]] = {
        "training": {"step": [0, 0, 20, 20, 40, 40], "model": models, "validation_ndcg": [0.1] * 6},
        "quality": {"cutoff": [1, 1, 2, 2, 3, 3], "model": models, "recall": [0.2] * 6},
        "selection": {"decile": range(1, 11), "selected": range(10), "pool": [9] * 10},
    }
    for name, columns in tables.items():
        text = pl.DataFrame(columns).write_csv()
        files.write_bytes(paths.plots(cell) / f"{name}.csv", text.encode())


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    for cell in CELLS:
        place(made, cell, figures())
    return made


def rendered(paths: Paths, cells: list[Cell] = CELLS, title: str = "distilrec") -> str:
    return page.render(title, paths, {cell: files.read_json(paths.metrics(cell)) for cell in cells})


class Structure(HTMLParser):
    """Checks that elements close in order, and collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.fetched += [named[key] or "" for key in ("src", "href", "xlink:href") if key in named]
        self.ids += [named["id"] or ""] if "id" in named else []
        assert tag not in ("script", "iframe", "object", "link")
        assert not any(name.startswith("on") for name in named)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(text: str) -> Structure:
    structure = Structure()
    structure.feed(text)
    assert structure.open == []
    return structure


def test_the_page_is_the_same_bytes_twice(paths: Paths) -> None:
    assert rendered(paths) == rendered(paths)


def test_a_browser_fetches_nothing_and_runs_nothing(paths: Paths) -> None:
    text = rendered(paths)
    assert read(text).fetched == []
    assert "@import" not in text
    assert "url(" not in text
    assert set(re.findall(r"https?://[\w./]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_identifiers_are_unique_though_pictures_share_the_page(paths: Paths) -> None:
    ids = read(rendered(paths)).ids
    assert len(ids) == len(set(ids))


def test_every_model_and_figure_is_in_the_table(paths: Paths) -> None:
    text = " ".join(read(rendered(paths)).text)
    for name in MODELS:
        assert name in text
    for number in ("0.0400", "0.1000", "6,010", "1,234", "487 of 500"):
        assert number in text


def test_a_made_up_dataset_is_called_synthetic_wherever_it_stands(paths: Paths) -> None:
    text = rendered(paths)
    assert "is synthetic.</strong>" in text
    assert all("(synthetic)" in one for one in re.findall(r"<caption>.*?</caption>", text, re.S))
    assert all("(synthetic)" in one for one in re.findall(r"<summary>.*?</summary>", text))


def test_the_page_says_that_a_stand_in_made_the_labels(paths: Paths) -> None:
    text = rendered(paths)
    words = "labels by similarity (offline stand-in, no LLM)"
    assert text.count(f"tiny: <strong>{words}</strong>") == 1
    assert text.count(words) == 1 + len(CELLS)
    assert "LLM's rankings" not in text


def test_a_real_dataset_is_not_called_synthetic(paths: Paths) -> None:
    real = Cell("films", "fpmc", "strong", 1)
    place(paths, real, figures(synthetic=False))
    assert "ynthetic" not in rendered(paths, [real])


def test_columns_go_by_cutoff_and_then_recall_ndcg_mrr(paths: Paths) -> None:
    metrics = figures()
    for model in metrics["models"].values():
        model["recall@5"] = 0.05
    place(paths, CELLS[0], metrics)
    head = re.findall(r'<th scope="col">([\w@]+)</th>', rendered(paths, CELLS[:1]))
    assert head == ["model", "Recall@5", "Recall@10", "NDCG@10", "MRR@10", "parameters", "kB"]


def test_the_best_of_a_column_is_marked(paths: Paths) -> None:
    text = rendered(paths, CELLS[:1])
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', text, re.S)
    marked = {name: re.findall(r'class="best">([\d.]+)', row) for name, row in rows}
    assert marked.pop("control") == ["0.1000", "0.0500", "0.0500"]
    assert set(map(tuple, marked.values())) == {("0.1000", "0.0500")}  # equals share the mark


def test_one_seed_shows_the_interval_over_sessions(paths: Paths) -> None:
    text = rendered(paths)
    assert "distilled − student, NDCG@10: +0.0200 (95 % interval" in text
    assert "±" not in text.split("<h2>Results")[1]


def test_several_seeds_show_the_deviation_and_how_many_are_positive(paths: Paths) -> None:
    cells = [Cell("tiny", "fpmc", "strong", seed) for seed in (1, 2)]
    place(paths, cells[1], figures(shift=0.02))
    text = rendered(paths, cells)
    assert "positive with 2 of 2 seeds" in text
    assert "0.0600 <small>±0.0141</small>" in text  # teacher: mean of .05 and .07 less one place
    assert "2 seeds</caption>" in text


def test_a_hostile_title_stays_text(paths: Paths) -> None:
    text = rendered(paths, title="<script>alert(1)</script>")
    assert "&lt;script&gt;" in text
    read(text)


def test_the_stage_writes_the_page_of_the_run_s_cells(paths: Paths, project: Path) -> None:
    params = read_params(project / "params.yaml")
    summary = report.run(params, paths)
    assert summary.cells == 2
    assert paths.report.read_text(encoding="utf-8") == rendered(paths)


def test_a_run_without_figures_says_what_to_do(project: Path, tmp_path: Path) -> None:
    params = read_params(project / "params.yaml")
    with pytest.raises(Exception, match="none of the 2 cells of `run` has been evaluated"):
        report.run(params, Paths(tmp_path))


def test_the_rows_behind_the_page_are_those_of_the_results(paths: Paths) -> None:
    found = {cell: files.read_json(paths.metrics(cell)) for cell in CELLS}
    shown = read(rendered(paths)).text
    for row in results.rows(found):
        if "@" in row.metric:
            assert f"{row.mean:.4f}" in " ".join(shown)


def test_a_distillation_that_changed_no_figure_says_so(paths: Paths) -> None:
    assert "undistilled" not in rendered(paths)
    same = figures()
    same["differences"]["distilled_minus_student"]["ndcg@10"] = {"mean": 0, "low": 0, "high": 0}
    place(paths, CELLS[0], same)
    assert "validation kept the undistilled weights" in rendered(paths, CELLS[:1])
