"""Which project this is: what its checkouts on one machine share, so that they share one budget."""

import hashlib
import subprocess
from pathlib import Path

from pipeline.errors import LabelError


def project_identity(root: Path) -> str:
    """Return the first commit of the folder's history, or a digest of the folder's place.

    Every clone and every temporary workspace of an experiment has the same first commit.
    """
    return _first_commit(root) or hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:40]


def refuse_unsure(root: Path) -> None:
    """Do nothing if all checkouts of the project are told to be one, now and later.

    Raises:
        LabelError: Git cuts the history off or does not tell it, so that another checkout, or this
            one tomorrow, would not know what was spent here.
    """
    if _git(root, "rev-parse", "--is-shallow-repository") == ["true"]:
        raise LabelError(
            f"{root.resolve()}: a shallow clone has another first commit than its origin, by which "
            "a project's budget is told; run `git fetch --unshallow` before labels are bought"
        )
    has_git = any(
        (folder / ".git").exists() for folder in (root.resolve(), *root.resolve().parents)
    )
    if has_git and not _first_commit(root):
        raise LabelError(
            f"{root.resolve()}: Git tells no first commit, by which a project's budget is told "
            "(`git log` says why); if there is none yet run `git add --all && git commit -m Start` "
            "before labels are bought"
        )


def _first_commit(root: Path) -> str | None:
    commits = _git(root, "rev-list", "--max-parents=0", "HEAD")
    return min(commits, default=None)  # histories that were joined have several


def _git(root: Path, *words: str) -> list[str]:
    """Return the words that Git answers, none where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
        )
    except OSError:  # there is no Git
        return []
    return done.stdout.split() if done.returncode == 0 else []
