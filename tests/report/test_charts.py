"""Charts hold their data, draw the same twice, and tell series apart."""

import json
import re

import polars as pl
import pytest

from pipeline.evaluation.results import MODELS
from pipeline.report import charts, difficulty, training
from pipeline.report.charts import Chart, chart, dashed, named, quantity, rounded
from pipeline.report.names import COLOURS, DASHES, KINDS, NAMES, PALETTE, kind, ordered
from pipeline.report.series import series

LOG = pl.DataFrame(
    {
        "model": ["student", "teacher"] * 2,
        "step": [0, 0, 20, 20],
        "validation_ndcg": [0.1, 0.2, 0.3, 0.4],
        "seed": [1] * 4,
    }
)
QUALITY = pl.DataFrame({"model": ["student"] * 3, "cutoff": [1, 4, 5], "recall": [0.1, 0.2, 0.3]})
SELECTION = pl.DataFrame({"decile": [1, 2], "selected": [3, 5], "pool": [9, 9]})
POLICIES = pl.DataFrame({"decile": [1, 2], "policy": ["exact", "random"], "selected": [3.5, 5.0]})
ROWS = [
    {"method": name, "x": x, "mean": 0.2, "low": 0.1, "high": 0.3}
    for name in ("exact", "random")
    for x in (0, 50, 100)
]
CHARTS = [
    training.curves("a", [LOG]),
    training.quality("a", [QUALITY]),
    difficulty.selection("a", [SELECTION]),
    difficulty.policies("a", [POLICIES]),
    series("a", ROWS, x="labels", y="NDCG@10", scale="root"),
]


@pytest.mark.parametrize("drawn", CHARTS)
def test_a_chart_draws_the_same_twice(drawn: Chart) -> None:
    first = drawn.svg
    charts.drawn.cache_clear()
    assert first.startswith("<svg")
    assert first == drawn.svg


@pytest.mark.parametrize("drawn", CHARTS)
def test_text_takes_the_page_s_colour_so_that_dark_pages_can_be_read(drawn: Chart) -> None:
    assert 'fill="currentColor"' in drawn.svg
    assert 'fill="#000' not in drawn.svg
    assert 'fill="black"' not in drawn.svg


def test_a_specification_may_stand_inside_a_script_element() -> None:
    drawn = chart("a", [{"name": "</script><!--"}], {"mark": {"type": "point"}})
    assert "<" not in drawn.json
    assert json.loads(drawn.json)["data"]["values"] == [{"name": "</script><!--"}]


def test_a_chart_holds_its_rows_as_means_over_cells() -> None:
    other = SELECTION.with_columns(selected=pl.Series([5, 5]))
    assert difficulty.selection("a", [SELECTION, other]).spec["data"]["values"] == [
        {"decile": 1, "selected": 4.0, "pool": 9.0},
        {"decile": 2, "selected": 5.0, "pool": 9.0},
    ]


def test_quality_is_shown_at_few_cutoffs() -> None:
    values = training.quality("a", [QUALITY]).spec["data"]["values"]
    assert [row["cutoff"] for row in values] == [1, 5]


def test_a_long_training_is_thinned_and_keeps_its_best_and_last_step() -> None:
    steps = range(1000)
    height = [0.5 if step == 777 else 0.1 for step in steps]
    log = pl.DataFrame({"model": "student", "step": steps, "validation_ndcg": height, "seed": 1})
    shown = {row["step"] for row in training.curves("a", [log]).spec["data"]["values"]}
    assert {0, 777, 999} <= shown
    assert len(shown) <= training.POINTS + 2


def test_a_legend_names_the_models_that_are_there_and_no_other() -> None:
    drawn = training.curves("a", [LOG]).svg
    assert ">student<" in drawn
    assert ">distilled<" not in drawn


def test_every_model_has_its_own_colour() -> None:
    colours = [COLOURS[name] for name in MODELS]
    assert len(set(colours)) == len(MODELS)
    assert len(set(PALETTE)) == len(set(DASHES)) == len(PALETTE)


def test_a_method_looks_the_same_in_all_charts_and_like_no_other_in_one() -> None:
    names = ["student", "exact", "random", "paper_corrected", "rad_bc", "hardest", "easiest"]
    for channel in (named, dashed):
        every = channel("method", names)["scale"]["range"]
        assert len({str(one) for one in every}) == len(names)
        alone = channel("method", names[1:3])["scale"]["range"]
        assert alone == every[1:3]


def test_every_name_is_of_a_kind_that_has_a_colour() -> None:
    assert {of.kind for of in NAMES.values()} == set(KINDS)
    assert set(MODELS) <= set(NAMES)
    assert kind("something new") == "something new"


def test_names_stand_in_the_order_of_every_table_and_unknown_ones_last() -> None:
    assert ordered({"zebra", "exact", "student", "aloe"}) == ["student", "exact", "aloe", "zebra"]


def test_what_is_drawn_has_four_digits() -> None:
    assert rounded(0.123456) == 0.1235
    assert rounded(1_234_567) == 1_234_567
    assert rounded("text") == "text"


def test_intervals_of_neighbouring_series_stand_apart_but_where_they_start() -> None:
    values = series("a", ROWS, x="labels", y="NDCG@10", scale="root").spec["data"]["values"]
    places = {(row["method"], row["x"]): row["at"] for row in values}
    assert places["exact", 0] == places["random", 0] == 0
    assert places["exact", 100] < 100 < places["random", 100]
    assert abs(places["exact", 100] - 100) < 2


def test_one_series_needs_no_legend() -> None:
    one = [row for row in ROWS if row["method"] == "exact"]
    assert "random" not in series("a", one, x="labels", y="NDCG@10").svg
    assert not re.search(r">exact<", series("a", one, x="labels", y="NDCG@10").svg)


def test_keywords_replace_parts_of_a_channel() -> None:
    channel = quantity("a", "A", axis={"format": ".1f"})
    assert channel["axis"] == {"tickCount": 5, "format": ".1f"}
    assert channel["scale"] == {"zero": False, "nice": True}
