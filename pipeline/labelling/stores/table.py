"""A store's table: its columns, the row of an answered request, which of several rows serves."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from pipeline.labelling import key
from pipeline.labelling.request import Answer, Request, json_text

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "key": pl.String,
    "dataset": pl.String,
    "kind": pl.String,  # ranking | hints
    "subject_id": pl.String,  # the session or the teacher, told by content
    "prompt_version": pl.String,
    "endpoint": pl.String,
    "model": pl.String,
    "repeat": pl.Int32,  # 0: first asking
    "request": pl.String,  # the JSON body as sent, without headers
    "offered": pl.String,  # JSON: label in the prompt -> raw item id, in the order shown
    "response": pl.String,  # raw text, before any parsing
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int64,
    "completion_tokens": pl.Int64,
    "cached_tokens": pl.Int64,
    "cost_usd": pl.Float64,
    "latency_ms": pl.Int64,
    "attempts": pl.Int32,
    "created_at": pl.Datetime("us", "UTC"),  # null: made here, for nothing
    "outcome": pl.String,  # answered | refused | truncated
    "response_sha256": pl.String,
}
FINAL = ("answered", "refused", "truncated")
IDENTITY = ("dataset", "kind", "subject_id", "prompt_version", "endpoint", "model", "repeat")
"""What two requests share when one's answer may serve the other under ``reuse: session``."""
ORDER = ("key", "response_sha256", *(n for n in COLUMNS if n not in {"key", "response_sha256"}))
"""Of several rows of one key the first in this order serves."""


def row(request: Request, answer: Answer) -> dict[str, Any]:
    """Return the store's row of an answered request."""
    return {
        "key": request.key,
        "dataset": request.dataset,
        "kind": request.kind,
        "subject_id": request.subject_id,
        "prompt_version": request.prompt_version,
        "endpoint": request.endpoint,
        "model": request.model,
        "repeat": request.repeat,
        "request": json_text(request.body),
        "offered": json_text(request.offered),
        "response": answer.response,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "cached_tokens": answer.cached_tokens,
        "cost_usd": answer.cost_usd,
        "latency_ms": answer.latency_ms,
        "attempts": answer.attempts,
        "created_at": answer.created_at,
        "outcome": answer.outcome,
        "response_sha256": hashlib.sha256(answer.response.encode()).hexdigest(),
    }


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame of the store's columns."""
    return pl.DataFrame(rows, schema=COLUMNS)


def union(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one final row a key, the one with the smallest `response_sha256`, in key order.

    The choice depends on the set of rows alone, so stores may be merged in any order.
    """
    final = rows.filter(pl.col("outcome").is_in(FINAL))
    several = pl.col("key").is_duplicated()
    order = [name for name in ORDER if name in rows.columns]
    chosen = final.filter(several).sort(order).unique("key", keep="first")
    return pl.concat([final.filter(~several), chosen]).sort("key")


def again(endpoint: str, request: str, repeat: int) -> str:
    """Return the key that today's version gives what a row says was asked."""
    return key.request_key(endpoint, json.loads(request), repeat)
