"""Requests with their answers, as the tests of stores have them."""

from datetime import UTC, datetime

import polars as pl

from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import table
from pipeline.labelling.stores.table import frame

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAID = Answer('{"ranking": ["C1"]}', prompt_tokens=700, completion_tokens=60, cost_usd=0.001,
              latency_ms=800, created_at=NOW)  # fmt: skip
FREE = Answer('{"ranking": ["C1"]}')


def request(subject: str) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": f"rank {subject}"}]}
    return Request("tiny", "ranking", subject, "v1", "stub", body, {"C1": "a"})


def rows(*subjects: str, answer: Answer = PAID) -> pl.DataFrame:
    return frame([table.row(request(subject), answer) for subject in subjects])
