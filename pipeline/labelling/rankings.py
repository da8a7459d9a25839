"""From stored rows to rankings of items: which row serves a session, and what it says. Free."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipeline.labelling import plan
from pipeline.labelling.names import Reading
from pipeline.labelling.parse import read_ranking
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Request, words_of
from pipeline.tables import LABELLED


@dataclass(frozen=True)
class Ranked:
    """What is known of one session."""

    row: Mapping[str, Any] | None
    """The stored row that serves it; none if nothing does."""
    reading: Reading
    offered: Mapping[str, str]
    """Label -> raw item id, as that row's request offered them."""

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Raw ids of the items that were ranked, best first."""
        return tuple(self.offered[label] for label in self.reading.ranking)


def read_row(row: Mapping[str, Any], request: Request | None = None) -> Ranked:
    """Return what a stored ranking says.

    Two items may have one title, so that equal requests offer other items under equal labels: an
    answer to this very request is read with its own.
    """
    same = request is not None and request.key == row["key"]
    offered = request.offered if request and same else json.loads(row["offered"])
    return Ranked(row, read_ranking(row["response"], offered, words_of(row["request"])), offered)


def is_usable(row: Mapping[str, Any], min_ranking: int) -> bool:
    """Return whether a stored ranking names enough candidates."""
    return len(read_row(row).reading.ranking) >= min_ranking


def ranked(
    requests: Mapping[int, Request], rows: pl.DataFrame, reuse: str, repeats: int, min_ranking: int
) -> dict[int, Ranked]:
    """Return each session's first usable stored ranking, or its last one if none will do.

    Args:
        requests: by session.
        rows: the store's rows.
        reuse: ``session`` or ``request``.
        repeats: further tries that may be there.
        min_ranking: names a usable ranking has at least.
    """
    found: dict[int, Ranked] = {}
    for repeat in range(repeats + 1):
        left = {
            session: request
            for session, request in requests.items()
            if session not in found or not _will_do(found[session], min_ranking)
        }
        found |= of_repeat(left, rows, reuse, repeat)
    return found


def of_repeat(
    requests: Mapping[int, Request], rows: pl.DataFrame, reuse: str, repeat: int
) -> dict[int, Ranked]:
    """Return what one try of each session says; a session that was not tried so often is left out.

    Args:
        requests: by session.
        rows: the store's rows.
        reuse: ``session`` or ``request``.
        repeat: 0 for the first asking.
    """
    tries = {session: replace(request, repeat=repeat) for session, request in requests.items()}
    served = plan.match(list(tries.values()), rows, reuse)
    chosen = rows.filter(pl.col("key").is_in(list(set(served.values()))))
    by_key = {row["key"]: row for row in chosen.iter_rows(named=True)}
    return {
        session: read_row(by_key[served[request.key]], request)
        for session, request in tries.items()
        if request.key in served
    }


def outcome_of(ranked: Ranked | None, usable: int, min_ranking: int) -> str:
    """Return what became of a session: usable, too_short, refused, truncated or missing.

    Args:
        ranked: what is known of it.
        usable: ranked items that are in the catalogue.
        min_ranking: a usable label has at least as many.
    """
    if ranked is None or ranked.row is None:
        return "missing"
    if usable >= min_ranking:
        return "usable"
    outcome = str(ranked.row["outcome"])
    return "too_short" if outcome == "answered" else outcome


def targets_of(sessions: Sequence[int], context: Context) -> dict[int, int]:
    """Return the held-back last item of sessions."""
    return dict(
        context.sessions.filter(pl.col("session_id").is_in(list(sessions)))
        .select("session_id", pl.col("items").list.last())
        .iter_rows()
    )


def labelled(
    sessions: Sequence[int], found: Mapping[int, Ranked], context: Context, recorded: bool
) -> pl.DataFrame:
    """Return the table `labelled` of the selected sessions.

    Args:
        sessions: selected sessions.
        found: what is known of them; a session without an entry is `missing`.
        context: catalogue, sessions (for the held-back target) and `label.min_ranking`.
        recorded: the answers are recorded rankings rather than an LLM's own words.
    """
    indices = {item_id: index for index, item_id in context.ids.items()}
    targets = targets_of(sessions, context)
    rows = [
        _row(session, found.get(session), indices, targets[session], context.label.min_ranking)
        for session in sessions
    ]
    table = pl.DataFrame(rows, schema=LABELLED.columns, orient="row")
    read = pl.when(pl.col("reading") == "strict").then(pl.lit("recorded"))
    return table.with_columns(reading=read.otherwise("reading")) if recorded else table


def _row(
    session: int, ranked: Ranked | None, indices: Mapping[str, int], target: int, min_ranking: int
) -> tuple[object, ...]:
    """Return a row of the table; items that have left the catalogue count as foreign."""
    if ranked is None or ranked.row is None:
        return session, [], "missing", "none", 0, 0, None
    reading = ranked.reading
    named = [indices.get(item_id) for item_id in ranked.item_ids]
    items = [item for item in named if item is not None]
    outcome = outcome_of(ranked, len(items), min_ranking)
    foreign = reading.foreign + len(named) - len(items)
    counts = (reading.reading, foreign, reading.repeated)
    if outcome == "usable":
        return session, items, outcome, *counts, target in items
    return session, [], outcome, *counts, None


def _will_do(ranked: Ranked, min_ranking: int) -> bool:
    return len(ranked.reading.ranking) >= min_ranking
