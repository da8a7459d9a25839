"""The journal: written at once, checked line by line, outside the project."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import LabelError
from pipeline.labelling import key
from pipeline.labelling.stores import table
from pipeline.labelling.stores.journal import Journal, journal_folder
from pipeline.labelling.stores.lines import (
    LineFile,
    checked_lines,
    damaged_lines,
    state_of,
)
from tests.labelling.stores.answered import PAID, request, rows


def write(folder: Path, *subjects: str) -> Path:
    with Journal(folder).writer() as lines:
        for subject in subjects:
            lines.append(table.row(request(subject), PAID))
    return lines.path


def test_what_was_written_is_read_as_the_store_s_rows(tmp_path: Path) -> None:
    write(tmp_path, "b", "a")
    write(tmp_path, "a", "c")
    assert Journal(tmp_path).read().equals(table.union(rows("a", "b", "c")))
    assert len(Journal(tmp_path).files()) == 2


def test_an_answer_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    lines = Journal(tmp_path).writer()
    lines.append(table.row(request("a"), PAID))
    assert Journal(tmp_path).read().height == 1
    lines.__exit__(None, None, None)


def test_a_killed_writer_loses_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from pipeline.labelling.stores import table\n"
        "from pipeline.labelling.stores.journal import Journal\n"
        "from tests.labelling.stores.answered import PAID, request\n"
        "lines = Journal(Path(sys.argv[1])).writer()\n"
        "for n in range(30): lines.append(table.row(request(str(n)), PAID))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -9
    assert Journal(tmp_path).read().height == 30


def test_a_torn_last_line_costs_that_line_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "b")
    path.write_bytes(path.read_bytes()[:-20])
    assert Journal(tmp_path).read()["subject_id"].to_list() == ["a"]
    assert damaged_lines(path) == 1


def test_no_flipped_bit_is_read_as_another_answer(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "b", "c")
    whole = path.read_bytes()
    true = [dict(value) for value in checked_lines(path)]
    choose = random.Random(2)  # noqa: S311 - no secret
    for _ in range(300):
        content = bytearray(whole)
        content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
        path.write_bytes(content)
        assert all(value in true for value in checked_lines(path))


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(LabelError, match="No space left on device"):
        Journal(tmp_path).writer().append({"n": 1})


def test_the_folder_is_the_variable_s_or_the_cache_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILREC_JOURNAL", str(tmp_path / "x"))
    assert journal_folder() == tmp_path / "x"
    monkeypatch.delenv("DISTILREC_JOURNAL")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert journal_folder() == tmp_path / "distilrec/journal"


def test_only_its_user_may_read_a_file(tmp_path: Path) -> None:
    assert write(tmp_path, "a").stat().st_mode & 0o077 == 0


def test_clearing_deletes_the_files(tmp_path: Path) -> None:
    write(tmp_path, "a")
    assert Journal(tmp_path).clear() == 1
    assert Journal(tmp_path).read().is_empty()


def test_answers_of_other_datasets_serve_the_same_request_alone(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    renamed = replace(request("a"), dataset="another")
    assert Journal(tmp_path).read([renamed])["key"].to_list() == [renamed.key]
    assert Journal(tmp_path).read([replace(request("c"), dataset="another")]).is_empty()


def test_a_new_key_version_gives_old_lines_their_new_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a")
    monkeypatch.setattr(key, "KEY_VERSION", key.KEY_VERSION + 1)
    write(tmp_path, "b")
    assert set(Journal(tmp_path).read()["key"]) == {request("a").key, request("b").key}
    assert set(Journal(tmp_path).read([request("a")], known=lambda: [request("b").key])["key"]) == {
        request("a").key
    }


def test_a_line_that_says_no_version_is_of_the_first(tmp_path: Path) -> None:
    with LineFile(tmp_path, "answers.jsonl") as lines:
        lines.append(table.row(request("a"), PAID))
    assert Journal(tmp_path).read().equals(rows("a"))


def test_answers_that_a_store_has_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    write(tmp_path, "c")
    found = Journal(tmp_path).read(known=lambda: [request("a").key, request("c").key])
    assert found["subject_id"].to_list() == ["b"]


def test_an_empty_journal_does_not_ask_what_is_known(tmp_path: Path) -> None:
    def never() -> list[str]:
        raise AssertionError

    assert Journal(tmp_path).read(known=never).is_empty()


def test_a_run_without_answers_leaves_no_file(tmp_path: Path) -> None:
    with Journal(tmp_path).writer() as lines:
        assert (
            lines.path.exists()
        )  # a folder that cannot be written is told before anything is paid
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_hold_a_journal_is_one_line_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in (tmp_path / "file", tmp_path / "file/journal"):
        with pytest.raises(LabelError, match="set DISTILREC_JOURNAL"), Journal(folder).writer():
            pass
        with pytest.raises(LabelError, match="cannot be read"):
            Journal(folder).read()


@pytest.mark.parametrize("call", ["os.listdir", "pathlib.Path.open"])
def test_a_journal_that_cannot_be_read_is_never_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    write(tmp_path, "a")

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(call, refused)
    with pytest.raises(LabelError, match=r"cannot be read \(Permission denied\)"):
        Journal(tmp_path).read()


def test_without_a_home_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DISTILREC_JOURNAL")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    with pytest.raises(LabelError, match="set DISTILREC_JOURNAL to a folder"):
        journal_folder()


def test_a_file_is_sound_cut_or_damaged(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "b")
    whole = path.read_bytes()
    assert state_of(path) == "sound"
    for cut in (whole[:-1], whole[:-30], whole + bytes(100), whole[:-30] + bytes(30)):
        path.write_bytes(cut)
        assert state_of(path) == ("sound" if cut == whole[:-1] else "cut")
    path.write_bytes(whole.replace(b"answered", b"refused!", 1))
    assert state_of(path) == "damaged"
    path.write_bytes(b"")
    assert Journal(tmp_path).states() == {path.name: "sound"}
