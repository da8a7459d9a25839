"""Which project it is: checkouts of one history share a budget, others do not."""

import subprocess
from pathlib import Path

from pipeline.labelling.stores.identity import project_identity


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
