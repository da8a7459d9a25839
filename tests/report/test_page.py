"""The page holds every figure, is the same twice, and needs nothing from outside."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline import files
from pipeline.evaluation import card_words, results
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
        },
    }


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}


def card(*, offer_known: bool = True) -> dict[str, Any]:
    """Return a cell's `card.json`: hits at k rise with k, chance reaches half of them."""
    labels = {f"hit@{k}": k / 50 for k in (1, 5, 10, 25)} | {"ndcg@10": 0.123}
    compared = {
        name: {"mean": of / 2, "difference": interval(of / 2)} for name, of in labels.items()
    }
    nothing = {"sessions": 0, "why": "what was offered is not known"}
    seen = {"sessions": 0, "why": "this teacher has seen the sessions"}
    return {
        "labeller": {
            "provider": "similarity",
            "endpoint": None,
            "model": None,
            "offline_stand_in": True,
        },
        "sessions": 500,
        "answered": 498,
        "outcomes": {"usable": 487, "too_short": 11, "refused": 0, "truncated": 0, "missing": 2},
        "form": {
            "readings": {"strict": 490, "repaired": 8},
            "with_repeats": 3,
            "with_foreign": 4,
            "repeats": 5,
            "foreign": 6,
            "empty": 0,
            "named_mean": 24.9,
        },
        "target_offered": 0.42 if offer_known else None,
        "labels": {name: interval(of) for name, of in labels.items()},
        "against": {
            "chance": {"sessions": 498, **compared} if offer_known else nothing,
            "popularity": {"sessions": 490, **compared} if offer_known else nothing,
            "similarity": nothing,
            "teacher": seen if offer_known else nothing,
        },
        "position": {
            "sessions": 498,
            "first": interval(0.31),
            "named": interval(0.45),
            "order": interval(0.17),
        }
        if offer_known
        else None,
        "agreement": {"sessions": 11, "overlap": interval(0.77)},
        "cost": {
            "answers": 512,
            "prompt_tokens": 123_456,
            "completion_tokens": 7_890,
            "usd": 1.5,
            "usd_per_label": 1.5 / 498,
            "usd_per_useful_label": 1.5 / 487,
        },
    }


def place(paths: Paths, cell: Cell, metrics: dict[str, Any]) -> None:
    """Write what `labelled` and `evaluate` leave of a cell."""
    files.write_json(paths.metrics(cell), metrics)
    files.write_json(paths.card(cell), card())
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
    assert text.count(words) == 1 + 2 * len(CELLS)  # above, and in each cell's card and pictures
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
    results_part = rendered(paths, CELLS[:1]).split("<h2>Labels</h2>")[0]
    head = re.findall(r'<th scope="col">([\w@]+)</th>', results_part)
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


def labels_section(paths: Paths, cells: list[Cell] = CELLS[:1]) -> str:
    return rendered(paths, cells).split("<h2>Labels</h2>")[1].split("<h2>Cells</h2>")[0]


def test_the_card_shows_labels_chance_and_the_difference_with_intervals(paths: Paths) -> None:
    section = labels_section(paths)
    head = re.findall(r'<th scope="col">([^<]+)</th>', section)
    orders = ["random", "more than random", "popularity", "more than popularity"]
    assert head[:6] == ["held-back item", "labels", *orders]
    rows = re.findall(r'<th scope="row">([^<]+)</th>', section)
    assert rows[:5] == ["hit at 1", "hit at 5", "hit at 10", "hit at 25", "NDCG@10"]
    for text in (
        "<td>10.0 %<br><small>5.0 to 15.0 %</small></td>",  # hit at 5
        "<td>5.0 %</td>",  # chance
        "<td>+5.0<br><small>+0.0 to +10.0</small></td>",
        "<td>0.123<br><small>0.073 to 0.173</small></td>",
        "<td>0.31<br><small>0.26 to 0.36</small></td><td>0.5</td>",  # position bias
    ):
        assert text in section


def test_the_card_says_what_is_not_known_and_what_it_cost(paths: Paths) -> None:
    text = " ".join(read(labels_section(paths)).text)
    for words in (
        "500 sessions: 487 usable, 11 too short, 2 missing",
        "among the candidates shown: in 42.0 %",
        "not compared with teacher: this teacher has seen the sessions",
        "popularity: compared on 490 of 498 answers",
        "rank-biased overlap 0.77 (0.72 to 0.82) in 11 sessions",
        "$1.50 for 512 answers with 123,456 + 7,890 tokens; a useful label: $0.0031",
    ):
        assert words in text


def test_a_card_without_a_known_offer_has_the_labels_alone(paths: Paths) -> None:
    files.write_json(paths.card(CELLS[0]), card(offer_known=False))
    section = labels_section(paths)
    assert re.findall(r'<th scope="col">([^<]+)</th>', section) == ["held-back item", "labels"]
    assert "position bias: not known" in section
    names = "random, popularity, offline stand-in, teacher"
    assert f"not compared with {names}: what was offered is not known" in section


def test_a_page_of_cells_without_cards_has_no_section_of_labels(paths: Paths) -> None:
    paths.card(CELLS[0]).unlink()
    assert "<h2>Labels</h2>" not in rendered(paths, CELLS[:1])


def test_no_place_is_shown_as_minus_zero() -> None:
    found = card()
    found["position"]["order"] = {"mean": -0.001, "low": -0.004, "high": 0.004}
    assert card_words.positions(found)[2][1] == ("0.00", "0.00 to 0.00")
