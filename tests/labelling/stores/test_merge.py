"""Parts of another Git revision, fetched with the real `git` and the real `dvc`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.cases import hints_place, labels_place
from pipeline.labelling.stores import parts
from pipeline.labelling.stores.merge import merge_rows, refuse_missing
from pipeline.paths import Paths
from tests.labelling.stores.answered import rows

STAGES = """
stages:
  label:
    cmd: "true"
    outs:
      - data/labels/tiny:
          persist: true
      - data/hints/tiny:
          persist: true
"""
pytestmark = pytest.mark.dvc
Run = Callable[..., str]


def run_in(root: Path) -> Run:
    git = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **git, "DVC_NO_ANALYTICS": "1", "HOME": str(root.parent)}

    def run(*words: str, check: bool = True) -> str:
        if words[0] == "dvc":
            words = (sys.executable, "-m", *words)
        done = subprocess.run(
            words, cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def buy(root: Path, *subjects: str) -> str:
    """Put answers into the store of rankings as a run would, and record its parts."""
    place = labels_place(Paths(root), "tiny")
    part = place.store.write(rows(*subjects))
    assert part is not None
    parts.write_names(place.names, place.store)
    return part.name


def recorded(root: Path) -> list[str]:
    return parts.paid_names(labels_place(Paths(root), "tiny").names.read_bytes())


@pytest.fixture(scope="module")
def two_branches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository in which `main` and `other` have bought different labels since."""
    root = tmp_path_factory.mktemp("merge") / "project"
    root.mkdir()
    run = run_in(root)
    run("git", "init", "--quiet", "--initial-branch", "main")
    run("dvc", "init", "--quiet")
    (root / "dvc.yaml").write_text(STAGES)
    (root / ".gitignore").write_text("/.cache/\n")
    hints = hints_place(Paths(root), "tiny")
    hints.store.write(rows("hint"))
    parts.write_names(hints.names, hints.store)

    def share(message: str) -> None:
        run("dvc", "commit", "--force", "--quiet")
        run("git", "add", "--all")
        run("git", "commit", "--quiet", "--message", message)

    buy(root, "both")
    share("what both have")
    run("git", "branch", "empty", "--quiet")
    run("git", "checkout", "--quiet", "-b", "other")
    buy(root, "theirs", "other")
    share("theirs")
    run("git", "checkout", "--quiet", "main")
    run("dvc", "checkout", "--quiet")
    buy(root, "ours")
    share("ours")
    return root


