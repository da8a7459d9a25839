"""Charts hold their data, draw the same twice, and tell models apart."""

import polars as pl
import pytest

from pipeline.evaluation.results import MODELS
from pipeline.report import charts

LOG = pl.DataFrame(
    {"model": ["student", "teacher"] * 2, "step": [0, 0, 20, 20], "validation_ndcg": [0.1] * 4}
)
SELECTION = pl.DataFrame({"decile": [1, 2], "selected": [3, 5], "pool": [9, 9]})


@pytest.mark.parametrize(
    "spec",
    [
        charts.training(LOG),
        charts.quality(LOG.rename({"step": "cutoff", "validation_ndcg": "recall"})),
        charts.selection(SELECTION),
    ],
)
def test_a_chart_draws_the_same_twice(spec: charts.Spec) -> None:
    drawn = charts.svg(spec)
    assert drawn.startswith("<svg")
    assert drawn == charts.svg(spec)


def test_a_chart_holds_its_rows() -> None:
    assert charts.selection(SELECTION)["data"]["values"] == [
        {"decile": 1, "selected": 3},
        {"decile": 2, "selected": 5},
    ]


def test_a_legend_names_the_models_that_are_there_and_no_other() -> None:
    drawn = charts.svg(charts.training(LOG))
    assert ">student<" in drawn
    assert ">distilled<" not in drawn


def test_every_model_has_its_own_colour_and_dash() -> None:
    assert tuple(charts.COLOURS) == MODELS
    assert len(set(charts.COLOURS.values())) == len(MODELS)
    rows = pl.DataFrame({"model": MODELS, "step": 0, "validation_ndcg": 0.1})
    dashes = charts.training(rows)["encoding"]["strokeDash"]["scale"]["range"]
    assert len({tuple(dash) for dash in dashes}) == len(MODELS)


def test_text_takes_the_page_s_colour_so_that_dark_pages_can_be_read() -> None:
    drawn = charts.svg(charts.training(LOG))
    assert 'fill="currentColor"' in drawn
    assert 'fill="#000' not in drawn
    assert 'fill="black"' not in drawn
