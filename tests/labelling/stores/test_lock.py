"""One buyer at a time: two processes, two checkouts, and folders that cannot be locked."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.stores import lock
from tests.labelling.conftest import StartStub, Stub

COUNT = 20
HOLD = (
    "import sys; from pathlib import Path; from pipeline.labelling.stores import lock\n"
    "with lock.held(Path(sys.argv[1]), 'x'):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


@contextmanager
def holder(path: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the lock, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.communicate(timeout=30)


def test_the_refusal_names_the_process_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "locks/one.lock"
    with holder(path, tmp_path) as process:
        said = rf"labels/x: another labeller is at work \(process {process.pid}\) in {tmp_path};"
        with pytest.raises(LabelError, match=said), lock.held(path, "labels/x"):
            pass
    with lock.held(path, "labels/x"):
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with holder(path, tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        with lock.held(path, "x"):
            pass


def test_a_lock_without_a_word_in_it_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with holder(path, tmp_path):
        path.write_bytes(b"")
        said = r"another labeller is at work \(process unknown\)"
        with pytest.raises(LabelError, match=said), lock.held(path, "x"):
            pass


def test_a_place_that_cannot_be_locked_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LabelError, match="DISTILREC_JOURNAL"), lock.held(tmp_path / "file/x", "x"):
        pass

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(LabelError, match="gives no locks"), lock.held(tmp_path / "lock", "x"):
        pass


def start(folder: Path, stub: Stub, project: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.labelling.buy_many", str(folder), stub.url, str(COUNT)]
    return subprocess.Popen(words, cwd=project, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stores", [("one", "one"), ("one", "two")], ids=" and ".join)
def test_of_two_that_start_together_one_works_and_the_other_says_so(
    stores: tuple[str, str], tmp_path: Path, start_stub: StartStub, project: Path
) -> None:
    """Also in two checkouts: they share journal and budget, and would buy the same."""
    stub = start_stub(delay=0.6)
    both = [start(tmp_path / store, stub, project) for store in stores]
    said = [one.communicate(timeout=60)[1] for one in both]
    ended = [one.returncode == 0 for one in both]
    assert sorted(ended) == [False, True], said
    loser = said[ended.index(False)]
    assert "another labeller is at work (process" in loser
    assert len(stub.paid()) == len(set(stub.paid())) == COUNT
