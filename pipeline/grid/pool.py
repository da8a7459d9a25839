"""The labels that a grid may learn from: those that cost nothing more. A grid never spends.

A labeller that is free (recorded rankings, the offline stand-in) is asked about every training
session; of one that is not, the answers already in the project's store serve. What is usable is the
pool that every selection chooses from.
"""

import polars as pl

from pipeline.errors import DataError
from pipeline.labelling import rankings
from pipeline.labelling.cases import asked, cell_hints, context_of, labels_place
from pipeline.labelling.plan import reuse_of
from pipeline.labelling.providers import provider_of
from pipeline.labelling.providers.base import Context
from pipeline.labelling.quality.cards import free_rows
from pipeline.labelling.quality.judged import rows_about
from pipeline.labelling.request import Case
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.tables import DIFFICULTY, HINTS


def usable_labels(params: Params, paths: Paths, project: Paths, cell: Cell) -> pl.DataFrame:
    """Return the rows of LABELLED of a cell's training sessions that have a usable ranking.

    Args:
        params: of the grid.
        paths: where the grid works.
        project: where a store of paid answers would be; it is read, never written.
        cell: the teacher whose candidates are ranked.

    Raises:
        DataError: there is none.
    """
    context = context_of(params, paths, cell.dataset)
    provider = provider_of(context)
    cases = _cases(paths, project, cell, context, wants_hints=provider.wants_hints)
    requests = asked(cases, provider).requests
    if provider.free:
        rows = free_rows(provider, requests.values())
    else:
        store = labels_place(project, cell.dataset).store
        rows = rows_about(requests, store, reuse_of(provider, params.label))
    found = rankings.ranked(
        requests,
        rows,
        reuse_of(provider, params.label),
        0 if provider.free else params.label.max_repeats,
        params.label.min_ranking,
    )
    recorded = params.label.provider == "replay"
    table = rankings.labelled(list(requests), found, context, recorded=recorded)
    usable = table.filter(outcome="usable")
    if usable.is_empty():
        raise DataError(
            f"dataset '{cell.dataset}': label.provider {params.label.provider} has no usable "
            "ranking that costs nothing, and a grid never spends; buy labels with `dvc repro`, or "
            "choose replay or similarity in params.yaml"
        )
    return usable


def _cases(
    paths: Paths, project: Paths, cell: Cell, context: Context, *, wants_hints: bool
) -> list[Case]:
    """Return every training session with its candidates, and the hints that a paid prompt had."""
    hinted = HINTS.path(project.hinted(cell.dataset)).exists()
    table = HINTS.read(project.hinted(cell.dataset)) if hinted and wants_hints else HINTS.empty()
    hints = cell_hints(table, cell)
    rows = DIFFICULTY.read(paths.difficulty(cell)).select("session_id", "candidates")
    rows = rows.join(context.sessions, on="session_id").sort("session_id")
    return [
        Case(session, part, tuple(items[:-1]), tuple(candidates), hints)
        for session, part, items, candidates in rows.select(
            "session_id", "part", "items", "candidates"
        ).iter_rows()
    ]
