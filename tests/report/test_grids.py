"""The parts of the page that grids make: money, studies, comparisons, slices, noise, facts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from pipeline import files
from pipeline.evaluation.comparisons import alike
from pipeline.report import page, plots, sources
from pipeline.report.comparisons import comparisons, headlines, probability, questions
from pipeline.report.made import flat, made
from pipeline.report.money import money, start
from pipeline.report.slices import noise, slices
from pipeline.report.sources import Figures, Sources
from pipeline.report.studies import studies
from tests.report import made_up


@pytest.fixture(scope="module")
def grid() -> Figures:
    return made_up.grid("tiny", "films", params=made_up.fast(made_up.parameters()), cut="half")


@pytest.fixture(scope="module")
def found(grid: Figures, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    paths = made_up.project(tmp_path_factory.mktemp("grids"))
    files.write_json(paths.grid_figures("paper"), grid)
    files.write_json(paths.grid_figures("other"), grid | {"datasets": {"films": {}}})
    return sources.read(made_up.parameters(), paths)


def of_models(grid: Figures, **wanted: Any) -> list[Figures]:
    models: list[Figures] = grid["datasets"]["tiny"]["models"]
    return [one for one in models if all(one[key] == value for key, value in wanted.items())]


def test_only_datasets_of_the_run_are_shown(found: Sources) -> None:
    assert list(found.grids) == ["paper"]
    assert list(found.grids["paper"]["datasets"]) == ["tiny"]


def test_curves_start_at_the_student_and_go_over_dollars_where_a_price_is_known(
    found: Sources, grid: Figures
) -> None:
    (view,) = money(found)
    assert view.name == "tiny (synthetic) · fpmc · strong (grid paper)"
    assert view.priced
    rows = view.chart.spec["data"]["values"]
    exact = {row["x"]: row["mean"] for row in rows if row["method"] == "exact"}
    (student,) = of_models(grid, study="table", method="student", recipe="strong")
    assert list(exact) == [0.0, 0.86, 1.72, 3.44, 6.88]
    assert exact[0.0] == pytest.approx(student["metrics"]["ndcg@10"]["mean"], rel=1e-3)
    assert {row["method"] for row in rows} == {"exact", "random"}


def test_a_curve_starts_at_the_student_of_as_many_seeds_as_it_has(grid: Figures) -> None:
    (first, *_) = of_models(grid, study="labels", method="exact", recipe="strong")
    (student,) = of_models(grid, study="table", method="student", recipe="strong")
    table = student | {"seeds": first["seeds"] + 2}
    width = {"study": "dimensions", "setting": {"dimension": first["dimension"]}}
    same = student | width | {"seeds": first["seeds"]}
    wider = same | {"dimension": first["dimension"] + 10}
    assert start([table, wider, same], first) == [same]
    assert start([table, wider], first) == [table]
    assert start([same, table | {"seeds": first["seeds"]}], first)[0]["study"] == "table"
    assert start([table | {"recipe": "published"}], first) == []


def test_the_area_over_random_is_that_of_the_axis_shown(found: Sources) -> None:
    (view,) = money(found)
    assert [(one["policy"], one["metric"]) for one in view.areas] == [("exact", "ndcg@10")]
    assert view.areas[0]["axis"] == "usd"


def test_without_prices_the_number_of_labels_stands_for_them(grid: Figures, tmp_path: Path) -> None:
    free = grid | {"datasets": {"tiny": dict(grid["datasets"]["tiny"])}}
    models = [one | {"usd": None} for one in free["datasets"]["tiny"]["models"]]
    free["datasets"]["tiny"]["models"] = models
    paths = made_up.project(tmp_path)
    files.write_json(paths.grid_figures("paper"), free)
    (view,) = money(sources.read(made_up.parameters(), paths))
    assert not view.priced
    assert {row["x"] for row in view.chart.spec["data"]["values"]} == {0, 50, 100, 200, 400}


def test_every_study_has_a_picture_of_its_kind(found: Sources) -> None:
    shown = {one.title: one for one in studies(found)}
    assert list(shown) == [
        "How many numbers an item is described with",
        "Assumed shares of effective and incorrect answers",
        "The assumed numbers of answers against the true ones",
        "How many answers are correct",
    ]
    assert all(one.about for one in shown.values())
    dimensions, shares, counts, correctness = (one.charts[0].spec for one in shown.values())
    assert {row["x"] for row in dimensions["data"]["values"]} == {4, 10, 40, 100}
    assert dimensions["encoding"]["x"]["scale"]["type"] == "log"
    assert shares["layer"][0]["mark"] == {"type": "rect"}
    assert {(row["across"], row["up"]) for row in shares["data"]["values"]} == {
        (one, other) for one in (0.05, 0.1, 0.2) for other in (0.25, 0.4)
    }
    assert [row["setting"] for row in counts["data"]["values"]] == [
        "counts assumed",
        "counts true",
    ]
    assert [row["x"] for row in correctness["data"]["values"]] == [0, 0.5, 1]


def test_the_true_kinds_of_answers_are_told_beside_what_was_assumed(found: Sources) -> None:
    (counts,) = (one for one in studies(found) if one.lines)
    words = "tiny/fpmc/strong/1: 900 effective, 1,500 similar, 600 incorrect, of 3,000 answers"
    assert counts.lines == [words]


def test_comparisons_keep_every_figure_and_say_when_the_data_cannot_tell(
    found: Sources, grid: Figures
) -> None:
    tables = comparisons(found)
    rows = grid["datasets"]["tiny"]["comparisons"]
    assert sum(len(table.lines) for table in tables) == len(rows)
    verdicts = [line.verdict for table in tables for line in table.lines]
    assert sorted(verdicts) == sorted(
        "the same on every session" if alike(row) else row["verdict"] for row in rows
    )
    assert "not enough data to tell" in verdicts
    first, row = tables[0].lines[0], rows[0]
    assert first.difference == f"{row['difference']:+.4f}"
    assert first.interval == f"{row['low']:+.4f} to {row['high']:+.4f}"
    assert {line.kind for table in tables for line in table.lines} <= {"more", "less", "open"}


def test_two_that_never_differ_are_told_so(found: Sources, grid: Figures) -> None:
    unknown = {"difference": 0.0, "verdict": "not enough data to tell"}
    first = grid["datasets"]["tiny"]["comparisons"][0] | unknown
    rows = [first | {"low": 0.0, "high": 0.0}, first | {"low": -0.1, "high": 0.1}]
    changed = grid | {"datasets": {"tiny": grid["datasets"]["tiny"] | {"comparisons": rows}}}
    tables = comparisons(replace(found, grids={"paper": changed}))
    assert [table.counts for table in tables] == [
        "0 more, 0 less, 1 not enough data to tell, 1 the same on every session"
    ]
    lines = [line for table in tables for line in table.lines]
    assert [line.verdict for line in lines].count("the same on every session") == 1
    assert {line.kind for line in lines if line.verdict.startswith("the same")} == {"open"}


def test_a_comparison_of_two_settings_names_both(found: Sources) -> None:
    who = [line.who for table in comparisons(found) for line in table.lines]
    assert "exact (labels 50) − random (labels 50)" in who


def test_the_questions_are_answered_in_sentences_on_the_page(found: Sources) -> None:
    ((name, sentences),) = questions(found)
    assert name == "tiny (synthetic) · fpmc (grid paper)"
    assert any("rankings add" in one and "to a student trained well" in one for one in sentences)
    assert sentences[-1].startswith("Which sessions are ranked")
    shown = page.render(found).split('id="results"')[1].split("</section>")[0]
    assert all(escape(one) in shown for one in sentences)


def test_the_headline_says_what_rankings_add_and_to_what(found: Sources) -> None:
    lines = dict(headlines(found))["tiny (synthetic) · fpmc · strong (grid paper)"]
    assert [line.who for line in lines] == [
        "exact − student",
        "exact − random",
        "exact − llm_shuffled",
    ]
    assert {line.metric for line in lines} == {"NDCG@10"}


def test_slices_have_a_column_each_and_their_sessions(found: Sources, grid: Figures) -> None:
    table = next(one for one in slices(found) if "strong" in one.name)
    rows = grid["datasets"]["tiny"]["slices"]
    assert dict(table.headers) == {row["slice"]: row["sessions"] for row in rows}
    methods = [method for method, _ in table.lines]
    assert methods == ["student", "teacher", "exact", "random", "de", "llm_shuffled"]
    assert all(len(figures) == len(table.headers) for _, figures in table.lines)


def test_noise_of_one_seed_is_not_known_and_that_of_draws_is(found: Sources) -> None:
    table = next(one for one in noise(found) if "strong" in one.name)
    figures = {(method, metric): of for method, metric, of in table.lines}
    seed, draw, session = figures["random", "NDCG@10"]
    assert seed == ""
    assert float(draw) > 0
    assert float(session) > 0
    assert figures["exact", "NDCG@10"][1] == ""


def test_what_was_run_has_hashes_versions_prices_and_what_was_cut(found: Sources) -> None:
    cells, paper = made(found)
    about = dict(cells.about)
    assert len(about["SHA-256 of sessions, tiny"]) == 64
    assert about["version of torch that wrote this page"].startswith("2.")
    assert dict(cells.details[0][1])["select.count"] == "500"
    assert "dataset" not in {name.split(".")[0] for name, _ in cells.details[0][1]}
    about = dict(paper.about)
    assert about["cut"] == "half"
    assert about["finished"] == "90 of 120 models"
    assert about["version of torch"] == "2.13.0"
    assert dict(dict(paper.details)["Prices"])["date"] == "2024"


def test_the_page_says_first_what_a_grid_left_out_and_that_it_is_not_finished(
    found: Sources,
) -> None:
    head = page.render(found).split("</header>")[0]
    assert "Grid paper: half" in head
    assert "Grid paper is not finished: 90 of 120 models." in head


def test_a_mapping_is_shown_flat() -> None:
    value = {"a": {"b": [1, 2], "c": None}, "d": True, "e": {}}
    assert list(flat(value)) == [("a.b", "1, 2"), ("a.c", "none"), ("d", "true"), ("e", "none")]


@pytest.mark.parametrize(
    ("p", "words"), [(0.0004, "< .001"), (0.0125, ".013"), (0.05, ".050"), (1.0, "1.000")]
)
def test_a_probability_has_three_digits(p: float, words: str) -> None:
    assert probability(p) == words


def test_the_table_behind_the_plot_has_every_number_of_labels(found: Sources) -> None:
    table = plots.study(found, "labels", "labels")
    assert set(table["of"]) == {"tiny fpmc strong"}
    assert sorted(set(table["labels"])) == [50, 100, 200, 400]
