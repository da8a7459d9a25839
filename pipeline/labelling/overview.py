"""What `distilrec labels ...` tells: plain rows, made without asking anybody anything."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.errors import DataError, LabelError, SpendRefused
from pipeline.labelling import ledger, parts, plan, rankings, store
from pipeline.labelling.budget import estimate, gate
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import (
    asked,
    cell_cases,
    context_of,
    hints_place,
    labels_place,
    wanted_hints,
    wanted_labels,
)
from pipeline.labelling.journal import Journal, damaged_lines
from pipeline.labelling.notes import is_readable
from pipeline.labelling.providers import provider_of
from pipeline.labelling.providers.base import Context, Provider
from pipeline.labelling.request import Request
from pipeline.labelling.store import Store
from pipeline.params import Params
from pipeline.paths import Cell, Paths, cells
from pipeline.tables import HINTS

Row = dict[str, Any]
FEW_SESSIONS = 5  # named where somebody asks for one that was not selected


def plan_rows(params: Params, paths: Paths, dataset: str) -> list[Row]:
    """Return what each of a dataset's two stores would ask for: here, in the journal, missing."""
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    known = HINTS.path(paths.hinted(dataset)).exists()
    hints = HINTS.read(paths.hinted(dataset)) if known else HINTS.empty()
    wanted = wanted_labels(params, paths, context, provider, hints)
    requests = [request for cell in wanted for request in cell.requests.values()]
    asked_hints = wanted_hints(params, paths, context) if provider.wants_hints else {}
    places = (hints_place(paths, dataset), labels_place(paths, dataset))
    rows = [
        _plan_row(list(asked_hints.values()), places[0], provider, context, is_readable),
        _plan_row(
            requests,
            places[1],
            provider,
            context,
            lambda row: rankings.is_usable(row, params.label.min_ranking),
        ),
    ]
    not_recorded = (0, sum(cell.missing for cell in wanted))
    return [{**row, "not_recorded": n} for row, n in zip(rows, not_recorded, strict=True)]


def status_rows(paths: Paths, dataset: str) -> list[Row]:
    """Return what each store of a dataset holds, what is not here, and what failed."""
    failed: Counter[tuple[str, str]] = Counter()
    unknown: dict[str, float] = defaultdict(float)
    for entry in ledger.entries(Journal.here().folder):
        state, _, why = entry["state"].partition(":")
        if entry["dataset"] == dataset and state in {"failed", "unknown"}:
            failed[entry["kind"], why] += 1
            unknown[entry["kind"]] += entry["at_most_usd"] if state == "unknown" else 0.0
    rows = []
    for kind, place in _places(paths, dataset).items():
        held = store.summary(place.store.folder)
        rows.append(
            {
                "store": place.title,
                "parts": len(place.store.parts()),
                "rows": held.rows,
                **{name: held.outcomes.get(name, 0) for name in store.FINAL},
                "prompt_tokens": held.bought.prompt_tokens,
                "completion_tokens": held.bought.completion_tokens,
                "cost_usd": held.bought.cost_usd,
                "unknown_at_most_usd": round(unknown[kind], 9),
                "offline": not held.bought.count,
                "parts_not_here": len(parts.absent(place.names, place.store)),
                "failed_attempts": {why: n for (what, why), n in failed.items() if what == kind},
            }
        )
    return rows


def verify_rows(paths: Paths, dataset: str) -> list[Row]:
    """Return every part with its state: sound, damaged, or recorded but not here."""
    rows: list[Row] = []
    for place in _places(paths, dataset).values():
        damaged = set(place.store.damaged())
        states = [
            *((one.name, "damaged" if one in damaged else "sound") for one in place.store.parts()),
            *((name, "not here") for name in parts.absent(place.names, place.store)),
        ]
        rows += [{"part": name, "store": place.title, "state": state} for name, state in states]
    return rows


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
        LabelError: answers are in no store of this project, and it was not said to delete them.
    """
    journal = Journal.here()
    saved = [Store(folder).read(["key"]) for folder in paths.stores()]
    lost = set(journal.read()["key"]).difference(*(rows["key"] for rows in saved))
    if lost and not anyway:
        raise LabelError(
            f"{journal.folder}: {len(lost):,} answers are in no store of this project, so clearing "
            "would lose them; nothing was deleted; `distilrec hints` and `label` take what they "
            "ask from here, `--clear --yes` deletes all the same"
        )
    return journal.clear()


def shown_labels(params: Params, paths: Paths, dataset: str, session: int) -> list[Row]:
    """Return a session's prompt, answer and ranking with titles, for each cell that selected it.

    Raises:
        DataError: no cell of the run selected the session, or the labeller cannot be asked for it.
    """
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    hints = HINTS.read(paths.hinted(dataset))
    rows = labels_place(paths, dataset).store.read()
    shown, not_recorded = [], 0
    selected: set[int] = set()
    for cell in cells(params.run, dataset):
        every = cell_cases(paths, cell, context, hints)
        selected.update(case.session_id for case in every)
        cases = [case for case in every if case.session_id == session]
        wanted = asked(cases, provider)
        not_recorded += wanted.missing
        for request in wanted.requests.values():
            reuse = "request" if provider.free else params.label.reuse
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


def _plan_row(
    requests: Sequence[Request],
    place: Place,
    provider: Provider,
    context: Context,
    usable: plan.Usable,
) -> Row:
    label, transport = context.label, context.transport
    reuse, repeats = ("request", 0) if provider.free else (label.reuse, label.max_repeats)
    columns = [*plan.INDEX, "request", "offered", "response"]
    tries = [replace(one, repeat=repeat) for repeat in range(repeats + 1) for one in requests]
    rows, kept = place.store.read(columns), Journal.here().read(tries)
    made, *further = plan.with_repeats(requests, rows, kept, reuse, usable, repeats)
    strict = plan.with_repeats(requests, rows, kept, "request", usable, repeats)
    again, served = _missing(further), len(made.stored) + len(made.journal)
    missing = [*made.missing, *again]
    needs = estimate([] if provider.free else missing, transport)
    return {
        "store": place.title,
        "asked": len({request.key for request in requests}),
        "here": len(made.stored),
        "in_journal": len(made.journal),
        "missing": len(missing),
        "of_these_further_tries": len(again),
        "reused": made.reused,
        "reused_although_changed": plan.reasons(
            requests, pl.concat([rows, kept.select(columns)]), made
        ),
        "missing_under_reuse_request": len(_missing(strict)),
        "prompt_tokens": needs.prompt_tokens,
        "completion_tokens": needs.completion_tokens,
        "cost_usd": 0.0 if provider.free else needs.cost_usd,
        "minutes_at_least": needs.minutes,
        "gate": "free" if provider.free else _verdict(missing, served, place, context),
    }


def _missing(plans: Iterable[plan.Plan]) -> list[Request]:
    return [request for one in plans for request in one.missing]


def _verdict(missing: Sequence[Request], served: int, place: Place, context: Context) -> str:
    """Return what the gate would say."""
    gone = parts.absent(place.names, place.store)
    if gone:
        return f"{len(gone)} paid parts are not here: `dvc pull {place.title}`"
    if not missing:
        return "nothing to buy"
    try:
        gate(missing, context.transport, place.title, served)
    except SpendRefused as refusal:
        return str(refusal)
    return "would buy"


def _places(paths: Paths, dataset: str) -> dict[str, Place]:
    return {"hints": hints_place(paths, dataset), "ranking": labels_place(paths, dataset)}
