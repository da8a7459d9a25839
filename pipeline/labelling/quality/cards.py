"""The quality cards of a dataset, read from its tables and stores: nothing is asked or trained."""

import asyncio
from collections.abc import Iterable
from typing import Any

import polars as pl

from pipeline import seeds
from pipeline.errors import DataError
from pipeline.labelling.cases import asked, cell_cases, context_of, labels_place
from pipeline.labelling.plan import reuse_of
from pipeline.labelling.providers import labeller, provider_of
from pipeline.labelling.providers.base import Context, Provider
from pipeline.labelling.quality.card import Card, card
from pipeline.labelling.quality.judged import (
    Answers,
    answers_of,
    label_ranks,
    rows_about,
    with_taken,
)
from pipeline.labelling.request import Case, Request
from pipeline.labelling.stores import table
from pipeline.params import Params
from pipeline.paths import Cell, Paths, cells
from pipeline.tables import DIFFICULTY, HINTS, SELECTED


def card_of(ranks: pl.DataFrame, params: Params, dataset: str) -> Card:
    """Return the card of a table `label_ranks`, with who made the labels."""
    seed = seeds.derive(params.label.seed, "card", dataset)
    made = labeller(params.label)
    return {"labeller": made, **card(ranks, params.evaluate.bootstrap_draws, seed)}


def cell_answers(
    params: Params, paths: Paths, cell: Cell, context: Context, provider: Provider
) -> Answers:
    """Return what the store answers about a cell's selected sessions."""
    cases = cell_cases(paths, cell, context, HINTS.read(paths.hinted(cell.dataset)))
    requests, reuse = asked(cases, provider).requests, reuse_of(provider, params.label)
    rows = rows_about(requests, labels_place(paths, cell.dataset).store, reuse)
    return answers_of(cases, requests, rows, params.label, reuse)


def folds_of(paths: Paths, cell: Cell) -> dict[int, int]:
    """Return the fold whose teacher proposed each selected session's candidates.

    -1: it has seen the session, or `difficulty` was made anew since the selection, so that who
    proposed them is not known.
    """
    now = DIFFICULTY.read(paths.difficulty(cell)).select("session_id", "fold", now="candidates")
    then = SELECTED.read(paths.selected(cell)).select("session_id", "candidates")
    same = pl.col("now") == pl.col("candidates")
    fold = pl.when(same).then("fold").otherwise(-1)
    both = then.join(now, on="session_id", how="left")
    return dict(both.select("session_id", fold).iter_rows())


def cards(params: Params, paths: Paths, dataset: str) -> list[Card]:
    """Return the card of each of the run's cells, and of all together if there are several.

    What is in the store now counts, also after a pilot. In the card of all a session that several
    cells selected counts once, as the first of them had it answered; its cost is that of all.
    """
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    run = cells(params.run, dataset)
    answers = {cell: cell_answers(params, paths, cell, context, provider) for cell in run}
    tables = {
        cell.folder: label_ranks(answers[cell], context, folds_of(paths, cell)) for cell in run
    }
    if len(tables) > 1:
        every = pl.concat(tables.values()).sort(pl.col("outcome") == "missing", maintain_order=True)
        once = every.unique("session_id", keep="first", maintain_order=True)
        tables[f"{dataset}, all cells"] = with_taken(once, answers.values())
    return [{"of": name, **card_of(one, params, dataset)} for name, one in tables.items()]


def recorded_card(params: Params, paths: Paths, dataset: str) -> Card:
    """Return the card of every ranking recorded with a dataset: needs the stage `sessions` alone.

    Raises:
        DataError: none was recorded.
    """
    params = params.model_copy(
        update={"label": params.label.model_copy(update={"provider": "replay"})}
    )
    context = context_of(params, paths, dataset)
    if context.recorded.is_empty():
        raise DataError(
            f"data/sessions/{dataset} has no recorded rankings; without --recorded the labels that "
            "are in the store are judged"
        )
    sessions = context.recorded.join(context.sessions, on="session_id").filter(part="training")
    cases = [
        Case(session, "training", tuple(items[:-1]), ())
        for session, items in sessions.select("session_id", "items").iter_rows()
    ]
    provider = provider_of(context)
    requests = asked(cases, provider).requests
    rows = free_rows(provider, requests.values())
    answers = answers_of(cases, requests, rows, params.label, "request")
    ranks = label_ranks(answers, context, {})
    return {"of": f"{dataset}, all recorded", **card_of(ranks, params, dataset)}


def free_rows(provider: Provider, requests: Iterable[Request]) -> pl.DataFrame:
    """Return rows as a store has them, of answers that cost nothing; they are kept nowhere."""

    async def answered() -> list[dict[str, Any]]:
        return [table.row(one, await provider.answer(one)) for one in requests]

    return table.frame(asyncio.run(answered()))
