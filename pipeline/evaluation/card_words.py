"""A quality card in words and rows, from its JSON alone, for the terminal and for the page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.evaluation import results

Card = Mapping[str, Any]
"""The content of a cell's ``card.json``."""

UNKNOWN = "not known"
ORDERS = {
    "chance": "random",
    "popularity": "popularity",
    "similarity": "offline stand-in",
    "teacher": "teacher",
}
OUTCOMES = ("usable", "too_short", "refused", "truncated", "missing")
READINGS = ("strict", "repaired", "bracketed", "recorded", "none")
SHOWN_OF_ORDERS = ("hit@10", "ndcg@10")
POSITIONS = {
    "first": ("place shown of the first-ranked", "0.5"),
    "named": ("place shown of all that were named", "0.5"),
    "order": ("τ of place shown and place given", "0"),
}


class Figure(NamedTuple):
    """A figure and where it may lie."""

    mean: str
    spread: str = ""


def labelled_by(card: Card) -> str:
    """Return in words who made the labels."""
    return results.labelled_by(card["labeller"])


def measures(card: Card) -> list[str]:
    """Return the names of the measures, hits first, by cutoff; a file has them by the alphabet."""
    return sorted(card["labels"], key=lambda name: (name[:3] != "hit", int(name.split("@")[1])))


def measure(name: str) -> str:
    """Return a measure's name for reading: ``hit at 5``, ``NDCG@10``."""
    return name.upper() if name.startswith("ndcg") else name.replace("@", " at ")


def labels(card: Card, name: str) -> Figure:
    """Return the labels' figure."""
    of = card["labels"][name]
    if of is None:
        return Figure(UNKNOWN)
    low = _number(name, of["low"]).removesuffix(" %")
    return Figure(_number(name, of["mean"]), f"{low} to {_number(name, of['high'])}")


def theirs(card: Card, order: str, name: str) -> Figure:
    """Return another order's figure on the same sessions."""
    found = card["against"][order]
    return Figure(_number(name, found[name]["mean"]) if found["sessions"] else UNKNOWN)


def more(card: Card, order: str, name: str) -> Figure:
    """Return what the labels have more than another order; shares in percentage points."""
    found = card["against"][order]
    if not found["sessions"]:
        return Figure("")
    of = found[name]["difference"]
    low, high = _signed(name, of["low"]), _signed(name, of["high"])
    return Figure(_signed(name, of["mean"]), f"{low} to {high}")


def known_orders(card: Card) -> list[str]:
    """Return the orders that the labels can be compared with."""
    return [name for name in ORDERS if card["against"][name]["sessions"]]


def not_compared(card: Card) -> Iterator[str]:
    """Yield what the labels are not compared with, and why; one line a reason."""
    reasons: dict[str, list[str]] = {}
    for name, words in ORDERS.items():
        if not card["against"][name]["sessions"]:
            reasons.setdefault(card["against"][name]["why"], []).append(words)
    for why, names in reasons.items():
        yield f"not compared with {', '.join(names)}: {why}"


def fewer_sessions(card: Card) -> Iterator[str]:
    """Yield the orders that only a part of the answers can be compared with."""
    for name in known_orders(card):
        if (count := card["against"][name]["sessions"]) < card["answered"]:
            yield f"{ORDERS[name]}: compared on {count:,} of {card['answered']:,} answers"


def positions(card: Card) -> list[tuple[str, Figure, str]]:
    """Return the figures of position bias, each with what is fair; none where it is not known."""
    found = card["position"] or {}
    return [
        (words, Figure(_place(of["mean"]), f"{_place(of['low'])} to {_place(of['high'])}"), fair)
        for name, (words, fair) in POSITIONS.items()
        if (of := found.get(name))
    ]


def outcomes(card: Card) -> str:
    """Return what became of the sessions."""
    counts = _counts(card["outcomes"], OUTCOMES)
    share = card["target_offered"]
    offered = UNKNOWN if share is None else f"in {100 * share:.1f} %"
    return (
        f"{card['sessions']:,} sessions: {counts}; the held-back item was among the candidates "
        f"shown: {offered}"
    )


def form(card: Card) -> str:
    """Return how answers were read and what had to be mended."""
    of = card["form"]
    readings = _counts(of["readings"], READINGS)
    named = UNKNOWN if of["named_mean"] is None else f"{of['named_mean']:.1f}"
    return (
        f"read: {readings}; answers with repeats: {of['with_repeats']:,}, with foreign names: "
        f"{of['with_foreign']:,}, empty: {of['empty']:,}; items named on average: {named}"
    )


def agreement(card: Card) -> str:
    """Return how far repeated answers agree."""
    found = card["agreement"]
    if found is None:
        return f"agreement of repeated answers: {UNKNOWN}, none was repeated"
    of = found["overlap"]
    return (
        f"agreement of repeated answers: rank-biased overlap {of['mean']:.2f} ({of['low']:.2f} to "
        f"{of['high']:.2f}) in {found['sessions']:,} sessions"
    )


def cost(card: Card) -> str:
    """Return what the answers took."""
    of = card["cost"]
    each = UNKNOWN if of["usd_per_useful_label"] is None else _dollars(of["usd_per_useful_label"])
    return (
        f"cost: {_dollars(of['usd'])} for {of['answers']:,} answers with {of['prompt_tokens']:,} + "
        f"{of['completion_tokens']:,} tokens; a useful label: {each}"
    )


def _counts(of: Mapping[str, int], order: Sequence[str]) -> str:
    """Return counts that are not 0, in an order: a file has them by the alphabet."""
    found = [name for name in order if of.get(name)]
    return ", ".join(f"{of[name]:,} {name.replace('_', ' ')}" for name in found)


def _dollars(amount: float) -> str:
    return "nothing" if not amount else f"${amount:,.2f}" if amount >= 1 else f"${amount:.2g}"


def _number(name: str, value: float) -> str:
    return f"{value:.3f}" if name.startswith("ndcg") else f"{100 * value:.1f} %"


def _signed(name: str, value: float) -> str:
    return f"{value:+.3f}" if name.startswith("ndcg") else f"{100 * value:+.1f}"


def _place(value: float) -> str:
    return f"{round(value, 2) + 0:.2f}"  # + 0: no -0.00
