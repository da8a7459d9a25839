"""Whose end is ours: the nearest one who waits for us, beyond shells that only pass a command."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from pipeline.labelling.online.stopping import starters_of


@dataclass
class Process:
    """As much of a process as is looked at."""

    words: tuple[str, ...] = ("python",)
    above: list["Process"] = field(default_factory=list)

    def name(self) -> str:
        return self.words[0].rpartition("/")[2]

    def cmdline(self) -> list[str]:
        return list(self.words)

    def parents(self) -> list["Process"]:
        return self.above


DVC = Process(("dvc", "repro"))
TERMINAL = Process(("-bash",))
PASSING = Process(("/bin/sh", "-c", "python -m pipeline label tiny"))


@contextmanager
def nohup() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def started_by(*above: Process) -> list[Any]:
    found: list[Any] = starters_of(Process(above=list(above)))
    return found


def test_dvc_is_watched_whether_a_shell_stands_between_or_not() -> None:
    assert started_by(DVC, TERMINAL) == [DVC]
    assert started_by(PASSING, DVC, TERMINAL) == [PASSING, DVC]


def test_a_command_that_was_typed_ends_with_its_terminal_unless_under_nohup() -> None:
    assert started_by(TERMINAL, DVC) == [TERMINAL]
    with nohup():
        assert started_by(TERMINAL, DVC) == []
        assert started_by(PASSING, DVC, TERMINAL) == [PASSING, DVC]


def test_a_process_without_anybody_above_watches_nobody() -> None:
    assert started_by() == []


def test_a_process_that_may_not_be_looked_at_is_watched_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Process) -> str:
        raise psutil.AccessDenied

    closed = Process(("dvc",))
    monkeypatch.setattr(Process, "name", refuse)
    assert started_by(closed, TERMINAL) == [closed]
