"""The names of a store's parts and what they cost, kept in Git: `dvc.lock` holds only a count.

A name that is recorded but not here is a part that somebody paid for and that was not fetched.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling.stores.disk import reaching
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lost import way_back
from pipeline.labelling.stores.store import PART, Store
from pipeline.labelling.stores.summary import Bought, summary


def absent(names: Path, store: Store) -> list[str]:
    """Return the recorded paid parts that are not in the store's folder."""
    here = {path.name for path in store.parts()}
    return [name for name in _recorded(names)["paid"] if name not in here]


def are_not_here(count: int) -> str:
    """Return that so many parts are not here, in words."""
    return "1 paid part is not here" if count == 1 else f"{count:,} paid parts are not here"


def refuse_absent(names: Path, store: Store, title: str) -> None:
    """Do nothing if every recorded paid part is here.

    Raises:
        LabelError: one is not; buying would pay a second time for what it holds.
    """
    gone = absent(names, store)
    if gone:
        raise LabelError(
            f"{title}: {are_not_here(len(gone))} (first: {gone[0]}), named by "
            f"{names.name}; {way_back(gone, title, Journal.here())}; what is lost "
            f"for good, remove from {names}"
        )


def write_names(
    names: Path,
    store: Store,
    also: Collection[str] = (),
    instead_of: str | None = None,
    added: Bought | None = None,
) -> None:
    """Record the parts and what was bought; what is recorded of paid parts not here is kept.

    Args:
        names: the file.
        store: the store.
        also: paid parts that another checkout has recorded.
        instead_of: a paid part that is not here and whose answers others hold now.
        added: what answers have cost that came in just now, for a store that is not all here.
    """
    free = {path.name for path in store.free_parts()}
    here = {path.name for path in store.parts()}
    before = _recorded(names)
    recorded = {*before["paid"], *also} - ({instead_of} - here)
    bought: Mapping[str, Any] = asdict(summary(store.folder).bought)
    if not here.issuperset(recorded):
        bought = _sum(before["bought"], added or Bought()) if "bought" in before else bought
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


def _sum(before: Mapping[str, Any], added: Bought) -> dict[str, Any]:
    return {
        one.name: round(before.get(one.name, one.default) + getattr(added, one.name), 9)
        for one in fields(Bought)
    }


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
