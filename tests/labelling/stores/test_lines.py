"""A file of checked lines: written at once, synced in groups and beside."""

import os
import threading
from pathlib import Path

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.stores.lines import (
    SYNC_ANSWERS,
    LineFile,
    checked_lines,
    damaged_lines,
)


def test_fsync_is_grouped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    with LineFile(tmp_path, "answers.jsonl", clock=lambda: 0.0) as lines:
        synced.clear()  # the folder's, when the file was made
        for _ in range(2 * SYNC_ANSWERS + 1):
            lines.append({"n": 1})
            lines.settle()
        assert len(synced) == 2
    assert len(synced) == 3


def test_an_fsync_is_due_after_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    now = iter((0.0, 0.2, 1.1, 1.2, 1.3, 1.4))
    with LineFile(tmp_path, "answers.jsonl", clock=lambda: next(now)) as lines:
        synced.clear()
        lines.append({"n": 1})
        assert synced == []
        lines.append({"n": 2})
        lines.settle()
        assert len(synced) == 1


def test_a_line_that_a_full_disk_cut_costs_that_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others were under way: their answers are written behind it."""
    write, room = os.write, [10]

    def nearly_full(descriptor: int, content: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[: room.pop()])

    with LineFile(tmp_path, "answers.jsonl") as lines:
        lines.append({"n": 1})
        with monkeypatch.context() as patch:
            patch.setattr("os.write", nearly_full)
            with pytest.raises(LabelError, match="No space left on device"):
                lines.append({"n": 2})
        lines.append({"n": 3})
    assert list(checked_lines(lines.path)) == [{"n": 1}, {"n": 3}]
    assert damaged_lines(lines.path) == 1


def test_nobody_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, calls = threading.Event(), list[int]()

    def slow(descriptor: int) -> None:
        calls.append(descriptor)
        assert disk.wait(30)

    with LineFile(tmp_path, "answers.jsonl", clock=lambda: 0.0) as lines:
        monkeypatch.setattr("os.fsync", slow)
        for number in range(3 * SYNC_ANSWERS):
            lines.append({"n": number})  # would hang here
        assert len(list(checked_lines(lines.path))) == 3 * SYNC_ANSWERS
        disk.set()
    assert len(calls) == 2  # the one that hung, and a last one for all that came meanwhile


def test_after_a_sync_that_failed_every_answer_is_written_and_none_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    lines = LineFile(tmp_path, "answers.jsonl", clock=lambda: 0.0)
    lines.append({"n": 0})
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", broken)
        with pytest.raises(LabelError, match="Input/output error"):
            lines.sync()
    with pytest.raises(LabelError, match="Input/output error"):
        lines.append({"n": 1})
    with pytest.raises(LabelError, match="Input/output error"):
        lines.__exit__(None, None, None)
    assert list(checked_lines(lines.path)) == [{"n": 0}, {"n": 1}]
