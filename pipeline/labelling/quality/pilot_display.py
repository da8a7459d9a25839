"""How a pilot looks in a terminal: its card, then what follows from it."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline import console
from pipeline.labelling.money.gate import dollars
from pipeline.labelling.quality.card_display import say, show_cards

ORDERS = {"chance": "a random order", "teacher": "the cross-fitted teacher's order"}


def show_pilot(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a pilot, or its JSON."""
    if as_json:
        console.out.print_json(json.dumps(found))
        return
    show_cards([found["card"]], as_json=False)
    for one in found["verdicts"]:
        say(_verdict(one))
    say(_money(found))


def _verdict(one: Mapping[str, Any]) -> str:
    against = ORDERS[one["against"]]
    if not one["sessions"]:
        return f"Labels against {against}: not known: {one['why']}."
    of = one["difference"]
    figures = (
        f"NDCG@10 {one['labels']:.3f} against {one['theirs']:.3f}, {of['mean']:+.3f} "
        f"({of['low']:+.3f} to {of['high']:+.3f}), p = {one['p']:.2g}, {one['sessions']:,} sessions"
    )
    if one["verdict"] in ("better", "worse"):
        return f"Labels are {one['verdict']} than {against}: {figures}."
    needed = one["labels_needed"]
    if needed is None:
        return f"Not enough data to tell labels from {against}: {figures}."
    return (
        f"Not enough data to tell labels from {against}: {figures}. A difference of this height "
        f"takes about {needed:,} labels."
    )


def _money(found: Mapping[str, Any]) -> str:
    part = f"{found['drawn']:,} of {found['selected']:,} selected sessions"
    if found["rehearsal"]:
        return f"A rehearsal, since this labeller costs nothing: {part}; nothing was kept."
    bought = found["bought"]
    here, cost = bought["stored"] + bought["from_journal"], dollars(bought["cost_usd"])
    return (
        f"{part}: {here:,} were here, {bought['made']:,} bought for ${cost}, "
        f"{sum(bought['failed'].values()):,} failed. `dvc repro` keeps them and buys the rest."
    )
