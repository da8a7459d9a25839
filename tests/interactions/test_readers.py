"""Each public form is read; the files are made here, in the layout their publishers describe."""

import gzip
import json
import re
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import DataError
from pipeline.interactions.readers import READERS, read_source
from pipeline.interactions.source import CutLog, RawLog
from pipeline.params.interactions import DatasetParams


def raw(reader: str, folder: Path) -> RawLog:
    source = READERS[reader](folder)
    assert isinstance(source, RawLog)
    return source


def rows(log: RawLog) -> list[tuple[str, str, int]]:
    """Return user, item and time in milliseconds."""
    return log.events.with_columns(pl.col("time") // 1_000).collect().rows()


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_movielens_100k_is_tabbed_with_latin_titles(tmp_path: Path) -> None:
    write(tmp_path / "u.data", "196\t242\t3\t881250949\n186\t302\t1\t891717742\n")
    flags = "|0" * 19
    items = f"242|Misérables, Les (1995)|01-Jan-1995||http://x{flags}\n302|L.A. (1997)|||{flags}\n"
    write(tmp_path / "u.item", items, "iso-8859-1")
    log = raw("movielens-100k", tmp_path)
    assert rows(log) == [("196", "242", 881_250_949_000), ("186", "302", 891_717_742_000)]
    assert log.titles.rows() == [("242", "Misérables, Les (1995)"), ("302", "L.A. (1997)")]


@pytest.mark.parametrize("name", ["ratings.dat", "ratings.dat.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_movielens_1m_splits_at_double_colons(tmp_path: Path, name: str, end: str) -> None:
    write(tmp_path / name, f"1::1193::5::978300760{end}2::661::3::978302109{end}")
    films = f"661::Star: The Film (1996)::Drama|War{end}1193::Été::Comedy{end}"
    write(tmp_path / "movies.dat", films, "iso-8859-1")
    log = raw("movielens-1m", tmp_path)
    assert rows(log) == [("1", "1193", 978_300_760_000), ("2", "661", 978_302_109_000)]
    assert log.titles.rows() == [("661", "Star: The Film (1996)"), ("1193", "Été")]


def test_hetrec_has_milliseconds_and_more_columns_than_needed(tmp_path: Path) -> None:
    ratings = "userID\tmovieID\trating\ttimestamp\r\n75\t3\t1.5\t1162160236000\r\n"
    write(tmp_path / "user_ratedmovies-timestamps.dat", ratings)
    films = 'id\ttitle\timdbID\tyear\r\n3\tLe "Père"\t0113228\t1995\r\n'
    write(tmp_path / "movies.dat", films, "iso-8859-1")
    log = raw("hetrec", tmp_path)
    assert rows(log) == [("75", "3", 1_162_160_236_000)]
    assert log.titles.rows() == [("3", 'Le "Père"')]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_lastfm_titles_name_their_artists(tmp_path: Path, ending: str) -> None:
    write(
        tmp_path / f"events.csv{ending}", "user_id,track_id,timestamp,part\n7,3,1376738549,valid\n"
    )
    tracks = 'track_id,title,artist,genres\n3,"Up, Up",A|B,Rock|Pop\n4,Alone,,Rock\n'
    write(tmp_path / f"tracks.csv{ending}", tracks)
    log = raw("lastfm", tmp_path)
    assert rows(log) == [("7", "3", 1_376_738_549_000)]
    assert log.titles.rows() == [("3", "Up, Up - A, B"), ("4", "Alone")]


OLD = {"reviewerID": "A1", "asin": "B000000001", "overall": 5.0, "unixReviewTime": 1_400_000_000}
NEW = {"user_id": "AE", "asin": "B1", "parent_asin": "B000000001", "timestamp": 1_400_000_000_123}
PRODUCT = {"asin": "B000000001", "title": "It's a game", "price": 3.5}


@pytest.mark.parametrize(
    ("year", "review", "meta"),
    [
        (2014, OLD, str(PRODUCT)),  # a Python dictionary, as published
        (2018, OLD, json.dumps(PRODUCT)),
        (2023, NEW, json.dumps({"parent_asin": "B000000001", "title": "It's a game"})),
    ],
)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_amazon_reviews_of_every_year(
    tmp_path: Path, year: int, review: dict[str, object], meta: str, ending: str
) -> None:
    kind = "jsonl" if year == 2023 else "json"
    write(tmp_path / f"Games.{kind}{ending}", json.dumps(review) + "\n")
    write(tmp_path / f"meta_Games.{kind}{ending}", f"{meta}\n{meta}\n")
    log = raw("amazon-reviews", tmp_path)
    user, time = ("AE", 1_400_000_000_123) if year == 2023 else ("A1", 1_400_000_000_000)
    assert rows(log) == [(user, "B000000001", time)]
    assert log.titles.rows() == [("B000000001", "It's a game")]


@pytest.mark.parametrize(
    "lines",
    [
        "A1,B000000001,5.0,1400000000\nA2,0001112223,5.0,1400000001\n",
        "B000000001,A1,5.0,1400000000\n0001112223,A2,5.0,1400000001\n",
        "user_id,parent_asin,rating,timestamp\n"
        "A1,B000000001,5.0,1400000000000\nA2,0001112223,5.0,1400000001000\n",
    ],
)
def test_amazon_ratings_are_told_apart_by_their_columns(tmp_path: Path, lines: str) -> None:
    write(tmp_path / "ratings_Games.csv", lines)
    log = raw("amazon-ratings", tmp_path)
    assert rows(log) == [
        ("A1", "B000000001", 1_400_000_000_000),
        ("A2", "0001112223", 1_400_000_001_000),
    ]
    assert log.titles.is_empty()


def test_amazon_needs_exactly_one_file_beside_the_metadata(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needed: one file \.json or .*; found: none"):
        raw("amazon-reviews", tmp_path)
    for name in ("a.json", "b.json.gz", "meta_a.json"):
        write(tmp_path / name, "{}\n")
    with pytest.raises(DataError, match=r"found: a\.json, b\.json\.gz"):
        raw("amazon-reviews", tmp_path)


def test_a_damaged_line_of_metadata_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.json", json.dumps(OLD) + "\n")
    write(tmp_path / "meta_a.json", f"{PRODUCT}\n{{'asin': \n")
    with pytest.raises(DataError, match=r"meta_a.json: row 2 is no product: \{'asin':"):
        raw("amazon-reviews", tmp_path)


@pytest.mark.parametrize(
    ("reader", "file"),
    [
        ("movielens-100k", "u.data"),
        ("movielens-1m", "ratings.dat"),
        ("hetrec", "user_ratedmovies-timestamps.dat"),
        ("lastfm", "events.csv"),
        ("sessions", "items.parquet"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, reader: str, file: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"{file}: this file is missing")):
        READERS[reader](tmp_path)


def cut(folder: Path, **tables: pl.DataFrame) -> CutLog:
    """Write already cut sessions, some tables replaced, and read them."""
    files = {
        "sessions": pl.DataFrame(
            {"session_id": [4, 2], "items": [["a", "b"], ["c"]], "label": ["c", "a"]}
        ),
        "items": pl.DataFrame({"item_id": ["b", "a", "c"], "title": ["Bee", "", None]}),
    } | tables
    for name, table in files.items():
        table.write_parquet(folder / f"{name}.parquet")
    source = READERS["sessions"](folder)
    assert isinstance(source, CutLog)
    return source


def test_already_cut_sessions_end_with_their_label(tmp_path: Path) -> None:
    source = cut(tmp_path)
    assert source.sessions.rows() == [(2, ["c", "a"]), (4, ["a", "b", "c"])]
    assert source.titles["item_id"].to_list() == ["b", "a", "c"]
    assert source.rankings.is_empty()
    assert source.selections.is_empty()


def test_published_rankings_count_catalogue_rows_from_one(tmp_path: Path) -> None:
    source = cut(
        tmp_path,
        llm_rankings=pl.DataFrame(
            {"session_id": [4], "ranking": [[2, 0, 2]], "target_position": 0}
        ),
        selected_sessions=pl.DataFrame(
            {"strategy": ["random"], "position": [0], "session_id": [2]}
        ),
    )
    assert source.rankings.rows() == [(4, [3, 1, 3])]
    assert source.selections.rows() == [("random", 0, 2)]


@pytest.mark.parametrize(
    ("table", "frame", "message"),
    [
        (
            "sessions",
            {"session_id": [1, 2], "items": [["a"], ["d"]], "label": ["a", "a"]},
            "sessions.parquet: column 'items' names an item that is not in items.parquet in 1 of 2",
        ),
        (
            "sessions",
            {"session_id": [1, 2], "items": [["a"], ["b"]], "label": ["a", "d"]},
            "column 'label' names an item that is not in items.parquet in 1 of 2 rows (first: row",
        ),
        (
            "sessions",
            {"session_id": [1, 1], "items": [["a"], ["b"]], "label": ["a", "a"]},
            "column 'session_id' repeats an earlier row in 1 of 2 rows (first: row 2: 1)",
        ),
        (
            "sessions",
            {"session_id": [1, 2], "items": [["a"], None], "label": ["a", "a"]},
            "column 'items' is empty in 1 of 2 rows (first: row 2)",
        ),
        (
            "sessions",
            {"session_id": ["x"], "items": [["a"]], "label": ["a"]},
            "sessions.parquet: a column is of another type",
        ),
        (
            "llm_rankings",
            {"session_id": [3], "ranking": [[0]]},
            "column 'session_id' is not in sessions.parquet in 1 of 1 rows (first: row 1: 3)",
        ),
    ],
)
def test_bad_already_cut_sessions_are_named_in_one_line(
    tmp_path: Path, table: str, frame: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        cut(tmp_path, **{table: pl.DataFrame(frame)})
    assert "\n" not in str(raised.value)


def test_every_reader_that_params_allow_is_there() -> None:
    allowed = DatasetParams.model_fields["reader"].annotation.__args__  # type: ignore[union-attr]
    assert set(allowed) == {*READERS, "log"}


def test_the_dataset_names_its_reader(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this file is missing"):
        read_source(DatasetParams(reader="sessions", path="x"), tmp_path)
