"""Which project this is: what its checkouts on one machine share, so that they share one budget."""

import hashlib
import subprocess
from pathlib import Path


def project_identity(root: Path) -> str:
    """Return the first commit of the folder's history, or a digest of the folder's place.

    Every clone and every temporary workspace of an experiment has the same first commit.
    """
    return _first_commit(root) or hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:40]


def _first_commit(root: Path) -> str | None:
    words = ["git", "-C", str(root), "rev-list", "--max-parents=0", "HEAD"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:  # there is no Git
        return None
    commits = done.stdout.split() if done.returncode == 0 else []
    return min(commits, default=None)  # histories that were joined have several
