"""Parts: damage that is never read, other columns, keys of another version."""

import hashlib
import random
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipeline.labelling import key
from pipeline.labelling.stores.parquet import VERSION
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.table import COLUMNS
from tests.labelling.stores.answered import request, rows


def put(folder: Path, table: pl.DataFrame) -> Path:
    """Write a table as some version might, and return the part."""
    table.write_parquet(folder / "new")
    name = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    return (folder / "new").rename(folder / f"{name}.parquet")


def test_no_flipped_bit_and_no_cut_is_ever_read_as_a_label(tmp_path: Path) -> None:
    here = Store(tmp_path)
    path = here.write(rows("a", "b"))
    assert path is not None
    whole = path.read_bytes()
    choose = random.Random(1)  # noqa: S311 - no secret
    for _ in range(150):
        content = bytearray(whole)
        if choose.random() < 0.3:
            del content[choose.randrange(len(content)) :]
        else:
            content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
        path.write_bytes(content)
        assert here.damaged() == [path]
        assert here.read().is_empty()


def test_a_part_that_lies_about_its_form_is_damaged(tmp_path: Path) -> None:
    content = b"not a Parquet file"
    path = tmp_path / f"{hashlib.sha256(content).hexdigest()}.parquet"
    path.write_bytes(content)
    assert Store(tmp_path).damaged() == [path]


def test_a_part_without_a_column_that_may_be_null_is_read_with_nulls(tmp_path: Path) -> None:
    put(tmp_path, rows("a").drop("attempts", "cached_tokens").with_columns(another=1))
    found = Store(tmp_path).read()
    assert found.equals(rows("a").with_columns(found["attempts"], found["cached_tokens"]))
    assert found.select("attempts", "cached_tokens").row(0) == (None, None)
    assert Store(tmp_path).damaged() == []


def test_a_part_without_another_column_is_here_for_nobody_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a plan would find the answer there, and the reader would not."""
    here = Store(tmp_path)
    for gone in ("created_at", "response", "key", "cost_usd"):
        path = put(tmp_path, rows("a").drop(gone))
        for columns in (["key"], ["key", "outcome"], list(COLUMNS)):
            assert here.read(columns).is_empty()
        assert here.damaged() == [path]
        assert here.free_parts() == []
        path.unlink()
    said = " ".join(capsys.readouterr().err.split())
    assert "not damaged" in said
    assert "remove" not in said


def test_a_part_says_by_which_version_its_keys_were_made(tmp_path: Path) -> None:
    path = Store(tmp_path).write(rows("a"))
    metadata = pq.ParquetFile(path).schema_arrow.metadata
    assert metadata[VERSION] == str(key.KEY_VERSION).encode()


def test_a_new_key_version_gives_old_rows_their_new_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Store(tmp_path)
    here.write(rows("a", "b"))
    old = request("a").key
    monkeypatch.setattr(key, "KEY_VERSION", key.KEY_VERSION + 1)
    here.write(rows("c"))
    new = {request(subject).key for subject in "abc"}
    assert old not in new
    assert set(here.read()["key"]) == set(here.read(["key"])["key"]) == new
    assert here.read(["subject_id"], keys={request("a").key})["subject_id"].to_list() == ["a"]
    assert here.read(keys={old}).is_empty()


def test_a_part_that_says_no_version_is_of_the_first(tmp_path: Path) -> None:
    made = rows("a")
    put(tmp_path, made)
    assert Store(tmp_path).read().equals(made)
