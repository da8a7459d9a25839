"""The names of a store's parts and what they cost, kept in Git: `dvc.lock` holds only a count.

A name that is recorded but not here is a part that somebody paid for and that was not fetched.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling.store import Store, summary


def absent(names: Path, store: Store) -> list[str]:
    """Return the recorded paid parts that are not in the store's folder."""
    here = {path.name for path in store.parts()}
    return [name for name in _recorded(names)["paid"] if name not in here]


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
    """Record the parts and what was bought; what is recorded of paid parts not here is kept."""
    free = {path.name for path in store.free_parts()}
    here = {path.name for path in store.parts()}
    before = _recorded(names)
    bought: Mapping[str, Any] = asdict(summary(store.folder).bought)
    if not here.issuperset(before["paid"]):
        bought = before.get("bought", bought)
    paid = sorted((here - free).union(before["paid"]))
    kept = {name: before[name] for name in ("labeller",) if name in before}
    files.write_json(names, {"free": sorted(free), "paid": paid, "bought": bought, **kept})


def write_labeller(names: Path, labeller: Mapping[str, Any]) -> None:
    """Record who made the labels beside the names of the parts."""
    files.write_json(names, {**_recorded(names), "labeller": labeller})


def _recorded(names: Path) -> Mapping[str, Any]:
    if not names.exists():
        return {"paid": []}
    try:
        content = files.read_json(names)
        return {**content, "paid": [str(name) for name in content["paid"]]}
    except (ValueError, KeyError, TypeError):
        raise LabelError(
            f"{names}: not readable, so it cannot be told which paid parts there are; restore it "
            f"with `git checkout {names}` or mend the merge in it"
        ) from None