@pytest.fixture
def project(two_branches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the repository, which the process is in."""
    root = tmp_path / "project"
    shutil.copytree(two_branches, root)
    monkeypatch.chdir(root)
    return root


def subjects(root: Path) -> set[str]:
    return set(labels_place(Paths(root), "tiny").store.read()["subject_id"])


def test_what_another_branch_bought_is_copied_and_named(project: Path) -> None:
    made = merge_rows(Paths(), "other")
    assert made == [
        {"store": "data/hints/tiny", "paid_parts_there": 1, "were_here": 1, "copied": 0,
         "not_found": 0},
        {"store": "data/labels/tiny", "paid_parts_there": 2, "were_here": 1, "copied": 1,
         "not_found": 0},
    ]  # fmt: skip
    refuse_missing(made, "other")
    assert subjects(project) == {"both", "ours", "theirs", "other"}
    assert recorded(project) == sorted(path.name for path in Path("data/labels/tiny").iterdir())
    assert len(recorded(project)) == 3
    bought = json.loads(Path("reports/tiny/label_parts.json").read_text())["bought"]
    assert bought["count"] == 4


def test_a_second_merge_copies_nothing_and_changes_nothing(project: Path) -> None:
    merge_rows(Paths(), "other")
    before = Path("reports/tiny/label_parts.json").read_bytes()
    assert [row["copied"] for row in merge_rows(Paths(), "other")] == [0, 0]
    assert Path("reports/tiny/label_parts.json").read_bytes() == before


def test_the_steps_after_a_conflict_end_with_the_union(project: Path) -> None:
    run = run_in(project)
    run("git", "merge", "--no-commit", "other", check=False)
    conflicts = run("git", "diff", "--name-only", "--diff-filter=U").split()
    assert conflicts == ["dvc.lock", "reports/tiny/label_parts.json"]
    run("git", "checkout", "HEAD", "--", "dvc.lock", "reports")
    merge_rows(Paths(), "other")
    run("dvc", "repro")
    run("git", "add", "dvc.lock", "reports")
    run("git", "commit", "--quiet", "--message", "merged")
    assert run("dvc", "status", "--json").strip() == "{}"
    assert run("git", "status", "--porcelain").strip() == ""
    assert subjects(project) == {"both", "ours", "theirs", "other"}
    assert len(recorded(project)) == 3


@pytest.mark.parametrize("commit", [False, True], ids=["before", "after a commit"])
def test_a_file_of_names_that_a_git_merge_broke_is_mended(project: Path, commit: bool) -> None:
    run = run_in(project)
    run("git", "merge", "other", check=False)
    assert b"<<<<<<<" in Path("reports/tiny/label_parts.json").read_bytes()
    with pytest.raises(LabelError, match="labels merge <the branch you merged>"):
        parts.absent(Path("reports/tiny/label_parts.json"), labels_place(Paths(), "tiny").store)
    if commit:
        run("git", "commit", "--quiet", "--all", "--message", "markers and all")
    merge_rows(Paths(), "other")
    assert subjects(project) == {"both", "ours", "theirs", "other"}
    assert len(recorded(project)) == 3


def test_parts_that_nobody_pushed_are_recorded_and_told(project: Path) -> None:
    shutil.rmtree(".dvc/cache")
    made = merge_rows(Paths(), "other")
    assert [row["not_found"] for row in made] == [0, 1]
    assert len(recorded(project)) == 3
    with pytest.raises(LabelError, match="1 of data/labels/tiny; let whoever bought them run"):
        refuse_missing(made, "other")
    place = labels_place(Paths(), "tiny")
    with pytest.raises(LabelError, match="1 paid part is not here"):
        parts.refuse_absent(place.names, place.store, place.title)


def test_a_part_damaged_in_the_cache_is_not_taken(project: Path) -> None:
    for path in Path(".dvc/cache/files").rglob("*"):
        if path.is_file() and not path.name.endswith(".dir"):
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert [row["not_found"] for row in merge_rows(Paths(), "other")] == [0, 1]
    assert subjects(project) == {"both", "ours"}


def test_a_part_damaged_here_is_fetched_whole(project: Path) -> None:
    merge_rows(Paths(), "other")
    store = labels_place(Paths(), "tiny").store
    damaged = min(set(recorded(project)) - {buy(project, "ours")})
    path = store.folder / damaged
    path.unlink()  # DVC may have linked it to its cache
    path.write_bytes(b"damaged")
    assert [row["copied"] for row in merge_rows(Paths(), "other")] == [0, 1]
    assert store.damaged() == []
    assert subjects(project) == {"both", "ours", "theirs", "other"}


@pytest.mark.parametrize("content", ["{}", '{"paid": ["../../evil.parquet"]}', '{"paid": 3}', "x"])
def test_names_of_another_revision_cannot_lead_out_of_the_store(
    project: Path, content: str
) -> None:
    run = run_in(project)
    run("git", "checkout", "--quiet", "-b", "hostile")
    Path("reports/tiny/label_parts.json").write_text(content)
    run("git", "commit", "--quiet", "--all", "--message", "hostile")
    run("git", "checkout", "--quiet", "main")
    with pytest.raises(LabelError, match=r"hostile: reports.* is not readable"):
        merge_rows(Paths(), "hostile")


def test_a_revision_that_is_not_there_or_has_no_stores_is_one_line(project: Path) -> None:
    with pytest.raises(LabelError, match="unknown Git revision 'nowhere'"):
        merge_rows(Paths(), "nowhere")
    run = run_in(project)
    run("git", "checkout", "--quiet", "--orphan", "bare")
    run("git", "rm", "-r", "--quiet", "--cached", "reports")
    run("git", "commit", "--quiet", "--message", "no stores")
    with pytest.raises(LabelError, match="bare: no label stores there"):
        merge_rows(Paths(), "bare")


def test_outside_a_repository_it_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabelError, match="not a git repository"):
        merge_rows(Paths(), "main")
    run_in(tmp_path)("git", "init", "--quiet")
    with pytest.raises(LabelError, match="Empty git repo"):
        merge_rows(Paths(), "main")


def test_a_remote_named_since_serves_what_the_cache_lacks(project: Path, tmp_path: Path) -> None:
    run = run_in(project)
    run("dvc", "remote", "add", "--default", "shared", str(tmp_path / "remote"))
    run("git", "checkout", "--quiet", "other")
    run("dvc", "push", "--quiet")
    run("git", "checkout", "--quiet", "main")
    shutil.rmtree(".dvc/cache")
    made: list[dict[str, Any]] = merge_rows(Paths(), "other")
    assert [row["copied"] for row in made] == [0, 1]
