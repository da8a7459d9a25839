"""Copies the paid parts that another Git revision has and this checkout lacks.

Two people bought different labels; Git merges what it can, and what remains are `dvc.lock` and
`reports/*/*_parts.json`, which differ by nature. Nobody needs to edit either. The shortest safe
way, in the checkout of whoever merges (their parts must be in the cache or in the remote):

    git fetch
    git merge --no-commit origin/main
    git checkout HEAD -- dvc.lock reports    # ours, whole: never a mixture of both
    distilrec labels merge origin/main       # their parts, and the names of all
    dvc repro                                # buys nothing, records the union, follows up
    git add params.yaml dvc.lock reports
    git commit

No `dvc checkout` between the merge and `dvc repro`: it would take one side's parts away again.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from pipeline.errors import LabelError
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import hints_place, labels_place
from pipeline.labelling.stores import lock, parts
from pipeline.paths import Paths

PLACES = {"hint_parts.json": hints_place, "label_parts.json": labels_place}


class Revision(Protocol):
    """The files of a Git revision, those that DVC keeps included."""

    def glob(self, path: str) -> list[str]:
        """Return the paths that fit a pattern."""

    def read_bytes(self, path: str) -> bytes:
        """Return a file's bytes, from Git, the cache or a remote."""


def merge_rows(paths: Paths, revision: str) -> list[dict[str, Any]]:
    """Copy what a revision has and we lack, and return a row for each of its stores.

    Args:
        paths: the project here.
        revision: a branch, tag or commit.

    Raises:
        LabelError: the revision is unknown, or has no stores.
    """
    theirs = _at(paths.root, revision)
    found = sorted(
        path for path in theirs.glob("reports/*/*_parts.json") if PurePosixPath(path).name in PLACES
    )
    if not found:
        raise LabelError(f"{revision}: no label stores there (no reports/<dataset>/*_parts.json)")
    return [_merged(paths, theirs, PurePosixPath(path), revision) for path in found]


def refuse_missing(rows: Iterable[dict[str, Any]], revision: str) -> None:
    """Do nothing if all parts came.

    Raises:
        LabelError: some did not; they are recorded, so that nobody buys what they hold again.
    """
    gone = {row["store"]: row["not_found"] for row in rows if row["not_found"]}
    if not gone:
        return
    listed = ", ".join(f"{count} of {store}" for store, count in gone.items())
    raise LabelError(
        f"{revision}: paid parts that are neither in the cache nor in the remote: {listed}; let "
        f"whoever bought them run `dvc push`, then run `distilrec labels merge {revision}` again"
    )


def _merged(paths: Paths, theirs: Revision, file: PurePosixPath, revision: str) -> dict[str, Any]:
    place = PLACES[file.name](paths, file.parent.name)
    names = _names(theirs, file, revision)
    with lock.held(place.lock, place.title):
        _mend(place, paths.root, file)
        place.store.set_aside(place.aside)
        here = {path.name for path in place.store.parts()}
        wanted = sorted(set(names) - here)
        copied = [name for name in wanted if _copied(theirs, place, name)]
        parts.write_names(place.names, place.store, also=names)
    return {
        "store": place.title,
        "paid_parts_there": len(names),
        "were_here": len(names) - len(wanted),
        "copied": len(copied),
        "not_found": len(wanted) - len(copied),
    }


def _copied(theirs: Revision, place: Place, name: str) -> bool:
    """Copy a part and return whether it came; bytes that are not what the name says do not."""
    path = f"{place.title}/{name}"
    try:
        content = theirs.read_bytes(path)
    except FileNotFoundError:
        return False
    except Exception as error:
        if isinstance(error.__cause__, FileNotFoundError):  # the folder's listing is not there
            return False
        # What a remote raises depends on its library; whatever it is, the run ends with it.
        raise LabelError(f"{path}: cannot be fetched ({_cause(error)}); try `dvc pull`") from error
    return place.store.add(name, content)


def _names(revision: Revision, file: PurePosixPath, called: str) -> list[str]:
    try:
        return parts.paid_names(revision.read_bytes(str(file)))
    except ValueError as error:
        raise LabelError(f"{called}: {file} is not readable ({error}); name another one") from None


def _mend(place: Place, root: Path, file: PurePosixPath) -> None:
    """Put a file that a Git merge left with both sides' lines back to what we had.

    If the broken file was even committed, what was before the merge counts, both sides of it.
    """
    if parts.is_readable(place.names):
        return
    for revisions in (("HEAD",), ("HEAD^1", "HEAD^2")):
        contents = [text for text in (_content(root, one, file) for one in revisions) if text]
        if contents:
            place.names.write_bytes(contents[0])
            for other in contents[1:]:
                parts.write_names(place.names, place.store, also=parts.paid_names(other))
            return
    raise LabelError(f"{place.names}: not readable, and no earlier commit has a readable one")


def _content(root: Path, revision: str, file: PurePosixPath) -> bytes | None:
    """Return a readable file of names at a revision, if there is one."""
    try:
        content = _at(root, revision).read_bytes(str(file))
        parts.paid_names(content)
    except (LabelError, OSError, ValueError):
        return None
    return content


def _at(root: Path, revision: str) -> Revision:
    """Return the files of a revision.

    Raises:
        LabelError: there is no such revision, or this is no project of Git and DVC.
    """
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - half a second that other commands save
    from dvc.config import Config  # noqa: PLC0415
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from scmrepo.exceptions import SCMError  # noqa: PLC0415

    try:
        # Today's remotes: the revision may be older than the one that holds its parts now.
        found = DVCFileSystem(str(root), rev=revision, config=Config(str(root / ".dvc")))
        found.repo  # noqa: B018 - opened at the first use
    except (DvcException, SCMError) as error:
        raise LabelError(
            f"labels merge: {_cause(error)}; give a branch, tag or commit (`git branch --all`)"
        ) from None
    files: Revision = found
    return files


def _cause(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())
