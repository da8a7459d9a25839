"""The page holds every figure, is the same twice, and needs nothing from outside."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline import files
from pipeline.errors import DataError
from pipeline.evaluation import card_words, results
from pipeline.evaluation.results import MODELS
from pipeline.paths import Cell, Paths
from pipeline.report import page, sources
from pipeline.stages import report
from tests.report import made_up
from tests.report.made_up import figures, parameters, place

CELLS = [Cell("tiny", "fpmc", recipe, 1) for recipe in made_up.RECIPES]
VOID = {"meta", "br", "link", "img", "input", "hr"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return made_up.project(tmp_path)


def rendered(paths: Paths, **more: Any) -> str:
    return page.render(sources.read(parameters(**more), paths))


def part(paths: Paths, name: str, **more: Any) -> str:
    """Return one section of the page."""
    return rendered(paths, **more).split(f'<section id="{name}">')[1].split("</section>")[0]


class Structure(HTMLParser):
    """Checks that elements close in order, and collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.fetched += [named[key] or "" for key in ("src", "href", "xlink:href") if key in named]
        self.ids += [named["id"] or ""] if "id" in named else []
        assert tag not in ("iframe", "object", "link", "base", "form")
        assert not any(name.startswith("on") for name in named)

        if tag == "script":
            self.scripts.append(named.get("type") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["script"]:
            self.text.append(data)


def read(text: str) -> Structure:
    structure = Structure()
    structure.feed(text)
    assert structure.open == []
    return structure


def test_the_page_is_the_same_bytes_twice(paths: Paths) -> None:
    assert rendered(paths) == rendered(paths)


def test_the_page_names_no_folder_of_this_machine(paths: Paths) -> None:
    assert str(paths.root) not in rendered(paths)
    assert str(made_up.PROJECT) not in rendered(paths)


def test_nothing_is_fetched_and_only_our_scripts_may_run(paths: Paths) -> None:
    structure = read(rendered(paths))
    assert [one for one in structure.fetched if not one.startswith("#")] == []
    assert set(structure.scripts) == {"module", "application/json"}
    assert structure.scripts.count("module") == 3
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', rendered(paths))
    assert policy is not None
    rules = dict(one.split(" ", 1) for one in policy[1].replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert len(re.findall(r"'sha256-[\w+/]{43}='", rules["script-src"])) == 3
    assert "unsafe" not in rules["script-src"]


def test_headings_go_down_by_one_and_every_chart_has_a_name(paths: Paths) -> None:
    text = rendered(paths)
    levels = [int(one) for one in re.findall(r"<h([1-6])>", text)]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    names = re.findall(r'<div class="picture" role="img" aria-label="([^"]+)">', text)
    assert len(names) == text.count("<figure") > 0


def test_links_within_the_page_lead_to_its_parts(paths: Paths) -> None:
    structure = read(rendered(paths))
    assert structure.fetched != []
    assert {one.removeprefix("#") for one in structure.fetched} <= set(structure.ids)


def test_identifiers_are_unique_though_pictures_share_the_page(paths: Paths) -> None:
    ids = read(rendered(paths)).ids
    assert len(ids) == len(set(ids))


def test_every_model_and_figure_is_in_the_table(paths: Paths) -> None:
    text = " ".join(read(part(paths, "results")).text)
    for name in MODELS:
        assert name in text
    for number in (f"{MODELS.index('distilled') / 100 + 0.001:.4f}", "0.1000", "6,010", "1,234"):
        assert number in text


def test_a_made_up_dataset_is_called_synthetic_wherever_it_stands(paths: Paths) -> None:
    text = rendered(paths)
    assert "is synthetic.</strong>" in text
    assert all("(synthetic)" in one for one in re.findall(r"<caption>.*?</caption>", text, re.S))
    cells = [one for one in re.findall(r"<summary>.*?</summary>", text) if "fpmc" in one]
    assert cells != []
    assert all("(synthetic)" in one for one in cells)


def test_the_page_says_that_a_stand_in_made_the_labels(paths: Paths) -> None:
    text = rendered(paths)
    words = "labels by similarity (offline stand-in, no LLM)"
    assert text.count(f"tiny: <strong>{words}</strong>") == 1
    assert text.count(words) == 1 + 2 * len(CELLS)  # above, in each card, at each difficulty axis
    assert "LLM's rankings" not in text


def test_a_real_dataset_is_not_called_synthetic(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path, dataset="movielens-1m")
    assert "ynthetic" not in rendered(paths, dataset="movielens-1m")


def test_a_mixture_without_a_student_is_called_that(paths: Paths) -> None:
    words = "no weight"
    assert words not in part(paths, "results")
    metrics = files.read_json(paths.metrics(CELLS[0]))
    metrics["models"]["hybrid"] = metrics["models"]["itemknn_titles"] | {"bytes": 99_000}
    files.write_json(paths.metrics(CELLS[0]), metrics)
    assert part(paths, "results").count(words) == 1


def test_columns_go_by_cutoff_and_then_recall_ndcg_mrr(paths: Paths) -> None:
    head = re.findall(r'<th scope="col">([\w@]+)</th>', part(paths, "results"))
    wanted = ["model", "Recall@5", "Recall@10", "NDCG@10", "MRR@10", "parameters", "kB"]
    assert head == wanted * 2


def test_the_best_of_a_column_is_marked(paths: Paths) -> None:
    text = part(paths, "results").split("<table>")[1]
    rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', text, re.S)
    marked = {name: re.findall(r'class="best">([\d.]+)', row) for name, row in rows}
    best = f"{(len(MODELS) - 1) / 100 + 0.001:.4f}"
    assert marked.pop(MODELS[-1]) == ["0.0500", "0.1000", best, "0.0500"]
    assert set(map(tuple, marked.values())) == {("0.0500", "0.1000", "0.0500")}  # equals share it


def test_the_first_lines_name_the_best_model_of_all(paths: Paths) -> None:
    first = part(paths, "results").split("</ul>")[0]
    best = f"{(len(MODELS) - 1) / 100 + 0.001:.4f}"
    assert f"the best model, {MODELS[-1]}, has <b>{best}</b>" in first


def test_one_seed_shows_the_interval_over_sessions(paths: Paths) -> None:
    text = part(paths, "results")
    assert "distilled − student, NDCG@10: +0.0200 (95 % interval" in text
    assert "±" not in text


def test_several_seeds_show_the_deviation_and_how_many_are_positive(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path, seeds=(1, 21))
    text = part(paths, "results", seeds=(1, 21))
    assert "positive with 2 of 2 seeds" in text
    mean = MODELS.index("student") / 100 + 0.011  # of the seeds' shifts, .001 and .021
    assert f"{mean:.4f}<br><small>±0.0141</small>" in text
    assert "2 seeds</caption>" in text
    axis = " ".join(part(paths, "sessions", seeds=(1, 21)).split())
    assert "974 of 1,000 selected sessions of 2 seeds together have a usable ranking" in axis


def test_a_hostile_headline_stays_text(paths: Paths) -> None:
    text = rendered(paths, title="<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in text
    assert read(text).scripts.count("module") == 3


def test_hostile_titles_stay_inside_the_data(paths: Paths) -> None:
    """As a browser reads it: the element ends at the first `</script`, whatever is around it."""
    text = rendered(paths)
    data = text.split('id="labels-data">')[1].split("</script")[0]
    shown = set(json.loads(data)["titles"]["tiny"].values())
    assert set(made_up.HOSTILE) <= shown
    assert "<" not in data
    assert all(hostile not in text for hostile in made_up.HOSTILE[:3])


def test_the_stage_writes_the_page_of_the_run_s_cells(paths: Paths) -> None:
    summary = report.run(parameters(), paths)
    assert (summary.cells, summary.grids) == (2, 0)
    assert paths.report.read_text(encoding="utf-8") == rendered(paths)
    assert paths.report_plots("bytes").read_text().startswith("of,model,kind,kilobytes,ndcg\ntiny,")
    assert paths.report_plots("labels").read_text() == "of,method,labels,ndcg,low,high\n"
    head = "of,method,dimension,ndcg,low,high\n"
    assert paths.report_plots("dimensions").read_text() == head


def test_dvc_knows_of_every_parameter_that_the_page_shows(project: Path) -> None:
    stage = YAML(typ="safe").load(project / "dvc.yaml")["stages"]["report"]
    assert stage["params"] == [*sources.SHOWN_PARAMETERS, "report"]


def test_a_run_without_figures_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the 2 cells of `run` has been evaluated"):
        report.run(parameters(), Paths(tmp_path))


def test_figures_without_their_tables_give_a_page_that_says_so(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    for cell in CELLS:
        files.write_json(paths.metrics(cell), figures())
    text = " ".join(" ".join(read(rendered(paths)).text).split())
    assert "Not shown, because the tables are not here: tiny · fpmc · published · seed 1" in text
    assert "Some of its tables are not here; `dvc pull` or `dvc repro` brings them." in text
    assert "labels by nobody on record" in text
    assert 'id="labels-data"' not in rendered(paths)


def test_without_a_grid_the_page_names_the_command_that_makes_one(paths: Paths) -> None:
    assert "<code>distilrec grid quick</code>" in part(paths, "dollars")
    for name in ("studies", "comparisons", "slices"):
        assert f'href="#{name}"' not in rendered(paths)
        assert f'id="{name}"' not in rendered(paths)


def test_the_rows_behind_the_page_are_those_of_the_results(paths: Paths) -> None:
    found = {cell: files.read_json(paths.metrics(cell)) for cell in CELLS}
    shown = " ".join(read(part(paths, "results")).text)
    for row in results.rows(found):
        if "@" in row.metric:
            assert f"{row.mean:.4f}" in shown


def test_a_distillation_that_changed_no_figure_says_so(paths: Paths) -> None:
    assert "undistilled" not in rendered(paths)
    same = figures()
    same["differences"]["distilled_minus_student"]["ndcg@10"] = {"mean": 0, "low": 0, "high": 0}
    place(paths, CELLS[0], same)
    assert "validation kept the undistilled weights" in rendered(paths)


def cards_of(paths: Paths) -> str:
    return part(paths, "cards")


def test_the_card_shows_labels_chance_and_the_difference_with_intervals(paths: Paths) -> None:
    section = cards_of(paths)
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
    text = " ".join(read(cards_of(paths)).text)
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
    for cell in CELLS:
        files.write_json(paths.card(cell), made_up.card(offer_known=False))
    section = cards_of(paths)
    head = re.findall(r'<th scope="col">([^<]+)</th>', section)
    assert head == ["held-back item", "labels"] * len(CELLS)
    assert "position bias: not known" in section
    names = "random, popularity, offline stand-in, teacher"
    assert f"not compared with {names}: what was offered is not known" in section


def test_a_page_of_cells_without_cards_has_no_section_of_labels(paths: Paths) -> None:
    for cell in CELLS:
        paths.card(cell).unlink()
    assert 'id="cards"' not in rendered(paths)


def test_no_place_is_shown_as_minus_zero() -> None:
    found = made_up.card()
    found["position"]["order"] = {"mean": -0.001, "low": -0.004, "high": 0.004}
    assert card_words.positions(found)[2][1] == ("0.00", "0.00 to 0.00")
