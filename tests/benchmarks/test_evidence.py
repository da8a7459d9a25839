"""The page of evidence: tables by hand, and the page is what the figures in the repository say."""

from typing import Any

import pytest

from benchmarks import evidence
from pipeline import files
from pipeline.paths import Paths

PLACE = {"study": "table", "backbone": "fpmc"}


def model(method: str, recipe: str, mean: float, **more: Any) -> dict[str, Any]:
    metric = {"mean": mean, "low": mean - 0.01, "high": mean + 0.02}
    metrics = {"recall@10": {**metric, "low": None}, "ndcg@10": metric}
    about = {"method": method, "recipe": recipe, "seeds": 3, "draws": 1, "setting": {}}
    return {**PLACE, **about, "metrics": metrics, **more}


def comparison(theirs: str, recipe: str, verdict: str) -> dict[str, Any]:
    interval = {"difference": 0.0021, "low": -0.0004, "high": 0.0046}
    pair = {"ours": "exact", "theirs": theirs, "recipe": recipe, "metric": "ndcg@10"}
    return {**PLACE, **pair, **interval, "verdict": verdict}


FOUND = {
    "models": [
        model("student", "published", 0.1),
        model("student", "strong", 0.2),
        model("exact", "published", 0.3, draws=2),
        model("exact", "published", 0.4, study="labels", setting={"labels": 50}),
        model("random", "strong", 0.5, study="labels", setting={"labels": 50, "way": "x"}),
        model("exact", "strong", 0.6, backbone="stamp"),
    ],
    "comparisons": [
        {**comparison("student", "published", "more"), "metric": "recall@10"},
        comparison("student", "published", "more"),
        comparison("random", "published", "not enough data to tell"),
        {**comparison("exact", "strong", "less"), "ours": "unkd"},
    ],
}


def test_methods_stand_with_both_recipes_and_the_difference_to_the_student() -> None:
    rows = evidence.methods(FOUND, "fpmc")
    assert rows[1:] == [
        ["student", "3", ".1000", ".1000 ± .0150", "", ".2000", ".2000 ± .0150", ""],
        ["exact", "3x2", ".3000", ".3000 ± .0150", "**+.0021 (-.0004 to +.0046)**", "", "", ""],
    ]
    assert len(rows[0]) == 8


def test_what_exact_is_compared_with_has_a_row_each() -> None:
    assert evidence.exact(FOUND, "fpmc")[1:] == [
        ["student", "**+.0021 (-.0004 to +.0046)**", ""],
        ["random", "+.0021 (-.0004 to +.0046)", ""],
        ["unkd", "", "**-.0021 (-.0046 to +.0004)**"],  # which was compared with `exact`
    ]


def test_a_study_has_a_row_a_setting_and_a_column_a_recipe_and_method() -> None:
    assert evidence.study(FOUND, "fpmc", "labels") == [
        ["labels", "seeds", "published exact", "strong random"],
        ["labels 50", "3", ".4000 ± .0150", ""],
        ["labels 50, way x", "3", "", ".5000 ± .0150"],
    ]


def test_models_that_count_stand_with_their_bytes() -> None:
    found = {"models": [model("itemknn", "", 0.1, backbone="", bytes=4_789_400)]}
    assert evidence.counting(found, "")[1:] == [["itemknn", ".1000", ".1000 ± .0150", "4,789"]]


def test_only_what_stands_between_marks_changes() -> None:
    page = "before\n<!-- grid: labels films fpmc -->\nold\n<!-- end of grid -->\nafter\n"
    wanted = "\n".join(
        (
            "| labels | seeds | published exact | strong random |",
            "| --- | ---: | ---: | ---: |",
            "| labels 50 | 3 | .4000 ± .0150 |  |",
            "| labels 50, way x | 3 |  | .5000 ± .0150 |",
        )
    )
    assert evidence.updated(page, {"datasets": {"films": FOUND}}) == page.replace("old", wanted)


def test_the_sentences_are_a_line_each() -> None:
    whole = {"lift": None, "p": 0.2, "seeds": 3, "sessions_needed": None, "seeds_needed": None}
    row = {**comparison("student", "published", ""), **whole, "setting": {}}
    found = {"models": [model("exact", "published", 0.3, labels=400)], "areas": []}
    page = "<!-- grid: answers films fpmc -->\nold\n<!-- end of grid -->"
    lines = evidence.updated(
        page, {"datasets": {"films": {**found, "comparisons": [row]}}}
    ).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("- 400 recorded LLM rankings add +.0021 NDCG@10 (95 % interval ")


@pytest.mark.parametrize(
    "mark", ["labels films stamp", "labells films fpmc", "exact films stamp", "answers films stamp"]
)
def test_a_mark_of_what_the_figures_do_not_have_is_refused(mark: str) -> None:
    page = f"<!-- grid: {mark} -->\n<!-- end of grid -->"
    with pytest.raises(ValueError, match=f"^{mark}: the grid has no figures of it$"):
        evidence.updated(page, {"datasets": {"films": FOUND}})


def test_no_difference_has_no_minus_from_either_side() -> None:
    assert evidence.signed(0.0) == evidence.signed(-0.0) == "+.0000"


def test_the_page_shows_the_figures_that_are_in_the_repository() -> None:
    text = evidence.PAGE.read_text(encoding="utf-8")
    content = files.read_json(Paths(evidence.ROOT).grid_figures("paper"))
    assert len(evidence.MARKED.findall(text)) >= 10
    assert evidence.updated(text, content) == text
