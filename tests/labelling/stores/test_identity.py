"""Which project it is: checkouts of one history share a budget, others do not."""

import subprocess
from pathlib import Path

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.stores.identity import project_identity, refuse_unsure


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_clones_of_one_history_are_one_project(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    git(ours, "init")
    for name in ("first", "second"):
        git(ours, "commit", "--allow-empty", "-m", name)
    git(tmp_path, "clone", str(ours), str(theirs))
    git(theirs, "commit", "--allow-empty", "-m", "third")
    assert project_identity(ours) == project_identity(theirs)
    assert project_identity(ours) == git(ours, "rev-list", "--max-parents=0", "HEAD")
    git(tmp_path / "other", "init")
    git(tmp_path / "other", "commit", "--allow-empty", "-m", "another beginning")
    assert project_identity(tmp_path / "other") != project_identity(ours)


def test_without_a_commit_the_folder_tells(tmp_path: Path) -> None:
    bare, fresh = tmp_path / "bare", tmp_path / "fresh"
    bare.mkdir()
    git(fresh, "init")
    assert project_identity(bare) == project_identity(bare / ".." / "bare")
    assert len({project_identity(one) for one in (bare, fresh, tmp_path)}) == 3


def test_a_shallow_clone_buys_nothing_until_its_history_is_whole(tmp_path: Path) -> None:
    ours, shallow = tmp_path / "ours", tmp_path / "shallow"
    git(ours, "init")
    for name in ("first", "second"):
        git(ours, "commit", "--allow-empty", "-m", name)
    git(tmp_path, "clone", "--depth", "1", ours.as_uri(), str(shallow))
    assert project_identity(shallow) != project_identity(ours)
    with pytest.raises(LabelError, match="git fetch --unshallow"):
        refuse_unsure(shallow)
    git(shallow, "fetch", "--unshallow")
    refuse_unsure(shallow)
    assert project_identity(shallow) == project_identity(ours)


def test_before_the_first_commit_nothing_is_bought(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "below").mkdir()
    for folder in (tmp_path, tmp_path / "below"):
        with pytest.raises(LabelError, match="git commit -m Start"):
            refuse_unsure(folder)
    git(tmp_path, "commit", "--allow-empty", "-m", "Start")
    refuse_unsure(tmp_path)


def test_without_git_the_folder_is_the_project(tmp_path: Path) -> None:
    refuse_unsure(tmp_path)
