"""The names of a store's parts, kept in Git: `dvc.lock` holds only how many there are.

A name that is recorded but not here is a part that somebody paid for and that was not fetched.
"""

from pathlib import Path

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling.store import Store


def absent(names: Path, store: Store) -> list[str]:
    """Return the recorded paid parts that are not in the store's folder."""
    here = {path.name for path in store.parts()}
    return [name for name in _recorded(names) if name not in here]


def refuse_absent(names: Path, store: Store, title: str) -> None:
    """Do nothing if every recorded paid part is here.

    Raises:
        LabelError: one is not; buying would pay a second time for what it holds.
    """
    gone = absent(names, store)
    if gone:
        raise LabelError(
            f"{title}: {len(gone)} of the paid parts that {names.name} names are not here "
            f"(first: {gone[0]}); fetch them with `dvc pull {title}`, or, if they are lost for "
            f"good, remove them from {names}"
        )


def write_names(names: Path, store: Store) -> None:
    """Record the parts that are here, and keep the names of paid ones that are not."""
    free = {path.name for path in store.free_parts()}
    here = {path.name for path in store.parts()}
    paid = sorted((here - free) | set(_recorded(names)))
    files.write_json(names, {"free": sorted(free), "paid": paid})


def _recorded(names: Path) -> list[str]:
    if not names.exists():
        return []
    try:
        return [str(name) for name in files.read_json(names)["paid"]]
    except (ValueError, KeyError, TypeError):
        raise LabelError(
            f"{names}: not readable, so it cannot be told which paid parts there are; restore it "
            f"with `git checkout {names}` or mend the merge in it"
        ) from None
