"""An own log is read in every form it may have, and a bad row is named in one line."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.errors import DataError
from pipeline.interactions.readers.own_log import read_own_log
from pipeline.params.interactions import LogParams

EVENTS = [("ann", "g1", 1_700_000_000), ("bob", "g2", 1_700_000_060), ("ann", "g2", 1_700_000_120)]
HEADER = "user_id,item_id,time\n"
CSV = HEADER + "".join(f"{user},{item},{time}\n" for user, item, time in EVENTS)
ITEMS = "item_id,title\ng1,Pokémon\ng2,\n"
JSON = "".join(
    json.dumps({"user_id": user, "item_id": item, "time": time, "more": [1]}) + "\n"
    for user, item, time in EVENTS
)
FRAME = pl.DataFrame(EVENTS, schema=["user_id", "item_id", "time"], orient="row")


def read(folder: Path, events: str | bytes, file: str = "events.csv", **changes: Any) -> list[Any]:
    """Write the events, read them back, and return rows of user, item, seconds."""
    (folder / file).write_bytes(events if isinstance(events, bytes) else events.encode())
    values: dict[str, Any] = {"events": file, "time": "time"}
    log = read_own_log(folder, LogParams(**(values | changes)))
    found = log.events.with_columns(pl.col("time") / 1e6).collect()
    assert log.rows == len(found)
    return found.rows()


def parquet(folder: Path, frame: pl.DataFrame) -> bytes:
    frame.write_parquet(folder / "made")
    return (folder / "made").read_bytes()


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("events.csv", CSV.encode()),
        ("events.csv", CSV.replace("\n", "\r\n").encode()),
        ("events.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("events.csv.gz", gzip.compress(CSV.encode())),
        ("events.tsv", CSV.replace(",", "\t").encode()),
        ("events.tsv.gz", gzip.compress(CSV.replace(",", "\t").encode())),
        ("events.jsonl", JSON.encode()),
        ("events.ndjson.gz", gzip.compress(JSON.encode())),
    ],
)
def test_every_form_of_text_gives_the_same_events(
    tmp_path: Path, file: str, written: bytes
) -> None:
    assert read(tmp_path, written, file) == EVENTS


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame,
        lambda frame: frame.with_columns(pl.from_epoch("time")),
        lambda frame: frame.with_columns(pl.from_epoch("time").dt.replace_time_zone("UTC")),
        lambda frame: frame.with_columns(pl.col("time").cast(pl.Float64)),
        lambda frame: frame.with_columns(pl.col("user_id", "item_id").cast(pl.Categorical)),
    ],
)
def test_every_type_of_a_parquet_column_gives_the_same_events(
    tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    written = parquet(tmp_path, change(FRAME))
    assert read(tmp_path, written, "events.parquet") == EVENTS


def test_the_column_map_names_what_is_read(tmp_path: Path) -> None:
    written = CSV.replace("user_id", "who").replace("item_id", "what").replace("time", "when")
    assert read(tmp_path, written, user="who", item="what", time="when") == EVENTS


@pytest.mark.parametrize(
    ("time", "settings"),
    [
        ("1700000000.25", {}),
        ("1700000000250", {"time_unit": "ms"}),
        ("1700000000250000", {"time_unit": "us"}),
        ("2023-11-14T22:13:20.25", {}),
        ("2023-11-14 22:13:20.25", {}),
        ("2023-11-14T22:13:20.250Z", {}),
        ("2023-11-15T00:13:20.25+02:00", {}),
        ("14.11.2023 22:13:20.25", {"time_format": "%d.%m.%Y %H:%M:%S%.f"}),
        ("15/11/2023 00:13:20.25 +0200", {"time_format": "%d/%m/%Y %H:%M:%S%.f %z"}),
    ],
)
def test_a_time_is_understood(tmp_path: Path, time: str, settings: dict[str, str]) -> None:
    found = read(tmp_path, f"{HEADER}ann,g1,{time}\n", **settings)
    assert found == [("ann", "g1", 1_700_000_000.25)]


def test_a_date_is_its_midnight(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEADER}ann,g1,2023-11-14\n") == [("ann", "g1", 1_699_920_000)]


def test_titles_come_from_the_file_of_items_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(CSV)
    (tmp_path / "items.csv").write_text(ITEMS, encoding="utf-8")
    log = LogParams(time="time", items="items.csv")
    assert read_own_log(tmp_path, log).titles.rows() == [("g1", "Pokémon"), ("g2", None)]
    assert read_own_log(tmp_path, LogParams(time="time")).titles.is_empty()


def test_another_encoding_is_read_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(ITEMS, encoding="iso-8859-1")
    (tmp_path / "events.csv").write_text(CSV)
    log = LogParams(time="time", items="items.csv", encoding="iso-8859-1")
    assert read_own_log(tmp_path, log).titles["title"][0] == "Pokémon"


BAD_EVENTS: dict[str, tuple[str | bytes, str]] = {
    "no file": (b"", "events.csv: the file is empty (0 bytes)"),
    "no row": (HEADER, "events.csv: no row below the header"),
    "wrong column": (CSV.replace("user_id", "who"), "column 'user_id' is missing (row 1 has 'who'"),
    "text in a number": (
        CSV + "ann,g1,never\n",
        "column 'time' is no time (or one far too large) in 1 of 4 rows (first: row 4: 'never')",
    ),
    "no number": (CSV + "ann,g1,nan\n", "column 'time' is no time"),
    "numbers that overflow": (CSV + "ann,g1,9" + "9" * 30 + "\n", "column 'time' is no time"),
    "no time": (CSV + "ann,g1,\n", "column 'time' is empty in 1 of 4 rows (first: row 4)"),
    "null user": (
        CSV + ",g1,1\n,g2,1\n",
        "column 'user_id' is empty in 2 of 5 rows (first: row 4)",
    ),
    "blank item": (CSV + "ann,  ,1\n", "column 'item_id' is empty in 1 of 4 rows (first: row 4"),
    "negative time": (CSV + "ann,g1,-1\n", "column 'time' lies before 1970 in 1 of 4 rows"),
    "milliseconds": (
        CSV.replace(",1700", ",1700000"),
        "lies after the year 2100 (is the unit right?) in 3 of 3 rows (first: row 1:",
    ),
    "wrong encoding": (
        CSV.encode() + "ann,gé,1\n".encode("iso-8859-1"),
        "row 4 has bytes in column 'item_id' that are no utf-8; correct the encoding",
    ),
    "another encoding": (CSV.encode("utf-16"), "column 'user_id' is missing (row 1 has"),
    "too many fields": (CSV + "ann,g1,1,2\n", "row 4 has 4 fields, the header 3"),
    "open quote": (CSV + 'ann,"g1,1\nbob,g2,1\n', "row 4 is not readable (unexpected end of data)"),
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_bad_events_are_named_in_one_line(tmp_path: Path, name: str) -> None:
    written, message = BAD_EVENTS[name]
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        read(tmp_path, written)
    assert "\n" not in str(raised.value)
    assert str(tmp_path / "events.csv") in str(raised.value)


BAD_JSON = {
    "no JSON": ('{"user_id":\n', "row 4 is no JSON: "),
    "no object": ("[1, 2]\n", "row 4 is no JSON object: [1, 2]"),
    "missing key": ('{"user_id": "a", "time": 1}\n', "column 'item_id' is empty in 1 of 4 rows"),
    "null": ('{"user_id": null, "item_id": 1, "time": 1}\n', "column 'user_id' is empty in 1 of 4"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_lines_are_named_in_one_line(tmp_path: Path, name: str) -> None:
    line, message = BAD_JSON[name]
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path, JSON + line, "events.jsonl")


@pytest.mark.parametrize("first", ["hello\n", "[1]\n", '{"who": 1}\n'])
def test_json_lines_that_begin_badly_are_refused_at_row_1(tmp_path: Path, first: str) -> None:
    with pytest.raises(DataError, match=r"events.jsonl: .*row 1 "):
        read(tmp_path, first + JSON, "events.jsonl")


@pytest.mark.parametrize("file", ["events.csv.gz", "events.jsonl.gz"])
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.99])
def test_a_gzip_file_that_was_cut_is_refused(tmp_path: Path, file: str, keep: float) -> None:
    written = CSV + CSV.removeprefix(HEADER) * 3_000 if "csv" in file else JSON * 3_000
    packed = gzip.compress(written.encode())
    with pytest.raises(DataError, match=r"the gzip file ends in the middle, after row \d"):
        read(tmp_path, packed[: int(len(packed) * keep)], file)


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress((CSV * 3_000).encode()))
    packed[-6] ^= 0xFF  # the checksum
    with pytest.raises(DataError, match="the gzip file is damaged"):
        read(tmp_path, bytes(packed), "events.csv.gz")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.with_columns(user_id=pl.lit(1.5)), "column 'user_id' is Float64, from row 1 on"),
        (FRAME.with_columns(time=pl.lit(value=True)), "column 'time' is Boolean, from row 1 on"),
        (FRAME.with_columns(item_id=None), "column 'item_id' is Null, from row 1 on"),
        (FRAME.head(0), "no row below the header"),
        (FRAME.drop("time"), "column 'time' is missing"),
    ],
)
def test_bad_parquet_columns_are_named_in_one_line(
    tmp_path: Path, frame: pl.DataFrame, message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path, parquet(tmp_path, frame), "events.parquet")


def test_a_parquet_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    written = parquet(tmp_path, FRAME)[:-20]
    with pytest.raises(DataError, match="not readable as Parquet, from row 1 on"):
        read(tmp_path, written, "events.parquet")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            ITEMS + "g3," + "x" * 1_000_000,
            "column 'title' has more than 10,000 characters in 1 of 3",
        ),
        (ITEMS + ",Nobody", "column 'item_id' is empty in 1 of 3 rows (first: row 3)"),
        (
            ITEMS + "g1,Again",
            "column 'item_id' repeats an earlier row in 1 of 3 rows (first: row 3",
        ),
        ("item_id,name\ng1,x\n", "column 'title' is missing (row 1 has 'item_id', 'name')"),
    ],
)
def test_bad_items_are_named_in_one_short_line(tmp_path: Path, items: str, message: str) -> None:
    (tmp_path / "items.csv").write_text(items, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        read(tmp_path, CSV, items="items.csv")
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "events.txt"}, "events.txt: unknown form; name it .csv"),
        ({"encoding": "klingon"}, "encoding 'klingon' is not known"),
        ({"items": "titles.csv"}, "titles.csv: this file is missing"),
    ],
)
def test_a_column_map_that_fits_no_file_is_refused(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        read(tmp_path, CSV, **changes)
