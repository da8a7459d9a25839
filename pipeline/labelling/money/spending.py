"""What this project's labels have cost until now: stores, and what this machine knows beyond them.

Counted once each:

- the paid rows of the project's stores, hints and rankings of every dataset, whoever paid; of a
  store whose parts are not all here what the file of their names says;
- answers that this machine bought for the project and that are in none of those stores, as after a
  crash;
- attempts that may have been billed although no answer came, at the most they can have cost.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import LabelError
from pipeline.labelling.stores import ledger, table
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lines import checked_lines
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.summary import summary
from pipeline.paths import Paths

Kept = tuple[str, str]
"""A store: dataset and kind."""


@dataclass(frozen=True)
class Spent:
    """What labels have cost, in US dollars."""

    stored_usd: float = 0.0
    """Of the answers in the project's stores, whoever paid."""
    unstored_usd: float = 0.0
    """Of answers that this machine bought for it and no store has."""
    unknown_usd: float = 0.0
    """At most: of attempts that may have been billed."""
    unknown_of: Mapping[Kept, float] = field(default_factory=dict, compare=False)
    """The same for each store."""

    @property
    def total_usd(self) -> float:
        """What counts against `label_transport.budget_usd`."""
        return self.stored_usd + self.unstored_usd + self.unknown_usd


@dataclass
class _Attempts:
    """What the ledgers say of one project's attempts."""

    under_way: dict[str, list[tuple[Kept, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By key: the most that each attempt without an end can cost."""
    answered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By key: what each answer has cost, in order."""
    stored: set[str] = field(default_factory=set)
    """Keys of answers in parts that are in a store or recorded."""
    unknown: dict[Kept, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def most(self) -> dict[Kept, float]:
        """What attempts without an answer can have cost."""
        found: dict[Kept, float] = defaultdict(float, self.unknown)
        for kept, most in (one for attempts in self.under_way.values() for one in attempts):
            found[kept] += most
        return found

    def take(self, entry: dict[str, Any]) -> None:
        """Count one state of a request."""
        key, state, most = entry["key"], entry["state"], entry["at_most_usd"]
        kept = entry["dataset"], entry["kind"]
        if state == "sent" or (state in ledger.UNDER_WAY and not self.under_way[key]):
            self.under_way[key].append((kept, most))
        elif state not in ledger.UNDER_WAY:
            if self.under_way[key]:
                self.under_way[key].pop()
            if state in table.FINAL:
                self.answered[key].append(most)
            elif state.startswith("unknown"):
                self.unknown[kept] += most


def spent(paths: Paths, journal: Journal) -> Spent:
    """Return what the labels of a project have cost until now.

    Raises:
        LabelError: a file that names a store's parts cannot be read.
    """
    stores = [_Recorded.of(names, folder) for names, folder in paths.recorded_stores()]
    counted = {part for one in stores for part in one.counted}
    attempts = _attempts(journal, project_identity(paths.root), counted)
    _end_by_journal(attempts, journal)
    most = attempts.most
    return Spent(
        stored_usd=sum(one.cost_usd for one in stores),
        unstored_usd=_unstored(attempts, stores),
        unknown_usd=sum(most.values()),
        unknown_of=most,
    )


@dataclass(frozen=True)
class _Recorded:
    """A store as its file of names and its folder tell it."""

    folder: Path
    counted: frozenset[str]
    """The parts whose answers are in the cost."""
    cost_usd: float

    @classmethod
    def of(cls, names: Path, folder: Path) -> "_Recorded":
        try:
            content = json.loads(names.read_bytes()) if names.exists() else {}
            recorded = {*content.get("paid", ()), *content.get("free", ())}
            cost = float(content.get("bought", {}).get("cost_usd", 0.0))
        except (ValueError, TypeError, AttributeError):
            raise LabelError(
                f"{names}: not readable, so it cannot be told what was spent; after a `git merge` "
                "run `distilrec labels merge <the branch you merged>`, else `git checkout "
                f"{names}`"
            ) from None
        here = {path.name for path in Store(folder).parts()}
        if here > recorded:  # a run was killed before it wrote the names
            return cls(folder, frozenset(here), summary(folder).bought.cost_usd)
        return cls(folder, frozenset(recorded), cost)

    @property
    def is_here(self) -> bool:
        """Whether what is in the folder is what the cost is of."""
        return self.counted == {path.name for path in Store(self.folder).parts()}


def _attempts(journal: Journal, project: str, counted: Collection[str]) -> _Attempts:
    found = _Attempts()
    for line in ledger.lines(journal.folder):
        if line.get("project") != project:
            continue
        if "part" in line:
            found.stored.update(line["keys"] if line["part"] in counted else ())
        else:
            found.take(line)
    return found


def _end_by_journal(attempts: _Attempts, journal: Journal) -> None:
    """End the attempts that a crash cut off between the journal's line and the ledger's."""
    cut = {key for key, most in attempts.under_way.items() if most}
    costs: dict[str, list[float]] = defaultdict(list)
    for row in _journal_rows(journal) if cut else ():
        if row["key"] in cut:
            costs[row["key"]].append(row["cost_usd"])
    for key, known in costs.items():
        for cost in known[len(attempts.answered[key]) :]:
            if attempts.under_way[key]:
                attempts.under_way[key].pop()
                attempts.answered[key].append(cost)


def _unstored(attempts: _Attempts, stores: Sequence[_Recorded]) -> float:
    """Return what the answers have cost that no store has; of several to one request one is there.

    The ledger says where answers went; only those it does not know of are looked for.
    """
    left = {key for key in attempts.answered if key not in attempts.stored}
    stored = attempts.stored
    for one in stores if left else ():
        if one.is_here:
            stored |= left.intersection(Store(one.folder).read(["key"])["key"])
    return sum(
        sum(costs[:-1] if key in stored else costs) for key, costs in attempts.answered.items()
    )


def _journal_rows(journal: Journal) -> Iterator[dict[str, Any]]:
    for path in journal.files():
        yield from checked_lines(path)
