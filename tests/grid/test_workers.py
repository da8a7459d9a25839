"""Units in real processes: what is finished stays, whatever is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline.grid import workers
from pipeline.grid.workers import Ended, Task
from tests.grid import fake_units


def nothing_is(_: str) -> bool:
    """Return whether a unit is finished."""
    return False


def finished(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.done")}


def began(folder: Path, key: str) -> int:
    path = folder / f"{key}.began"
    return len(path.read_text(encoding="utf-8")) if path.exists() else 0


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def started(folder: Path, project: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.grid.fake_units", str(folder)]
    return subprocess.Popen(words, cwd=project, env=os.environ | {"PYTHONPATH": str(project)})


def test_after_a_kill_in_the_middle_only_what_was_running_runs_again(
    tmp_path: Path, project: Path
) -> None:
    first = started(tmp_path, project)
    wait_for(lambda: len(finished(tmp_path)) >= 4)
    first.send_signal(signal.SIGKILL)
    first.wait()
    time.sleep(1.5 * workers.TICK)  # the workers notice
    before = finished(tmp_path)
    begun = {key: began(tmp_path, key) for key in before}
    assert 4 <= len(before) < fake_units.COUNT

    second = started(tmp_path, project)
    assert second.wait(60) == 0
    assert len(finished(tmp_path)) == fake_units.COUNT
    assert {key: began(tmp_path, key) for key in before} == begun
    twice = sum(began(tmp_path, str(n)) == 2 for n in range(fake_units.COUNT))
    assert twice <= 2  # those of the two workers


def test_needs_come_first_and_a_unit_that_fails_takes_only_what_needs_it(tmp_path: Path) -> None:
    tasks = [
        Task("-1", (), -1),
        Task("1", ("-1",), 1),
        Task("2", ("1",), 2),
        Task("3", (), 3),
        Task("4", ("3",), 4),
    ]
    make = partial(fake_units.make, tmp_path)
    ended = [one for one in workers.run(tasks, make, nothing_is, 2) if one]
    assert {one.task.key: one.reason for one in ended} == {
        "-1": "a unit that cannot be made",
        "3": None,
        "4": None,
    }
    assert finished(tmp_path) == {"3", "4"}


def die(number: int) -> None:
    """End the process as a bug in a library would."""
    if number == 0:
        os._exit(3)


def test_a_process_that_dies_fails_its_unit_and_another_takes_its_place() -> None:
    tasks = [Task("a", (), 0), Task("b", (), 1), Task("c", ("b",), 2)]
    ended = [one for one in workers.run(tasks, die, nothing_is, 1) if one]
    reasons = {one.task.key: one.reason for one in ended}
    assert reasons.keys() == {"a", "b", "c"}
    assert "status 3" in str(reasons["a"])
    assert reasons["b"] is reasons["c"] is None


def test_what_is_finished_is_not_made(tmp_path: Path) -> None:
    done = {str(n) for n in range(fake_units.COUNT)} - {"5"}
    make = partial(fake_units.make, tmp_path)
    ended = list(filter(None, workers.run(fake_units.tasks(), make, done.__contains__, 2)))
    assert [one.task.key for one in ended] == ["5"]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["5.began", "5.done"]


def test_equal_keys_are_made_once(tmp_path: Path) -> None:
    make = partial(fake_units.make, tmp_path)
    twice = [Task("1", (), 1), Task("1", (), 1)]
    ended = [one for one in workers.run(twice, make, nothing_is, 2) if one]
    assert ended == [Ended(twice[0], None)]


@pytest.mark.parametrize("count", [1, 3])
def test_workers_have_one_thread_and_the_starter_keeps_its_own(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    tasks = [Task(str(n), (), n) for n in range(count)]
    list(workers.run(tasks, partial(write_threads, tmp_path), nothing_is, count))
    assert {path.read_text() for path in tmp_path.iterdir()} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def write_threads(folder: Path, number: int) -> None:
    """Write down how many threads a library would take."""
    (folder / str(number)).write_text(os.environ["OMP_NUM_THREADS"])
