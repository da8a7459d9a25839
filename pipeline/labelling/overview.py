"""What `distilrec labels ...` tells: plain rows, made without asking anybody anything."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import polars as pl

from pipeline.errors import DataError, LabelError
from pipeline.labelling import rankings
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import asked, cell_cases, context_of, hints_place, labels_place
from pipeline.labelling.money import spending
from pipeline.labelling.plan import reuse_of
from pipeline.labelling.providers import provider_of
from pipeline.labelling.providers.base import Context
from pipeline.labelling.quality.judged import rows_about
from pipeline.labelling.request import Request
from pipeline.labelling.stores import ledger, lock, parts, table
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lines import damaged_lines
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.summary import TAKEN, labellers, payments, summary
from pipeline.params import Params
from pipeline.paths import Cell, Paths, cells
from pipeline.tables import HINTS

Row = dict[str, Any]
FEW_SESSIONS = 5  # named where somebody asks for one that was not selected


def status_rows(params: Params, paths: Paths, dataset: str) -> list[Row]:
    """Return what each store of a dataset holds, what that cost, and what failed."""
    journal = Journal.here()
    spent = spending.spent(paths, journal)
    budget = params.label_transport.budget_usd
    failed, in_batches = _attempts(journal, project_identity(paths.root), dataset)
    rows = []
    for kind, place in _places(paths, dataset).items():
        held = summary(place.store.folder)
        rows.append(
            {
                "store": place.title,
                "parts": len(place.store.parts()),
                "parts_not_here": len(parts.absent(place.names, place.store)),
                "rows": held.rows,
                **{name: held.outcomes.get(name, 0) for name in table.FINAL},
                "in_batches_under_way": len(in_batches[kind]),
                "prompt_tokens": held.bought.prompt_tokens,
                "completion_tokens": held.bought.completion_tokens,
                "cost_usd": held.bought.cost_usd,
                "unknown_at_most_usd": spent.unknown_of.get((dataset, kind), 0.0),
                "spent_by_the_project_usd": spent.total_usd,
                "budget_left_usd": max(budget - spent.total_usd, 0.0),
                "labellers": labellers(place.store.read(["endpoint", "model"])),
                "bought": _by_service(place.store),
                "failed_attempts": dict(failed[kind]),
            }
        )
    return rows


def _attempts(
    journal: Journal, project: str, dataset: str
) -> tuple[dict[str, Counter[str]], dict[str, set[str]]]:
    """Return, by kind, why attempts brought no answer, and which requests batches have."""
    flying = batch_record.under_way(journal.folder)
    failed: dict[str, Counter[str]] = defaultdict(Counter)
    in_batches: dict[str, set[str]] = defaultdict(set)
    for entry in ledger.entries(journal.folder):
        if (entry["dataset"], entry.get("project")) != (dataset, project):
            continue
        kind, (state, _, why) = entry["kind"], entry["state"].partition(":")
        if state in {"failed", "unknown"}:
            failed[kind][why] += 1
        if entry["key"] in flying:
            in_batches[kind].add(entry["key"])
    return failed, in_batches


def _by_service(held: Store) -> dict[str, Row]:
    """Return what was bought of each model of each endpoint."""
    taken = ["prompt_tokens", "completion_tokens", "cost_usd"]
    paid = payments(held.every(["endpoint", "model", "created_at", *TAKEN]))
    services = paid.group_by("endpoint", "model")
    found = services.agg(pl.len().alias("answers"), pl.col(taken).sum()).sort("endpoint", "model")
    return {f"{one.pop('endpoint')} {one.pop('model')}": one for one in found.iter_rows(named=True)}


def verify_rows(paths: Paths, dataset: str) -> list[Row]:
    """Return the parts with their states, files that are no parts, and the journal's files."""
    rows: list[Row] = []
    for place in _places(paths, dataset).values():
        damaged = set(place.store.damaged())
        states = [
            *((one.name, "damaged" if one in damaged else "sound") for one in place.store.parts()),
            *((name, "not here") for name in parts.absent(place.names, place.store)),
            *((one.name, "no part") for one in place.store.strays()),
        ]
        rows += [{"part": name, "store": place.title, "state": state} for name, state in states]
    journal = Journal.here().states().items()
    return rows + [{"part": name, "store": "journal", "state": state} for name, state in journal]


def journal_rows() -> list[Row]:
    """Return the journal's files with their size, answers and damaged lines."""
    journal = Journal.here()
    rows = []
    for path in journal.files():
        damaged = damaged_lines(path)
        with path.open("rb") as stream:
            lines = sum(1 for _ in stream)
        entry = {"file": path.name, "bytes": path.stat().st_size}
        rows.append(entry | {"answers": lines - damaged, "damaged_lines": damaged})
    return rows


