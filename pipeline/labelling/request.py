"""A request and its answer: the typed values that cross the seams of this package."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from pipeline.labelling.key import canonical, request_key
from pipeline.labelling.online.announced import Announced

Kind = Literal["ranking", "hints"]
Outcome = Literal["answered", "refused", "truncated"]


@dataclass(frozen=True)
class Case:
    """A session to be ranked: what was seen, what is offered, and the hints of its cell."""

    session_id: int
    part: str
    items: tuple[int, ...]
    """Item indices, oldest first, without the held-back target."""
    candidates: tuple[int, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """One question: the JSON body that is sent, and what we remember about it and do not send."""

    dataset: str
    kind: Kind
    subject_id: str
    """What it is about, told by content (see `subject_of`), so that renumbering changes nothing."""
    prompt_version: str
    endpoint: str
    body: Mapping[str, Any]
    offered: Mapping[str, str] = field(default_factory=dict)
    """Label in the prompt -> raw item id, in the order shown."""
    repeat: int = 0
    case: Case | None = None
    """The session, for providers that work here; never sent."""

    @cached_property
    def key(self) -> str:
        """The request's identity, see `pipeline.labelling.key`."""
        return request_key(self.endpoint, self.body, self.repeat)

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return str(self.body["model"])


@dataclass(frozen=True)
class Answer:
    """What came back, raw, with what it took. Always a final outcome; failures are raised."""

    response: str
    outcome: Outcome = "answered"
    finish_reason: str = "stop"
    prompt_tokens: int | None = 0
    """Null where the service did not say; its cost then counts as the most it can be."""
    completion_tokens: int | None = 0
    cached_tokens: int | None = 0
    cost_usd: float = 0.0
    latency_ms: int | None = None
    attempts: int = 1
    created_at: datetime | None = None
    """Null for labels made here for nothing, so that equal labels are equal bytes."""
    announced: Announced | None = None
    """What the reply said about the service's limits; not stored."""


def subject_of(shown: object) -> str:
    """Return a short name for what a request is about, from its content alone."""
    return hashlib.sha256(canonical(shown)).hexdigest()[:16]


def json_text(value: object) -> str:
    """Return JSON on one line, keys in their own order: the spelling that is sent and stored."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def words_of(body: str) -> str:
    """Return what a stored body's messages say, so that an answer that quotes it can be told."""
    messages = json.loads(body).get("messages") or ()
    return "\n".join(str(message["content"]) for message in messages)
