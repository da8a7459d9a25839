"""What batches under way will answer: its money is as good as spent, so nobody buys it again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import LabelError
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.request import Request
from pipeline.labelling.stores import table

ASKED = frozenset({"uploaded", "created"})
"""States of a plan whose batch may exist, and of whose answers none is here."""


def to_buy(requests: Sequence[Request], folder: Path, reuse: str = "request") -> list[Request]:
    """Return the requests that no batch under way will answer.

    Args:
        requests: those missing.
        folder: the journal's, which has the record of batches.
        reuse: under ``session`` an answer about the same subject serves as well.
    """
    flying = batch_record.under_way(folder)
    alike = asked_before(requests, folder) if flying and reuse == "session" else []
    subjects = {_subject(one) for one in alike}
    return [one for one in requests if one.key not in flying and _subject(one) not in subjects]


def asked_before(requests: Sequence[Request], folder: Path) -> list[Request]:
    """Return what batches under way ask about the same subjects in other words.

    Their answers serve as well, so nothing is bought before they are here. A batch whose creation
    was not confirmed is among them: it may exist.
    """
    keys, wanted = {one.key for one in requests}, {_subject(one) for one in requests}
    asked = (plan for plan in batch_record.plans(folder) if plan.state in ASKED)
    found = {
        key: request
        for plan in asked
        for key, request in batch_record.requests_of(folder, plan).items()
        if _subject(request) in wanted and key not in keys
    }
    return list(found.values())


def refuse_twice(missing: Sequence[Request], bought: Sequence[Request], title: str) -> None:
    """Refuse to buy what batches will answer, for a provider that cannot fetch them.

    Args:
        missing: what is wanted.
        bought: those of it that no batch will answer.
        title: the store's folder as the user types it.

    Raises:
        LabelError: there are such.
    """
    if awaited := len(missing) - len(bought):
        raise LabelError(
            f"{title}: {awaited:,} of {len(missing):,} missing requests are in batches under way, "
            "which this label.provider cannot fetch; nothing was sent. Set label.provider: "
            "openai_batch in params.yaml, run the same command, then change it back"
        )


def _subject(request: Request) -> tuple[Any, ...]:
    return tuple(getattr(request, name) for name in table.IDENTITY)
