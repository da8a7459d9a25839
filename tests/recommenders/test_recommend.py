"""`distilrec recommend`: what is found for typed words, and what is answered."""

import json
from pathlib import Path

import polars as pl
import pytest
import torch

from pipeline.errors import DataError
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.answers import Answer, find_item, read_offer, show
from pipeline.recommenders.counting.making import choose_itemknn, choose_titles
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.recommenders.counting.titles import texts_of
from pipeline.recommenders.recommend import answer, ask
from pipeline.tables import CATALOG
from tests.recommenders.toys import SHIPPED, batches

CELL = Cell("films", "fpmc", "strong", 1)
TITLES = ["Alien", "Aliens", "Heat", "heat", "Ran", "Solaris [1972]"]
EVENTS = [5, 4, 9, 1, 7, 0]
MODEL = Popularity(torch.tensor([0.0, *EVENTS]))


@pytest.fixture
def catalog() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item_index": range(1, 7),
            "item_id": ["11", "12", "13", "14", "15", "Ran"],
            "title": TITLES,
            "training_events": EVENTS,
        },
        schema=CATALOG.columns,
    )


@pytest.mark.parametrize(
    ("word", "index"),
    [
        ("13", 3),
        ("Heat", 3),
        ("heat", 4),
        ("Alien", 1),
        ("ALIENS", 2),
        ("solaris", 6),
        ("[1972]", 6),
        ("Ran", 6),  # an identifier comes before a title
    ],
)
def test_a_word_finds_its_item(word: str, index: int, catalog: pl.DataFrame) -> None:
    assert find_item(catalog, word) == index


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("HEAT", "'HEAT' fits 2 items: 13 'Heat', 14 'heat'; give one identifier"),
        ("alie", "'alie' fits 2 items: 11 'Alien', 12 'Aliens'; give one identifier"),
        ("Slaris [1972]", "no item has the identifier or title 'Slaris [1972]'; near it: Ran 'So"),
        ("", "no item has the identifier or title ''; titles are in the catalog"),
        ("qqqq", "no item has the identifier or title 'qqqq'; titles are in the catalog"),
    ],
)
def test_a_word_that_fits_none_or_several_is_answered_with_what_is_near(
    word: str, line: str, catalog: pl.DataFrame
) -> None:
    with pytest.raises(DataError) as caught:
        find_item(catalog, word)
    assert str(caught.value).startswith(line)


def test_the_best_items_outside_the_session_come_first(catalog: pl.DataFrame) -> None:
    found = answer(MODEL, catalog, [3], 3)
    assert found.session["title"].to_list() == ["Heat"]
    assert found.items.rows() == [
        (1, "15", "Ran", 7.0),
        (2, "11", "Alien", 5.0),
        (3, "12", "Aliens", 4.0),
    ]


def test_an_item_without_training_events_is_named_and_not_recommended(
    catalog: pl.DataFrame,
) -> None:
    found = answer(MODEL, catalog, [3], 10)
    assert "Solaris [1972]" not in found.items["title"]
    assert found.unscored.rows() == [("Ran", "Solaris [1972]", "no event in training")]


def test_a_model_that_knows_titles_recommends_items_without_training_events(
    catalog: pl.DataFrame,
) -> None:
    titles = catalog.with_columns(
        title=pl.Series(["Alien", "Alien 2", "Heat", "heat 2", "Ran", "Alien 3"]),
        training_events=pl.Series([2, 2, 1, 1, 0, 0], dtype=pl.UInt32),
    )
    sessions = batches([1, 2], [2, 1], [3, 4])
    params = SHIPPED.training.counting.model_copy(update={"title_weight": (0.5,)})
    counted, _ = choose_itemknn(sessions, sessions, 6, params)
    model, _ = choose_titles(counted, sessions, sessions, texts_of(titles), params)
    found = answer(model, titles, [1], 10)
    assert found.items["title"].to_list()[:2] == ["Alien 2", "Alien 3"]
    assert found.unscored.rows() == [("15", "Ran", "no event in training")]


def test_only_what_the_catalogue_file_offers_is_recommended(
    catalog: pl.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "shop.csv").write_text("item_id,title\n12,Aliens\n99,Stalker\n13,Heat\n12,Again\n")
    found = answer(MODEL, catalog, [3], 10, read_offer(tmp_path / "shop.csv"))
    assert found.items["title"].to_list() == ["Aliens"]
    reason = "not in the catalogue the model was trained on"
    assert found.unscored.rows() == [("99", "Stalker", reason)]


@pytest.mark.parametrize("name", ["shop.csv", "shop.jsonl", "shop.parquet"])
def test_a_catalogue_is_read_in_three_forms(name: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"item_id": [7, 8], "price": [1, 2]})
    path = tmp_path / name
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".jsonl":
        frame.write_ndjson(path)
    else:
        frame.write_parquet(path)
    assert read_offer(path).rows() == [("7", "7"), ("8", "8")]


@pytest.mark.parametrize("name", ["none.csv", "none.parquet", "none.jsonl"])
def test_a_missing_catalogue_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no readable catalogue") as caught:
        read_offer(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_catalogue_without_identifiers_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("id,name\n1,a\n")
    with pytest.raises(DataError, match="no column 'item_id', only id, name"):
        read_offer(tmp_path / "shop.csv")


@pytest.fixture
def project_with_a_model(catalog: pl.DataFrame, tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    CATALOG.write(catalog, paths.sessions("films"))
    registry.save(
        paths.models(CELL)["popularity"], {"model": "popularity", "n_items": 6}, MODEL.tensors()
    )
    return paths


def test_a_saved_model_is_asked_by_name(project_with_a_model: Paths) -> None:
    found = ask(project_with_a_model, CELL, "popularity", ["Alien", "13"], 1, None)
    assert found.items["title"].to_list() == ["Ran"]


def test_a_model_that_is_not_there_is_one_line(project_with_a_model: Paths) -> None:
    with pytest.raises(DataError, match=r"no readable model .*; run `dvc repro`"):
        ask(project_with_a_model, CELL, "student", ["Alien"], 1, None)
    with pytest.raises(DataError, match="--model: 'best' is not one of popularity, itemknn"):
        ask(project_with_a_model, CELL, "best", ["Alien"], 1, None)


def shown(found: Answer, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> str:
    show(found, as_json=as_json)
    return capsys.readouterr().out


def test_the_answer_is_a_table(catalog: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(answer(MODEL, catalog, [3], 2), capsys, as_json=False).splitlines()
    assert [line.split() for line in lines] == [
        ["position", "item_id", "title", "score"],
        ["1", "15", "Ran", "7.000"],
        ["2", "11", "Alien", "5.000"],
    ]


def test_the_answer_is_json(catalog: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(answer(MODEL, catalog, [3], 1), capsys, as_json=True))
    assert found["items"] == [{"position": 1, "item_id": "15", "title": "Ran", "score": 7.0}]
    assert found["unscored"][0]["title"] == "Solaris [1972]"
