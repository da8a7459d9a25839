"""What this machine remembers of batches: checked lines beside the journal, written before money.

A plan goes through these states; each is on disk, flushed, before the next step is taken:

- `planned`: these requests are to become a batch; nothing was sent.
- `uploaded`: their file is at the service; from here on the batch may exist.
- `created`: it exists, and its id is known.
- `answered`: it has ended, and answered these requests, for which nobody asked then.
- `incomplete`: it has ended, and rows that it counts as answered could not be had.
- `ended`: everything that it answered is in the journal.
- `dropped`: it was never created, or the service does not know it any more.

The later state in this list holds, in whatever order the files are read. The requests of a plan
stand in a file of their own until it has ended, so that every answer can be kept, also of requests
that a later run no longer asks.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.labelling.key import KEY_VERSION
from pipeline.labelling.request import Request
from pipeline.labelling.stores.lines import LineFile, checked_lines

SUFFIX = "batches.jsonl"
ASKED = "asked.jsonl"
STATES = ("planned", "uploaded", "created", "answered", "incomplete", "ended", "dropped")
FLYING = frozenset({"uploaded", "created", "answered"})
REMEMBERED = ("dataset", "kind", "subject_id", "prompt_version", "endpoint", "repeat")
"""What stands in the file of requests beside the body and the labels."""
NOTED = ("name", "state", "file_id", "batch_id", "key_version")
MARK = "distilrec"
"""Metadata under this name says that a batch is ours."""


@dataclass(frozen=True)
class Plan:
    """One batch, from the plan to its end."""

    name: str
    """Random, in the batch's metadata: by it a batch is found whose id was lost."""
    keys: frozenset[str]
    host: str = ""
    """Of the service; for messages."""
    project: str = ""
    """Whose ledger has its requests."""
    state: str = "planned"
    file_id: str = ""
    batch_id: str = ""
    key_version: int = KEY_VERSION
    """By which the custom ids in the batch were made; `keys` are of today's version."""
    asked_as: Mapping[str, str] = field(default_factory=dict)
    """Custom id -> key, where they differ."""

    @classmethod
    def of(cls, keys: Collection[str], host: str, project: str) -> "Plan":
        """Return a new plan."""
        return cls(secrets.token_hex(16), frozenset(keys), host, project)

    @property
    def metadata(self) -> dict[str, str]:
        """Return what the batch carries, so that it is found again."""
        return {MARK: "labels", "plan": self.name, "keys": digest(self.keys)}

    @property
    def open(self) -> bool:
        """Return whether the batch exists and may have answers that are not here."""
        return self.state in {"created", "answered", "incomplete"}

    @property
    def tried(self) -> bool:
        """Return whether an earlier run has fetched it, and missed rows."""
        return self.state == "incomplete"


def digest(keys: Iterable[str]) -> str:
    """Return the SHA-256 of a set of keys."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


class Record:
    """Writes what becomes of plans."""

    def __init__(self, lines: LineFile) -> None:
        self._lines = lines

    def note(self, plan: Plan, state: str, file_id: str = "", batch_id: str = "") -> Plan:
        """Return the plan in its new state, which is on disk by then."""
        file_id, batch_id = file_id or plan.file_id, batch_id or plan.batch_id
        plan = replace(plan, state=state, file_id=file_id, batch_id=batch_id)
        entry: dict[str, Any] = {name: getattr(plan, name) for name in NOTED}
        if state == "planned" or not plan.file_id:  # a batch that was found has no other line
            entry |= {"host": plan.host, "project": plan.project, "keys": sorted(plan.keys)}
        self._lines.append(entry)
        self._lines.sync()
        return plan


def plans(folder: Path) -> list[Plan]:
    """Return the plans that the files in a folder tell of."""
    found: dict[str, Plan] = {}
    for path in sorted(folder.glob(f"*.{SUFFIX}")):
        for entry in checked_lines(path):
            found[entry["name"]] = _later(found.get(entry["name"]), entry)
    return [_today(folder, plan) for plan in found.values()]


def keep_requests(folder: Path, plan: Plan, requests: Iterable[Request]) -> None:
    """Write what a plan asks."""
    with LineFile(folder, f"{plan.name}.{ASKED}") as lines:
        for one in requests:
            entry = {name: getattr(one, name) for name in REMEMBERED}
            entry |= {"body": dict(one.body), "offered": dict(one.offered)}
            lines.append({"custom_id": one.key, "request": entry})


def requests_of(folder: Path, plan: Plan) -> dict[str, Request]:
    """Return what a plan asks by key, as far as this machine knows."""
    return {one.key: one for _, one in _asked(folder, plan) if one.key in plan.keys}


def _asked(folder: Path, plan: Plan) -> Iterator[tuple[str, Request]]:
    """Yield custom ids and what they ask."""
    for path in folder.glob(f"*.{plan.name}.{ASKED}"):
        for line in checked_lines(path):
            yield line["custom_id"], Request(**line["request"])


def forget_requests(folder: Path, plan: Plan) -> None:
    """Delete the file of what a plan asked: all of it has an end."""
    for path in folder.glob(f"*.{plan.name}.{ASKED}"):
        path.unlink(missing_ok=True)


def under_way(folder: Path) -> frozenset[str]:
    """Return the keys of requests in batches that exist, or may exist, and are not fetched yet.

    Their money is spent or as good as spent, so no gate asks for it again.
    """
    found = (plan.keys for plan in plans(folder) if plan.state in FLYING)
    return frozenset().union(*found)


def _later(plan: Plan | None, entry: Mapping[str, Any]) -> Plan:
    """Return a plan with what a line adds."""
    made = plan or Plan(entry["name"], frozenset())
    state = max(made.state, entry["state"], key=STATES.index)
    return replace(
        made,
        state=state,
        keys=frozenset(entry.get("keys") or made.keys),
        host=entry.get("host") or made.host,
        project=entry.get("project") or made.project,
        key_version=entry["key_version"],
        file_id=entry["file_id"] or made.file_id,
        batch_id=entry["batch_id"] or made.batch_id,
    )


def _today(folder: Path, plan: Plan) -> Plan:
    """Return a plan with keys of today's version, if batch and requests are still there."""
    if plan.key_version == KEY_VERSION or plan.state not in FLYING:
        return plan
    asked_as = {custom_id: request.key for custom_id, request in _asked(folder, plan)}
    keys = frozenset(asked_as.get(key, key) for key in plan.keys)
    return replace(plan, keys=keys, asked_as=asked_as)
