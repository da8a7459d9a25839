"""The lines of a batch's files: a request as one, and what one says about a request. Pure.

A line that comes back is ``{"custom_id": ..., "response": {"status_code": ..., "body": {...}},
"error": {...}}``, where either half may be null.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.labelling.batches.service import ENDPOINT
from pipeline.labelling.online.replies import (
    ACCOUNT_FAULTS,
    REQUEST_FAULTS,
    answer_of,
    as_meant,
    error_of,
)
from pipeline.labelling.online.retry import Failed, TryAgain, is_retried, may_be_billed
from pipeline.labelling.online.transport import Reply
from pipeline.labelling.prompt import clean
from pipeline.labelling.request import Answer, Request, json_text

EXPIRED, CANCELLED = "batch_expired", "batch_cancelled"
"""Codes of requests that were never worked on; whoever cancelled a batch wants no other now."""
MAY_PASS = frozenset({"server_error", "internal_error", "rate_limit_exceeded", "timeout"})


@dataclass(frozen=True)
class Row:
    """What a line says about a request."""

    key: str
    end: Answer | Failed
    """A `TryAgain` where asking once more may help."""


def line_of(request: Request) -> bytes:
    """Return the line that asks a request; its custom id is the request's key."""
    asked = {"custom_id": request.key, "method": "POST", "url": ENDPOINT, "body": request.body}
    return json_text(asked).encode() + b"\n"


def read_row(line: str) -> Row | None:
    """Return what a line says; nothing if it is no JSON or does not say about what."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key = said.get("custom_id") if isinstance(said, Mapping) else None
    if not isinstance(key, str):
        return None
    try:
        return Row(key, _answered(said))
    except Failed as fault:
        return Row(key, fault)


def custom_id(line: str) -> str:
    """Return the custom id of a line, empty if it has none."""
    row = read_row(line)
    return row.key if row else ""


def _answered(said: Mapping[str, Any]) -> Answer:
    """Return the answer in a line.

    Raises:
        Failed: there is none.
    """
    response, error = said.get("response"), said.get("error")
    if isinstance(response, Mapping) and isinstance(response.get("status_code"), int):
        reply = as_meant(Reply(response["status_code"], {}, json.dumps(response.get("body"))))
        if 200 <= reply.status < 300:
            return answer_of(reply, None)
        raise _refused(reply)
    code = str(error.get("code") or "") if isinstance(error, Mapping) else ""
    why = clean(code.replace("_", " "), 60) or "no answer in its row"
    if code == EXPIRED:
        raise TryAgain(why)
    if code in MAY_PASS:
        raise TryAgain(why, may_be_billed=True)
    raise Failed(why, may_be_billed=code != CANCELLED, said=clean(json.dumps(error), 1_000))


def _refused(reply: Reply) -> Failed:
    code, message = error_of(reply.text)
    if is_retried(reply.status) and code not in ACCOUNT_FAULTS:
        why = "rate limit" if reply.status == 429 else f"http {reply.status}"
        return TryAgain(why, may_be_billed=may_be_billed(reply.status))
    if reply.status == 400 and code in REQUEST_FAULTS:
        return Failed(code.replace("_", " "), may_be_billed=True, said=message)
    return Failed(f"http {reply.status}", said=f"{code}: {message}" if code else message)
