"""The table `label_ranks`: where each answer, and other orders, put the held-back item.

Nobody who is compared has seen that item: the labeller was not shown it, popularity and the
offline stand-in count the session out, and the teacher's order stands here only if that teacher
was trained without the session (`difficulty.folds`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import polars as pl

from pipeline.evaluation.agreement import rank_biased_overlap
from pipeline.labelling import plan, rankings
from pipeline.labelling.providers import similarity
from pipeline.labelling.providers.base import Context
from pipeline.labelling.rankings import Ranked
from pipeline.labelling.request import Case, Request
from pipeline.labelling.stores.store import Store
from pipeline.params.labelling import LabelParams
from pipeline.tables import LABEL_RANKS

Row = dict[str, Any]
OF_THE_READING = ("outcome", "reading", "foreign", "repeated")
"""Columns that `labelled` has, too."""
COUNTED = ("prompt_tokens", "completion_tokens", "cost_usd")
TAKEN = ("answers", *COUNTED)


@dataclass(frozen=True)
class Answers:
    """What was answered about a cell's sessions."""

    cases: Sequence[Case]
    found: Mapping[int, Ranked]
    """By session: the answer that serves."""
    tries: Sequence[Mapping[int, Ranked]]
    """By repeat, then by session: every answer."""

    def tries_of(self, session: int) -> list[Ranked]:
        """Return every answer about a session."""
        return [one[session] for one in self.tries if session in one]


def answers_of(
    cases: Sequence[Case],
    requests: Mapping[int, Request],
    rows: pl.DataFrame,
    label: LabelParams,
    reuse: str,
) -> Answers:
    """Return what stored rows answer to requests.

    Args:
        cases: the sessions.
        requests: by session; one that cannot be asked has none.
        rows: of the store; `rows_about` finds those that matter.
        label: from when an answer is usable, and how often it may be asked again.
        reuse: ``session`` or ``request``.
    """
    found = rankings.ranked(requests, rows, reuse, label.max_repeats, label.min_ranking)
    tries = [rankings.of_repeat(requests, rows, reuse, repeat) for repeat in _repeats(rows)]
    return Answers(cases, found, tries)


def rows_about(requests: Mapping[int, Request], store: Store, reuse: str) -> pl.DataFrame:
    """Return a store's rows that serve requests, further tries included; others are not read."""
    index = store.read(plan.INDEX)
    tries = [
        replace(request, repeat=repeat)
        for repeat in _repeats(index)
        for request in requests.values()
    ]
    return store.read(keys=set(plan.match(tries, index, reuse).values()))


def label_ranks(answers: Answers, context: Context, folds: Mapping[int, int]) -> pl.DataFrame:
    """Return the table `label_ranks`.

    Args:
        answers: what was answered; of recorded rankings it is not known what was offered.
        context: catalogue and sessions.
        folds: by session, the fold whose teacher proposed the candidates; -1: it has seen it.
    """
    judge = _Judge(context)
    table = rankings.labelled(
        [case.session_id for case in answers.cases],
        answers.found,
        context,
        recorded=context.label.provider == "replay",
    )
    rows = [
        judge.row(case, answers.found.get(case.session_id), folds.get(case.session_id))
        | {"agreement": _agreement(answers.tries_of(case.session_id))}
        for case in answers.cases
    ]
    known = table.select("session_id", *OF_THE_READING)
    other = {*OF_THE_READING, *TAKEN}
    schema = {name: of for name, of in LABEL_RANKS.columns.items() if name not in other}
    judged = pl.DataFrame(rows, schema=schema).join(known, on="session_id")
    return with_taken(judged, [answers]).sort("session_id")


