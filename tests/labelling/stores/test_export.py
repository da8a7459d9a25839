"""One file of labels for use elsewhere."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import LabelError
from pipeline.labelling.cases import labels_place
from pipeline.labelling.stores.export import export
from pipeline.labelling.stores.table import COLUMNS
from pipeline.paths import Paths
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET
from tests.labelling.stores.answered import PAID, request, rows

WHO = f"{request('a').endpoint} {request('a').model}"


@pytest.fixture
def small(tmp_path: Path) -> Paths:
    """Return a project with two answers and a refusal, in parts."""
    made = Paths(tmp_path / "project")
    here = labels_place(made, "tiny").store
    here.write(rows("a"))
    here.write(rows("b"))
    here.write(rows("c", answer=replace(PAID, response="I cannot.", outcome="refused")))
    return made


def test_every_answer_is_a_row_with_its_ranking_in_item_ids(small: Paths, tmp_path: Path) -> None:
    file = tmp_path / "labels.parquet"
    told = export(small, "tiny", file)
    table = pl.read_parquet(file)
    assert told == [{"labeller": WHO, "labels": 3, "with_a_ranking": 2, "with_a_session": 0}]
    assert table.columns == [*COLUMNS, "ranking", "reading", "session_id"]
    by_subject = {row["subject_id"]: row for row in table.iter_rows(named=True)}
    assert by_subject["a"]["ranking"] == ["a"]
    assert (by_subject["c"]["ranking"], by_subject["c"]["reading"]) == ([], "none")
    assert by_subject["c"]["response"] == "I cannot."


@pytest.mark.parametrize("provider", ["similarity", "replay"])
def test_a_label_names_the_first_session_that_it_may_be_about(
    shop: Shop, tmp_path: Path, provider: str
) -> None:
    free = shop.shipped.label.model_copy(update={"provider": provider})
    shop.buy(shop.shipped.model_copy(update={"label": free}))
    told = export(shop.paths, DATASET, tmp_path / "labels.parquet")
    table = pl.read_parquet(tmp_path / "labels.parquet")
    selected = {"similarity": {0, 2, 4}, "replay": {0, 2}}[provider]
    assert set(table["session_id"]) == selected
    assert [one["labeller"] for one in told] == [f"offline:{provider}"]


def test_labels_of_several_labellers_are_told_apart(shop: Shop, tmp_path: Path) -> None:
    shop.buy(shop.shipped)
    shop.serve()
    shop.buy()
    told = export(shop.paths, DATASET, tmp_path / "labels.jsonl")
    counts = {one["labeller"]: (one["labels"], one["with_a_session"]) for one in told}
    assert counts == {"offline:similarity": (3, 3), "stub stub-model": (3, 3)}


def test_both_forms_say_the_same(small: Paths, tmp_path: Path) -> None:
    export(small, "tiny", tmp_path / "labels.parquet")
    export(small, "tiny", tmp_path / "labels.jsonl")
    table = pl.read_parquet(tmp_path / "labels.parquet").with_columns(
        pl.col("created_at").map_elements(lambda at: at.isoformat(), pl.String)
    )
    lines = (tmp_path / "labels.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == table.to_dicts()


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_equal_stores_give_equal_bytes(small: Paths, tmp_path: Path, ending: str) -> None:
    other = Paths(tmp_path / "other")
    here = labels_place(other, "tiny").store
    here.write(rows("b", "a"))
    here.write(labels_place(small, "tiny").store.read())
    for paths, name in ((small, "one"), (other, "two")):
        export(paths, "tiny", tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


def test_what_cannot_be_exported_is_one_line(small: Paths, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"end its name in \.parquet or \.jsonl"):
        export(small, "tiny", tmp_path / "labels.csv")
    with pytest.raises(LabelError, match="dvc pull data/labels/none"):
        export(small, "none", tmp_path / "labels.jsonl")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LabelError, match="cannot be written"):
        export(small, "tiny", tmp_path / "file" / "labels.jsonl")
