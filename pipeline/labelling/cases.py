"""What the run's cells ask: sessions with candidates and hints, teachers with their lists.

Only the cells of `run.*` count: folders of cells that were dropped stay on disk and are not asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline import seeds
from pipeline.errors import DataError, LabelError
from pipeline.labelling.buyer import Place
from pipeline.labelling.prompt import hints_request
from pipeline.labelling.providers.base import Context, Provider
from pipeline.labelling.request import Case, Request
from pipeline.labelling.stores.store import Store
from pipeline.params import Params
from pipeline.params.labelling import HintsParams
from pipeline.paths import Cell, Paths, cells
from pipeline.tables import CATALOG, DIFFICULTY, RECORDED_RANKINGS, SELECTED, SESSIONS


@dataclass(frozen=True)
class Asked:
    """Requests for the sessions that can be asked, and how many cannot."""

    requests: dict[int, Request]
    """By session, in the order of the cell's selection."""
    missing: int
    """Selected sessions that the provider has no way to ask (not recorded)."""


def context_of(params: Params, paths: Paths, dataset: str) -> Context:
    """Return what a provider may know of a dataset, read from its tables."""
    folder = paths.sessions(dataset)
    recorded = RECORDED_RANKINGS
    return Context(
        dataset=dataset,
        label=params.label,
        transport=params.label_transport,
        catalog=CATALOG.read(folder),
        sessions=SESSIONS.read(folder).select("session_id", "part", "items"),
        recorded=recorded.read(folder) if recorded.path(folder).exists() else recorded.empty(),
    )


def labels_place(paths: Paths, dataset: str) -> Place:
    """Return where a dataset's rankings are kept."""
    return _place(paths, paths.labels_store(dataset), paths.label_parts(dataset))


def hints_place(paths: Paths, dataset: str) -> Place:
    """Return where a dataset's hint answers are kept."""
    return _place(paths, paths.hints_store(dataset), paths.hint_parts(dataset))


def cell_cases(paths: Paths, cell: Cell, context: Context, hints: pl.DataFrame) -> list[Case]:
    """Return a cell's selected sessions, without their held-back target, in session order.

    Args:
        paths: where the table `selected` is.
        cell: the cell.
        context: the dataset.
        hints: the table `hints` of the dataset.

    Raises:
        DataError: the selection was made from other sessions.
    """
    selected = SELECTED.read(paths.selected(cell)).select("session_id", "candidates")
    sessions = selected.join(context.sessions, on="session_id", how="left", maintain_order="left")
    _check(sessions, context, SELECTED.path(paths.selected(cell)))
    notes = cell_hints(hints, cell)
    rows = sessions.select("session_id", "part", "items", "candidates").iter_rows()
    return [
        Case(session, part, tuple(items[:-1]), tuple(candidates), notes)
        for session, part, items, candidates in rows
    ]


def cell_hints(table: pl.DataFrame, cell: Cell) -> tuple[str, ...]:
    """Return a cell's hints, none where the labeller needs none."""
    found = table.filter(
        (pl.col("backbone") == cell.backbone)
        & (pl.col("recipe") == cell.recipe)
        & (pl.col("seed") == cell.seed)
    )
    return tuple(found["hints"][0]) if found.height else ()


def refuse_without_hints(params: Params, dataset: str, table: pl.DataFrame) -> None:
    """Do nothing if each of the run's cells has hints.

    Raises:
        LabelError: one has none; rankings bought without them would be another experiment.
    """
    for cell in cells(params.run, dataset):
        if not cell_hints(table, cell):
            raise LabelError(
                f"data/hinted/{dataset}: no hints for {cell.backbone}/{cell.recipe}/{cell.seed}; "
                f"run `distilrec hints {dataset}` first"
            )


def asked(cases: Iterable[Case], provider: Provider) -> Asked:
    """Return the requests for cases."""
    found = {case.session_id: provider.request(case) for case in cases}
    requests = {session: request for session, request in found.items() if request is not None}
    return Asked(requests, len(found) - len(requests))


def wanted_labels(
    params: Params, paths: Paths, context: Context, provider: Provider, hints: pl.DataFrame
) -> list[Asked]:
    """Return what each of the run's cells asks, in the run's order."""
    return [
        asked(cell_cases(paths, cell, context, hints), provider)
        for cell in cells(params.run, context.dataset)
    ]


def wanted_hints(params: Params, paths: Paths, context: Context) -> dict[Cell, Request]:
    """Return the request for hints of each of the run's cells."""
    return {
        cell: _hints_of(cell, DIFFICULTY.read(paths.difficulty(cell)), context, params.hints)
        for cell in cells(params.run, context.dataset)
    }


def _hints_of(
    cell: Cell, difficulty: pl.DataFrame, context: Context, hints: HintsParams
) -> Request:
    """Return the request that shows a few training sessions and what the teacher makes of them."""
    sessions = difficulty.select("session_id", "candidates").join(
        context.sessions, on="session_id", how="left", maintain_order="left"
    )
    _check(sessions, context, Path("data/difficulty") / cell.folder)
    cases: dict[int, tuple[list[str], list[str]]] = {}
    for place, items, best in _drawn(sessions, context, hints.cases).iter_rows():
        case = _titles(items[:-1], context), _titles(best[: hints.items_per_case], context)
        cases[place] = min(case, cases.get(place, case))  # several visitors chose the same
    shown = [cases[place] for place in sorted(cases)]
    subject = f"{cell.backbone}/{cell.recipe}"
    return hints_request(subject, cell.dataset, shown, hints, context.label)


def _drawn(sessions: pl.DataFrame, context: Context, count: int) -> pl.DataFrame:
    """Return the sessions of `count` cases, drawn by a digest of the items that are shown."""
    ids, seed = context.ids, context.label.seed
    places = pl.Series(
        "place",
        [
            seeds.derive(seed, "hint cases", *[ids[item] for item in items[:-1]])
            for items in sessions["items"].to_list()
        ],
        dtype=pl.Int64,
    )
    drawn = sessions.select(places, "items", "candidates")
    return drawn.filter(places.is_in(places.unique().sort().head(count).to_list()))


def _check(sessions: pl.DataFrame, context: Context, source: Path) -> None:
    """Refuse what is not in today's tables, and sessions of other parts than training."""
    named = sessions.select(pl.col("candidates").list.max().max()).item() or 0
    if sessions["part"].null_count() or named > context.catalog.height:
        raise DataError(
            f"{source} was made from other sessions of '{context.dataset}' than are here now; run "
            "`dvc repro select`"
        )
    others = sessions.filter(pl.col("part") != "training").select("session_id", "part")
    if others.height:
        session, part = others.row(0)
        raise DataError(
            f"{source}: session {session} is in part '{part}', and only training sessions are "
            "shown to a labeller; run `dvc repro select`"
        )


def _titles(items: Sequence[int], context: Context) -> list[str]:
    return [context.titles[item] for item in items]


def _place(paths: Paths, folder: Path, names: Path) -> Place:
    title = folder.relative_to(paths.root).as_posix()
    return Place(
        store=Store(folder),
        names=names,
        aside=paths.damaged / title,
        lock=paths.locks / f"{title.replace('/', '-')}.lock",
        title=title,
        root=paths.root,
    )
