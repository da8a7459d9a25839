"""Files are whole or absent."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import files


def write_half(path: Path) -> None:
    with files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("cut")


def test_a_written_file_holds_the_bytes_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    files.write_bytes(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="cut"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_first_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cut"):
        write_half(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_readers_see_the_old_content_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_equal_values_give_equal_json_bytes(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a", {"b": 1, "a": ["é", None]})
    files.write_json(tmp_path / "b", {"a": ["é", None], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert files.read_json(tmp_path / "a") == {"a": ["é", None], "b": 1}


def test_json_by_rows_is_the_same_value_with_each_item_of_a_list_on_one_line(
    tmp_path: Path,
) -> None:
    value: dict[str, Any] = {
        "b": {"rows": [{"y": "é", "x": [1, {}]}, {}]},
        "a": [],
        "c": {},
        "d": None,
    }
    files.write_json_rows(tmp_path / "a", value)
    assert files.read_json(tmp_path / "a") == value
    lines = (tmp_path / "a").read_text(encoding="utf-8").splitlines()
    assert '      {"x": [1, {}], "y": "é"},' in lines
    assert len(lines) == 11
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json_rows(tmp_path / "b", {"mean": [float("nan")]})


def test_json_ends_with_a_newline_and_keeps_letters_readable(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a", {"title": "Amélie"})
    assert (tmp_path / "a").read_text(encoding="utf-8") == '{\n  "title": "Amélie"\n}\n'


def test_a_number_json_does_not_know_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a", {"mean": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "a") == expected == hashlib.sha256(b"abc").hexdigest()


def test_what_is_written_reads_back_as_json(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a", [1, 2.5, "x"])
    assert json.loads((tmp_path / "a").read_text()) == [1, 2.5, "x"]


def test_a_listing_has_the_files_with_an_ending_by_name(tmp_path: Path) -> None:
    for name in ("b.x", "a.x", ".hidden.x", "c.y"):
        (tmp_path / name).touch()
    assert [path.name for path in files.listing(tmp_path, ".x")] == ["a.x", "b.x"]
    assert files.listing(tmp_path / "absent", ".x") == []
    with pytest.raises(NotADirectoryError):
        files.listing(tmp_path / "c.y", ".x")
