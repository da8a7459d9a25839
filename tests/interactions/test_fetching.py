"""Raw files are found, copied whole or linked, and never left half taken."""

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DataError
from pipeline.interactions import fetching
from pipeline.interactions.fetching import local_place, raw_files, take, unpack
from pipeline.params.interactions import DatasetParams
from pipeline.paths import Paths


def dataset(**values: Any) -> DatasetParams:
    return DatasetParams(**({"reader": "lastfm"} | values))


def folder_of(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    return path


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_a_path_comes_before_the_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, home = folder_of(tmp_path / "own", "a"), folder_of(tmp_path / "home/lastfm", "b")
    monkeypatch.setenv("DISTILREC_DATA_HOME", str(home.parent))
    paths = Paths(tmp_path)
    assert local_place("music", dataset(path="own", folder="lastfm"), paths) == own
    assert local_place("music", dataset(folder="lastfm", url="http://x"), paths) == home


def test_without_files_here_a_dataset_with_a_url_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISTILREC_DATA_HOME", raising=False)
    assert local_place("music", dataset(folder="lastfm", url="http://x"), Paths(tmp_path)) is None


@pytest.mark.parametrize(
    ("home", "why"), [(None, "is not set"), ("home", "has no folder 'lastfm'")]
)
def test_without_files_and_url_both_ways_out_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None, why: str
) -> None:
    if home is None:
        monkeypatch.delenv("DISTILREC_DATA_HOME", raising=False)
    else:
        monkeypatch.setenv("DISTILREC_DATA_HOME", str(tmp_path / home))
    with pytest.raises(DataError, match=re.escape(why)) as raised:
        local_place("music", dataset(folder="lastfm"), Paths(tmp_path))
    assert "dataset.music.path" in str(raised.value)
    assert "DISTILREC_DATA_HOME" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_path_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not there; .* correct dataset\.music\.path"):
        local_place("music", dataset(path="nowhere"), Paths(tmp_path))


def test_a_folder_is_taken_with_its_folders_and_a_file_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.csv", "more/b.csv")
    assert list(raw_files(folder, dataset(path="x"))) == ["a.csv", "more/b.csv"]
    assert list(raw_files(folder / "a.csv", dataset(path="x"))) == ["a.csv"]


def test_of_an_own_folder_only_the_named_files_are_taken(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "clicks.csv", "items.csv", "holiday.jpg")
    log = {"events": "clicks.csv", "items": "items.csv"}
    own = dataset(reader="log", path="x", log=log)
    assert list(raw_files(folder, own)) == ["clicks.csv", "items.csv"]
    other = dataset(reader="log", path="x", log={"events": "views.csv"})
    with pytest.raises(DataError, match=r": no views\.csv; put what is missing there, or correct"):
        raw_files(folder, other)
    half = dataset(reader="log", path="x", log=log | {"items": "itms.csv"})
    with pytest.raises(DataError, match=r": no itms\.csv; put"):
        raw_files(folder, half)


def test_taking_replaces_what_was_there(tmp_path: Path) -> None:
    old = folder_of(tmp_path / "raw/music", "old.csv")
    take({"a.csv": folder_of(tmp_path, "a.csv") / "a.csv"}, old)
    assert contents(tmp_path / "raw") == {"music/a.csv": "a.csv"}
    assert not (old / "a.csv").is_symlink()


def test_a_failure_leaves_the_old_files_as_they_were(tmp_path: Path) -> None:
    old = folder_of(tmp_path / "raw/music", "old.csv")
    found = {"a.csv": folder_of(tmp_path, "a.csv") / "a.csv", "b.csv": tmp_path / "gone"}
    with pytest.raises(FileNotFoundError):
        take(found, old)
    assert contents(tmp_path / "raw") == {"music/old.csv": "old.csv"}


def test_large_files_are_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LINKED_ABOVE", 3)
    folder = folder_of(tmp_path / "own", "abc", "abcd")
    take(raw_files(folder, dataset(path="x")), tmp_path / "raw")
    assert not (tmp_path / "raw/abc").is_symlink()
    assert (tmp_path / "raw/abcd").is_symlink()
    assert contents(tmp_path / "raw") == {"abc": "abc", "abcd": "abcd"}


@pytest.mark.parametrize("top", ["", "ml-1m/"])
def test_an_archive_is_unpacked_without_its_one_top_folder(tmp_path: Path, top: str) -> None:
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"{top}a.dat", "a")
        packed.writestr(f"{top}b.dat", "b")
    folder_of(tmp_path / "out", "stale")
    assert contents(unpack(archive, tmp_path / "out")) == {"a.dat": "a", "b.dat": "b"}


def test_a_file_that_is_no_archive_stays_as_it_is(tmp_path: Path) -> None:
    assert unpack(tmp_path / "x.json.gz", tmp_path / "out") == tmp_path / "x.json.gz"
