"""A pilot: a few labels of a random part of the selection, and whether they are worth the rest.

The sessions are drawn by a digest of what is shown of them, so that a larger pilot contains a
smaller one, and what was bought serves `label` afterwards. Whether labels beat another order is
said from the NDCG@10 of the held-back item over the same candidates: only if the 95 % interval of
the difference leaves 0 out and an exact test agrees, since an interval of few sessions is too
narrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from pipeline import seeds
from pipeline.errors import LabelError
from pipeline.evaluation.intervals import chance_p, randomisation, sessions_needed
from pipeline.labelling import stale
from pipeline.labelling.buyer import Bought, Buyer
from pipeline.labelling.cases import (
    asked,
    cell_cases,
    context_of,
    labels_place,
    refuse_without_hints,
)
from pipeline.labelling.plan import reuse_of
from pipeline.labelling.providers import provider_of
from pipeline.labelling.providers.base import Context, Provider
from pipeline.labelling.quality import card
from pipeline.labelling.quality.cards import card_of, folds_of, free_rows
from pipeline.labelling.quality.judged import answers_of, label_ranks, rows_about, with_taken
from pipeline.labelling.rankings import is_usable
from pipeline.labelling.request import Case, Request
from pipeline.params import Params
from pipeline.paths import Cell, Paths, cells
from pipeline.tables import HINTS

CONVINCING = 0.05
"""The p below which the exact test agrees."""


@dataclass(frozen=True)
class Drawn:
    """A session of the pilot, as the first cell that selected it asks about it."""

    cell: Cell
    case: Case
    request: Request


def pilot(
    params: Params, paths: Paths, dataset: str, count: int, *, teacher: bool = True
) -> dict[str, Any]:
    """Buy labels of `count` drawn sessions, as far as they are missing, and judge them.

    Args:
        params: all parameters.
        paths: the project.
        dataset: the dataset.
        count: sessions, at most as many as are selected.
        teacher: compare with the teacher's order, too.

    Raises:
        LabelError: labels that cost money are to be compared with a teacher that has seen the
            sessions, there are fewer, or others are selected; nothing was bought.
        SpendRefused: more would be spent than was allowed.
    """
    stale.refuse(params, paths, dataset)
    context = context_of(params, paths, dataset)
    provider = provider_of(context)
    every = selection(params, paths, context, provider)
    if count > len(every):
        raise LabelError(
            f"a pilot of {count:,}: only {len(every):,} selected sessions can be asked, so it "
            f"would be no pilot; nothing was bought; ask for at most {len(every):,}"
        )
    drawn = every[:count]
    folds = {cell: folds_of(paths, cell) for cell in dict.fromkeys(one.cell for one in drawn)}
    if teacher and not provider.free:
        refuse_seen(drawn, folds)

    bought = None if provider.free else _buy(params, paths, provider, drawn)
    ranks = _judged(params, paths, context, provider, drawn, folds)
    judged, draws = card_of(ranks, params, dataset), params.evaluate.bootstrap_draws
    seed = seeds.derive(params.label.seed, "pilot", dataset)
    orders = ("chance", "teacher") if teacher else ("chance",)
    return {
        "dataset": dataset,
        "drawn": len(drawn),
        "selected": len(every),
        "rehearsal": provider.free,
        "bought": asdict(bought) if bought else None,
        "card": {"of": f"{dataset}, pilot of {len(drawn):,}", **judged},
        "verdicts": [verdict(ranks, order, judged, draws, seed) for order in orders],
    }


def selection(params: Params, paths: Paths, context: Context, provider: Provider) -> list[Drawn]:
    """Return the sessions that the run's cells selected and that can be asked, in drawn order.

    Raises:
        LabelError: there are none, or the labeller wants hints and a cell has none.
    """
    dataset, hints = context.dataset, HINTS.read(paths.hinted(context.dataset))
    if provider.wants_hints:
        refuse_without_hints(params, dataset, hints)
    found: dict[int, Drawn] = {}
    for cell in cells(params.run, dataset):
        cases = {one.session_id: one for one in cell_cases(paths, cell, context, hints)}
        for session, request in asked(cases.values(), provider).requests.items():
            found.setdefault(session, Drawn(cell, cases[session], request))
    if not found:
        raise LabelError(f"dataset '{dataset}': no selected session can be asked; see select.pool")
    return sorted(found.values(), key=lambda one: _order(one, params.label.seed))


def refuse_seen(drawn: Sequence[Drawn], folds: Mapping[Cell, Mapping[int, int]]) -> None:
    """Do nothing if each session's teacher was trained without it.

    Raises:
        LabelError: one has seen a session, or is not known (see `folds_of`). In-sample it has the
            held-back item among its ten best for 99 % of sessions: it remembers, and no labeller
            could beat that.
    """
    for one in drawn:
        if folds[one.cell].get(one.case.session_id, -1) < 0:
            raise LabelError(
                f"data/selected/{one.cell.folder}: the teacher that proposed these candidates has "
                "seen the sessions, so that its order is memory, or another one is in "
                "data/difficulty since; nothing was bought; set difficulty.folds: 5 in params.yaml "
                "and run `dvc repro select`, or compare with chance alone: --without-teacher"
            )


def verdict(
    ranks: pl.DataFrame, order: str, judged: card.Card, draws: int, seed: int
) -> dict[str, Any]:
    """Return whether labels beat another order: better, worse, or not enough data to tell.

    Args:
        ranks: the table `label_ranks`.
        order: ``chance`` or ``teacher``.
        judged: the card made of that table.
        draws: of the exact test.
        seed: of the draws.
    """
    found = judged["against"][order]
    if not found["sessions"]:
        return {"against": order, "verdict": "not known", **found}
    answered = ranks.filter(pl.col("outcome") != "missing").sort("session_id")
    same = card.comparable(answered, order)
    ours = card.values(same["target_rank"], card.MAIN)
    differences = ours - card.theirs(same, order, card.MAIN)
    random = seeds.generator(seed, "verdict", order)
    p = (
        chance_p(ours, card.chances(same, card.MAIN), draws, random)
        if order == "chance"
        else randomisation(differences, draws, random)
    )
    return {
        "against": order,
        "sessions": len(same),
        "measure": card.MAIN,
        "labels": float(ours.mean()),
        "theirs": found[card.MAIN]["mean"],
        "difference": found[card.MAIN]["difference"],
        "p": p,
        "verdict": _said(found[card.MAIN]["difference"], p),
        "labels_needed": sessions_needed(differences),
    }


def _said(difference: Mapping[str, float], p: float) -> str:
    if p >= CONVINCING or difference["low"] <= 0 <= difference["high"]:
        return "not enough data to tell"
    return "better" if difference["mean"] > 0 else "worse"


def _order(one: Drawn, seed: int) -> tuple[int, int]:
    """Return a place that depends on what is shown of a session, not on the other sessions."""
    return seeds.derive(seed, "pilot", one.request.subject_id), one.case.session_id


def _buy(params: Params, paths: Paths, provider: Provider, drawn: Sequence[Drawn]) -> Bought:
    place = labels_place(paths, drawn[0].cell.dataset)
    buyer = Buyer(provider, place, params.label, params.label_transport)
    requests = [one.request for one in drawn]
    return buyer.obtain(requests, lambda row: is_usable(row, params.label.min_ranking))


def _judged(
    params: Params,
    paths: Paths,
    context: Context,
    provider: Provider,
    drawn: Sequence[Drawn],
    folds: Mapping[Cell, Mapping[int, int]],
) -> pl.DataFrame:
    """Return the table `label_ranks` of the drawn sessions."""
    reuse, store = reuse_of(provider, params.label), labels_place(paths, context.dataset).store
    tables, every = [], []
    for cell in folds:
        here = [one for one in drawn if one.cell == cell]
        requests = {one.case.session_id: one.request for one in here}
        rows = (
            free_rows(provider, requests.values())
            if provider.free
            else rows_about(requests, store, reuse)
        )
        answers = answers_of([one.case for one in here], requests, rows, params.label, reuse)
        every.append(answers)
        tables.append(label_ranks(answers, context, folds[cell]))
    return with_taken(pl.concat(tables), every)