def clear_journal(paths: Paths, *, anyway: bool) -> int:
    """Delete the journal's files of answers and return their number.

    Raises:
        LabelError: answers are in no store of this project, and it was not said to delete them; or
            a labeller of some project is at work.
    """
    journal = Journal.here()
    with ExitStack() as labellers:
        for path in sorted(journal.folder.glob("*.lock")):
            labellers.enter_context(lock.held(path, f"{journal.folder}"))
        saved = [Store(folder).read(["key"])["key"] for folder in paths.stores()]
        lost = journal.read(known=lambda: set().union(*saved))["key"]
        if len(lost) and not anyway:
            foreign = ledger.of_others(journal.folder, project_identity(paths.root))
            theirs = len(foreign.intersection(lost))
            raise LabelError(_losing(journal, len(lost), theirs))
        return journal.clear()


def _losing(journal: Journal, lost: int, theirs: int) -> str:
    """Return why the journal is not cleared, and who can save what."""
    recover = "`distilrec labels recover <dataset>`"
    saved = f"{recover} puts a dataset's into its stores" if lost > theirs else ""
    others = f"other projects bought {theirs:,} of them: run {recover} there" if theirs else ""
    ways = "; ".join(way for way in (saved, others) if way)
    return (
        f"{journal.folder}: {lost:,} answers are in no store of this project, so clearing would "
        f"lose them; nothing was deleted; {ways}; `--clear --yes` deletes all the same"
    )


def shown_labels(params: Params, paths: Paths, dataset: str, session: int) -> list[Row]:
    """Return a session's prompt, answer and ranking with titles, for each cell that selected it.

    Raises:
        DataError: no cell of the run selected the session, or the labeller cannot be asked for it.
    """
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    hints = HINTS.read(paths.hinted(dataset))
    held = labels_place(paths, dataset).store
    reuse = reuse_of(provider, params.label)
    shown, not_recorded = [], 0
    selected: set[int] = set()
    for cell in cells(params.run, dataset):
        every = cell_cases(paths, cell, context, hints)
        selected.update(case.session_id for case in every)
        cases = [case for case in every if case.session_id == session]
        wanted = asked(cases, provider)
        not_recorded += wanted.missing
        rows = rows_about(wanted.requests, held, reuse)
        for request in wanted.requests.values():
            found = rankings.ranked(
                {session: request}, rows, reuse, params.label.max_repeats, params.label.min_ranking
            )
            shown.append(_shown(cell, request, found.get(session), context))
    if not_recorded and not shown:
        raise DataError(
            f"session {session} of '{dataset}' is selected, but label.provider "
            f"{params.label.provider} has no recorded answer for it; to select recorded sessions "
            "only set select.pool: recorded in params.yaml"
        )
    if not shown:
        raise DataError(
            f"session {session} of '{dataset}' is in no selection of this run; selected are "
            f"{', '.join(map(str, sorted(selected)[:FEW_SESSIONS]))} and "
            f"{max(len(selected) - FEW_SESSIONS, 0):,} more, for instance "
            f"`distilrec labels show {dataset} {min(selected, default=0)}`"
        )
    return shown


def _shown(cell: Cell, request: Request, ranked: rankings.Ranked | None, context: Context) -> Row:
    case, titles = request.case, context.titles
    by_id = {item_id: titles[index] for index, item_id in context.ids.items()}
    row = ranked.row if ranked and ranked.row else None
    messages: Sequence[Mapping[str, str]] = (
        json.loads(row["request"])["messages"] if row else request.body["messages"]
    )
    found: Row = {
        "cell": cell.folder,
        "session": [titles[item] for item in case.items] if case else [],
        "prompt": [dict(message) for message in messages],
        "outcome": row["outcome"] if row else "missing",
        "answer": row["response"] if row else None,
        "ranking": [],
    }
    if ranked and row:
        ranking = ranked.reading.ranking
        ids = [ranked.offered[label] for label in ranking]
        found["reading"] = ranked.reading.reading
        found["ranking"] = [
            {"place": place, "label": label, "item_id": item, "title": by_id.get(item)}
            for place, (label, item) in enumerate(zip(ranking, ids, strict=True), start=1)
        ]
    return found


def _places(paths: Paths, dataset: str) -> dict[str, Place]:
    return {"hints": hints_place(paths, dataset), "ranking": labels_place(paths, dataset)}
