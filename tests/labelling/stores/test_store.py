"""The store: parts named by their bytes, and what is read of several."""

import hashlib
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import LabelError
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.table import COLUMNS, union
from tests.labelling.stores.answered import FREE, PAID, request, rows


def test_a_part_is_named_by_its_bytes_and_read_back_whole(tmp_path: Path) -> None:
    path = Store(tmp_path).write(rows("a", "b"))
    assert path is not None
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Store(tmp_path).read().equals(union(rows("b", "a")))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_equal_rows_are_one_part_whatever_their_order(tmp_path: Path) -> None:
    first = Store(tmp_path).write(rows("a", "b", "c"))
    assert Store(tmp_path).write(rows("c", "a", "b")) == first


def test_an_empty_store_is_a_folder_that_can_be_read(tmp_path: Path) -> None:
    empty = Store(tmp_path / "new")
    assert empty.write(rows()) is None
    assert empty.folder.is_dir()
    assert empty.read().height == 0
    assert Store(tmp_path / "absent").read().columns == list(COLUMNS)


def test_a_damaged_part_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Store(tmp_path)
    here.write(rows("a"))
    bad = here.write(rows("b"))
    assert bad is not None
    content = bytearray(bad.read_bytes())
    content[len(content) // 2] ^= 1
    bad.write_bytes(content)
    assert here.read()["subject_id"].to_list() == ["a"]
    assert bad.name in capsys.readouterr().err.replace("\n", "")
    assert here.damaged() == [bad]
    assert here.set_aside(tmp_path / "aside") == [bad.name]
    assert (tmp_path / "aside" / bad.name).exists()
    assert here.damaged() == []


def test_free_labels_are_replaced_and_paid_ones_stay(tmp_path: Path) -> None:
    here = Store(tmp_path)
    paid = here.write(rows("a"))
    old = here.write(rows("b", answer=FREE))
    new = here.replace_free(rows("c", answer=FREE))
    assert {paid, new} == set(here.parts())
    assert old not in here.parts()
    assert here.free_parts() == [new]


def test_a_file_that_is_no_part_by_its_name_is_told_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Store(tmp_path / "store")
    path = here.write(rows("a"))
    assert path is not None
    stray = path.with_name("copy of mine.parquet")
    stray.write_bytes(path.read_bytes())
    assert (here.parts(), here.strays(), here.damaged()) == ([path], [stray], [])
    assert here.set_aside(tmp_path / "aside") == []
    assert "copy of mine.parquet: no part" in " ".join(capsys.readouterr().err.split())
    assert stray.exists()


def test_only_rows_of_the_keys_asked_for_are_read(tmp_path: Path) -> None:
    here = Store(tmp_path)
    for subjects in ("abc", "cde", "f"):
        here.write(rows(*subjects))
    wanted = {request(subject).key for subject in "cf"} | {"unknown"}
    found = here.read(keys=wanted)
    assert found.equals(here.read().filter(pl.col("key").is_in(list(wanted))))
    assert set(found["subject_id"]) == {"c", "f"}
    assert here.read(["cost_usd"], keys=[]).columns == ["cost_usd"]


def test_which_of_two_answers_serves_does_not_depend_on_what_is_read(tmp_path: Path) -> None:
    here = Store(tmp_path)
    costs = (0.3, 0.1, 0.2)
    for cost in costs:  # the same answer thrice
        here.write(rows("a", "b", answer=replace(PAID, cost_usd=cost)))
    whole = here.read()
    assert whole.height == 2
    for columns in (["cost_usd"], ["cost_usd", "response"], ["key", "cost_usd", "request"]):
        assert here.read(columns).equals(whole.select(columns))


@pytest.mark.parametrize("call", ["os.listdir", "pathlib.Path.read_bytes"])
def test_a_store_that_cannot_be_read_is_never_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    Store(tmp_path).write(rows("a"))

    def refused(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(call, refused)
    with pytest.raises(LabelError, match=r"cannot be read \(Input/output error\)"):
        Store(tmp_path).read()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LabelError, match="cannot be written"):
        Store(tmp_path / "file/store").write(rows("a"))


def test_what_a_killed_run_left_half_written_is_no_part_and_goes(tmp_path: Path) -> None:
    here = Store(tmp_path)
    path = here.write(rows("a"))
    assert path is not None
    half = tmp_path / f".{path.name}.0123456789ab.tmp"
    half.write_bytes(path.read_bytes()[:100])
    assert here.parts() == [path]
    assert here.set_aside(tmp_path / "aside") == []
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