def with_taken(judged: pl.DataFrame, every: Iterable[Answers]) -> pl.DataFrame:
    """Return the table with what was taken to answer its sessions, each stored answer once.

    Sessions that show the same have one answer; it counts at the first that it serves.

    Args:
        judged: the other columns of `label_ranks`.
        every: what was answered, cell by cell.
    """
    counted: set[str] = set()
    rows: dict[int, list[Mapping[str, Any]]] = {}
    for answers in every:
        for case in answers.cases:
            mine = rows.setdefault(case.session_id, [])
            for row in (one.row for one in answers.tries_of(case.session_id)):
                if row and row["key"] not in counted:
                    counted.add(row["key"])
                    mine.append(row)
    schema = {name: LABEL_RANKS.columns[name] for name in ("session_id", *TAKEN)}
    taken = [{"session_id": session, **_taken(mine)} for session, mine in rows.items()]
    both = judged.drop(TAKEN, strict=False).join(
        pl.DataFrame(taken, schema=schema), on="session_id", how="left", maintain_order="left"
    )
    return both.select(list(LABEL_RANKS.columns))


class _Judge:
    """Knows what every order needs to know of a dataset."""

    def __init__(self, context: Context) -> None:
        self._context = context
        events = context.catalog.select("item_id", "training_events").iter_rows()
        self._events: dict[str, int] = dict(events)
        self._sessions: dict[int, list[int]] = dict(
            context.sessions.select("session_id", "items").iter_rows()
        )
        self._offer_known = context.label.provider != "replay"
        stand_in = context.label.provider == "similarity"  # it is not compared with itself
        self._similarity = None if stand_in else similarity.make(context)

    def row(self, case: Case, ranked: Ranked | None, fold: int | None) -> Row:
        """Return the columns that come from one session's answer."""
        ids = self._context.ids
        target = ids[self._sessions[case.session_id][-1]]
        answered = ranked if ranked and ranked.row else None
        offered = list(answered.offered.values()) if answered and self._offer_known else None
        named = answered.item_ids if answered else ()
        given = dict(zip(named, answered.reading.places, strict=True)) if answered else {}
        return {
            "session_id": case.session_id,
            "named": len(named) if answered else None,
            "target_rank": given.get(target, 0) if answered else None,
            "offered": None if offered is None else len(offered),
            "target_offered": None if offered is None else target in offered,
            "shown": None if offered is None else [offered.index(item) + 1 for item in named],
            "fold": fold,
            "key": answered.row["key"] if answered and answered.row else None,
        } | self._other_orders(case, target, offered, fold)

    def _other_orders(
        self, case: Case, target: str, offered: list[str] | None, fold: int | None
    ) -> Row:
        """Return the held-back item's place in orders of the candidates that were offered."""
        names = ("popularity_rank", "similarity_rank", "teacher_rank")
        if offered is None:
            return dict.fromkeys(names)
        known = [item_id for item_id in offered if item_id in self._events]
        titles = self._similarity.order(case, known) if self._similarity else None
        orders = (self._popular(case, known), titles, self._teacher(case, offered, fold))
        ranks = [None if order is None else _place(order, target) for order in orders]
        return dict(zip(names, ranks, strict=True))

    def _popular(self, case: Case, item_ids: list[str]) -> list[str]:
        """Return items by their training events in other sessions, ties by id."""
        own = [self._context.ids[item] for item in self._sessions[case.session_id]]
        return sorted(item_ids, key=lambda one: (own.count(one) - self._events[one], one))

    def _teacher(self, case: Case, offered: list[str], fold: int | None) -> list[str] | None:
        """Return the teacher's order if it has not seen the session and proposed these items."""
        order = [self._context.ids[item] for item in case.candidates]
        honest = fold is not None and fold >= 0 and set(order) == set(offered)
        return order if honest else None


def _repeats(rows: pl.DataFrame) -> list[int]:
    return sorted({0, *rows["repeat"].unique()})


def _agreement(tries: Sequence[Ranked]) -> float | None:
    """Return how far a session's answers agree."""
    lists = [one.item_ids for one in tries if one.item_ids]
    overlaps = [rank_biased_overlap(one, other) for one, other in combinations(lists, 2)]
    return sum(overlaps) / len(overlaps) if overlaps else None


def _taken(rows: Sequence[Mapping[str, Any]]) -> Row:
    """Return what stored answers took together."""
    sums = {
        name: None if any(row[name] is None for row in rows) else sum(row[name] for row in rows)
        for name in COUNTED
    }
    return {"answers": len(rows), **sums}


def _place(order: Sequence[str], item_id: str) -> int:
    """Return the place of an item, from 1; 0 if it is not there."""
    return order.index(item_id) + 1 if item_id in order else 0
