"""The quality cards of a dataset, read from its tables and stores: nothing is asked or trained."""

import asyncio
from typing import Any

import polars as pl

from pipeline import seeds
from pipeline.errors import DataError
from pipeline.labelling import store
from pipeline.labelling.card import Card, card
from pipeline.labelling.cases import asked, cell_cases, context_of, labels_place
from pipeline.labelling.judged import Answers, answers_of, label_ranks
from pipeline.labelling.providers import labeller, provider_of
from pipeline.labelling.providers.base import Context, Provider
from pipeline.labelling.request import Case, Request
from pipeline.params import Params
from pipeline.paths import Cell, Paths, cells
from pipeline.tables import DIFFICULTY, HINTS


def card_of(ranks: pl.DataFrame, params: Params, dataset: str) -> Card:
    """Return the card of a table `label_ranks`, with who made the labels."""
    seed = seeds.derive(params.label.seed, "card", dataset)
    made = labeller(params.label)
    return {"labeller": made, **card(ranks, params.evaluate.bootstrap_draws, seed)}


def cell_answers(
    paths: Paths, cell: Cell, context: Context, provider: Provider, rows: pl.DataFrame
) -> Answers:
    """Return what stored rows answer about a cell's selected sessions."""
    cases = cell_cases(paths, cell, context, HINTS.read(paths.hinted(cell.dataset)))
    requests = asked(cases, provider).requests
    return answers_of(cases, requests, rows, context, free=provider.free)


def folds_of(paths: Paths, cell: Cell) -> dict[int, int]:
    """Return the fold whose teacher proposed each session's candidates; -1: it has seen it."""
    folder = paths.difficulty(cell)
    return dict(DIFFICULTY.read(folder).select("session_id", "fold").iter_rows())


def cards(params: Params, paths: Paths, dataset: str) -> list[Card]:
    """Return the card of each of the run's cells, and of all together if there are several.

    What is in the store now counts, also after a pilot. In the card of all a session that several
    cells selected counts once, as the first of them had it answered.
    """
    context = context_of(params, paths, dataset)
    provider, rows = provider_of(context), labels_place(paths, dataset).store.read()
    tables = {}
    for cell in cells(params.run, dataset):
        answers = cell_answers(paths, cell, context, provider, rows)
        tables[cell.folder] = label_ranks(answers, context, folds_of(paths, cell))
    if len(tables) > 1:
        every = pl.concat(tables.values()).sort(pl.col("outcome") == "missing", maintain_order=True)
        tables[f"{dataset}, all cells"] = every.unique("session_id", maintain_order=True)
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
    rows = asyncio.run(_answered(provider, requests))
    answers = answers_of(cases, requests, store.frame(rows), context, free=True)
    ranks = label_ranks(answers, context, {})
    return {"of": f"{dataset}, all recorded", **card_of(ranks, params, dataset)}


async def _answered(provider: Provider, requests: dict[int, Request]) -> list[dict[str, Any]]:
    """Return rows as the store has them, of answers that cost nothing."""
    return [store.row(one, await provider.answer(one)) for one in requests.values()]
