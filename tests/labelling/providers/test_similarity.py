"""The offline labeller: sees titles and co-occurrence of other sessions, never its own target."""

import asyncio
import json

import polars as pl
import pytest

from pipeline.labelling.parse import read_ranking
from pipeline.labelling.providers import PROVIDERS, similarity
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case
from pipeline.tables import SESSIONS
from tests.labelling.conftest import ITEM_SESSIONS, PARTS


def with_sessions(context: Context, items: tuple[tuple[int, ...], ...]) -> Context:
    rows = [(n, PARTS[n], list(one), None, None) for n, one in enumerate(items)]
    frame = pl.DataFrame(rows, schema=SESSIONS.columns, orient="row")
    return Context(
        context.dataset,
        context.label.model_copy(update={"ranking_length": 5}),
        context.transport,
        context.catalog,
        frame,
        context.recorded,
    )


def rank(context: Context, case: Case) -> list[str]:
    provider = similarity.make(context)
    request = provider.request(case)
    answer: Answer = asyncio.run(provider.answer(request))
    reading = read_ranking(answer.response, request.offered)
    assert reading.reading == "strict"
    return [request.offered[label] for label in reading.ranking]


def test_items_that_go_together_in_other_sessions_come_first(context: Context) -> None:
    case = Case(0, "training", (1, 2, 3), (4, 5, 6, 7, 8))
    ranking = rank(with_sessions(context, ITEM_SESSIONS), case)
    assert ranking[0] == "d"  # seen with Farm Days in session 1, and alike in title


def test_a_title_alone_is_enough_for_an_item_nobody_has_seen(context: Context) -> None:
    alone = (ITEM_SESSIONS[0], (2, 3), (2, 3), (2, 3), (2, 3))
    ranking = rank(with_sessions(context, alone), Case(9, "test", (5,), (6, 7, 8)))
    assert ranking[0] == "f"  # Castle Duel: Gold Edition


@pytest.mark.parametrize("target", [4, 5, 6, 7, 8])
def test_a_session_s_own_target_changes_nothing(context: Context, target: int) -> None:
    """Leave-one-out: whatever the held-back item is, the ranking is the same."""
    case = Case(0, "training", (1, 2, 3), (4, 5, 6, 7, 8))
    plain = rank(with_sessions(context, ITEM_SESSIONS), case)
    changed = ((1, 2, 3, target), *ITEM_SESSIONS[1:])
    assert rank(with_sessions(context, changed), case) == plain


def test_sessions_of_validation_and_test_are_not_counted(context: Context) -> None:
    case = Case(0, "training", (1, 2, 3), (4, 5, 6, 7, 8))
    changed = (*ITEM_SESSIONS[:5], (3, 8, 3, 8), (3, 8, 1, 8))
    assert rank(with_sessions(context, changed), case) == rank(
        with_sessions(context, ITEM_SESSIONS), case
    )


def test_recent_items_count_more(context: Context) -> None:
    none = tuple((n, n + 1) for n in range(1, 6))
    far = with_sessions(context, none)
    assert rank(far, Case(9, "test", (1, 5), (2, 6)))[0] == "f"
    assert rank(far, Case(9, "test", (5, 1), (2, 6)))[0] == "b"


def test_the_answer_costs_nothing_and_has_no_time(context: Context) -> None:
    provider = similarity.make(context)
    answer = asyncio.run(provider.answer(provider.request(Case(0, "training", (1,), (4, 5)))))
    assert (answer.cost_usd, answer.created_at, answer.latency_ms) == (0.0, None, None)
    assert json.loads(answer.response).keys() == {"ranking"}


def test_it_says_that_it_is_no_llm() -> None:
    assert "no LLM" in PROVIDERS["similarity"]
    assert "no LLM" in (similarity.__doc__ or "")
