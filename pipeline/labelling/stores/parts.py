"""The names of a store's parts and what they cost, kept in Git: `dvc.lock` holds only a count.

A name that is recorded but not here is a part that somebody paid for and that was not fetched.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling.stores.store import PART, Store, reaching, summary


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
            f"(first: {gone[0]}); fetch them with `dvc pull {title}`; if nobody has shared them, "
            f"`distilrec labels recover {names.parent.name}` brings back those that were bought on "
            f"this machine; if they are lost for good, remove them from {names}"
        )


def write_names(
    names: Path, store: Store, also: Collection[str] = (), instead_of: str | None = None
) -> None:
    """Record the parts and what was bought; what is recorded of paid parts not here is kept.

    Args:
        names: the file.
        store: the store.
        also: paid parts that another checkout has recorded.
        instead_of: a paid part that is not here and whose answers others hold now.
    """
    free = {path.name for path in store.free_parts()}
    here = {path.name for path in store.parts()}
    before = _recorded(names)
    recorded = {*before["paid"], *also} - ({instead_of} - here)
    bought: Mapping[str, Any] = asdict(summary(store.folder).bought)
    if not here.issuperset(recorded):
        bought = before.get("bought", bought)
    paid = sorted((here - free) | recorded)
    kept = {name: before[name] for name in ("labeller",) if name in before}
    with reaching(names, "written"):
        files.write_json(names, {"free": sorted(free), "paid": paid, "bought": bought, **kept})


def write_labeller(names: Path, labeller: Mapping[str, Any]) -> None:
    """Record who made the labels beside the names of the parts."""
    with reaching(names, "written"):
        files.write_json(names, {**_recorded(names), "labeller": labeller})


def paid_names(content: bytes) -> list[str]:
    """Return the names of paid parts in the content of such a file.

    Raises:
        ValueError: it is no such file, or a name in it is none of a part.
    """
    try:
        names = [str(name) for name in json.loads(content)["paid"]]
    except (KeyError, TypeError):
        raise ValueError("it names no paid parts") from None
    for name in names:
        if not PART.fullmatch(name):
            raise ValueError(f"{name!r} is no part's name")
    return names


def is_readable(names: Path) -> bool:
    """Return whether the file is absent or whole."""
    try:
        return not names.exists() or paid_names(names.read_bytes()) is not None
    except ValueError:
        return False


def _recorded(names: Path) -> Mapping[str, Any]:
    if not names.exists():
        return {"paid": []}
    content = names.read_bytes()
    try:
        paid = paid_names(content)
        return {**json.loads(content), "paid": paid}
    except ValueError:
        raise LabelError(
            f"{names}: not readable, so it cannot be told which paid parts there are; after a "
            "`git merge` run `distilrec labels merge <the branch you merged>`, else "
            f"`git checkout {names}`"
        ) from None
