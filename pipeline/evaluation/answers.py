"""The questions the project exists for, answered from a grid's figures in three sentences.

What do rankings by an LLM add to a student trained well, what to one trained as published, and does
the choice of the sessions matter? Each answer has its interval and its p, and says so where the
data cannot tell. The questions were fixed before the grid was run, so their p values are corrected
over themselves (Holm), not over the whole table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.evaluation.comparisons import alike, verdict
from pipeline.evaluation.multiple import holm

Figures = Mapping[str, Any]
"""What `evidence.figures` returns of one dataset."""

METRIC = "ndcg@10"
TRAINED = {"strong": "trained well", "published": "trained as published"}
UNKNOWN = "not enough data to tell"


@dataclass(frozen=True)
class Answer:
    """A sentence and what it rests on."""

    question: str
    """``adds`` or ``choice``."""
    text: str
    verdicts: tuple[str, ...]
    """Of the comparisons in the sentence."""


def answers(figures: Figures, labels: str = "recorded LLM rankings") -> list[Answer]:
    """Return the sentences of one dataset: one for each recipe, then that about the choice.

    Args:
        figures: of the dataset.
        labels: what the student learns from, in words.
    """
    backbone = backbone_of(figures)
    table = [row for row in figures["comparisons"] if _asked(row, backbone)]
    recipes = sorted({row["recipe"] for row in table}, key=lambda one: (one != "strong", one))
    main = {
        (recipe, theirs): row
        for recipe in recipes
        for theirs in ("student", "random")
        for row in table
        if _is(row, recipe, "exact", theirs)
    }
    corrected = dict(zip(main, holm([row["p"] for row in main.values()]), strict=True))
    asked = [{**row, "corrected": float(corrected[place])} for place, row in main.items()]
    found = [_adds(row, table, figures, labels) for row in asked if row["theirs"] == "student"]
    choice = [row for row in asked if row["theirs"] == "random"]
    return [*found, _choice(choice, figures)] if choice else found


def backbone_of(figures: Figures) -> str:
    """Return the first backbone that learnt from rankings, or an empty text."""
    learnt = (row for row in figures["models"] if row["method"] == "exact")
    return next((str(row["backbone"]) for row in learnt if row["study"] == "table"), "")


def _asked(row: Figures, backbone: str) -> bool:
    place = row["study"], row["backbone"], row["metric"]
    return place == ("table", backbone, METRIC) and not row["setting"]


def _adds(row: Figures, table: Sequence[Figures], figures: Figures, labels: str) -> Answer:
    said, recipe = verdict(row["difference"], row["corrected"]), row["recipe"]
    count = _count(figures, row["backbone"], recipe)
    without_list = next((seen(one) for one in table if _is(one, recipe, "exact", "no_list")), None)
    steps = f"; against as many steps without any list it is {without_list}" if without_list else ""
    text = (
        f"{count:,} {labels} add {seen(row)} to a student {trained(recipe)}: "
        f"{_meaning(row, said)}{steps}."
    )
    return Answer("adds", text, (said,))


def _is(row: Figures, recipe: str, ours: str, theirs: str) -> bool:
    return (row["recipe"], row["ours"], row["theirs"]) == (recipe, ours, theirs)


def _meaning(row: Figures, said: str) -> str:
    """Return what a difference says."""
    if said == "more":
        return "they help"
    if said == "less":
        return "they harm"
    if alike(row):
        return f"nothing at all, no test session has another {METRIC.upper()} than before"
    return f"{UNKNOWN} whether that is anything{_missing(row)}"


def _missing(row: Figures) -> str:
    """Return how much more data it would take."""
    ways = [
        f"about {row[key]:,} {words}"
        for key, words in (("sessions_needed", "test sessions"), ("seeds_needed", "seeds"))
        if row[key] is not None
    ]
    return f" (to see so little takes {' or '.join(ways) or 'more sessions and more seeds'})"


def _choice(rows: Sequence[Figures], figures: Figures) -> Answer:
    said = tuple(verdict(row["difference"], row["corrected"]) for row in rows)
    told = any(one != UNKNOWN for one in said)
    matters = "matters" if told else f"is not seen to matter, {UNKNOWN}"
    each = ", and ".join(
        f"{seen(row)} for a student {trained(row['recipe'])}{_area(row, figures)}" for row in rows
    )
    return Answer(
        "choice",
        f"Which sessions are ranked {matters}: the exact policy against a random choice is {each}.",
        said,
    )


def _area(row: Figures, figures: Figures) -> str:
    """Return the mean over all budgets, if they were run."""
    for area in figures["areas"]:
        place = area["backbone"], area["recipe"], area["policy"], area["metric"]
        if place == (row["backbone"], row["recipe"], "exact", METRIC):
            until = f"${area['until']:,.2f}" if area["axis"] == "usd" else f"{area['until']:,.0f}"
            unit = "" if area["axis"] == "usd" else " labels"
            mean, low, high = (signed(area[of]) for of in ("area_over_random", "low", "high"))
            return f" (on average over all budgets to {until}{unit}: {mean}, {low} to {high})"
    return ""


def _count(figures: Figures, backbone: str, recipe: str) -> int:
    place = "table", backbone, recipe, "exact"
    names = "study", "backbone", "recipe", "method"
    rows = (row for row in figures["models"] if tuple(row[one] for one in names) == place)
    return int(next(rows)["labels"])


def seen(row: Figures) -> str:
    """Return a difference with its interval and its p, corrected too if it was."""
    interval = f"95 % interval {signed(row['low'])} to {signed(row['high'])}"
    corrected = f", corrected {probability(row['corrected'])}" if "corrected" in row else ""
    lift = "" if row["lift"] is None else f", {100 * row['lift']:+.0f} %"
    p = f"p {probability(row['p'])}{corrected}"
    seeds = "one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds"
    draws = row.get("draws", [1])[0]
    drawn = f", {draws} draws under each" if draws > 1 else ""
    return f"{signed(row['difference'])} NDCG@10{lift} ({interval}; {p}; {seeds}{drawn})"


def trained(recipe: str) -> str:
    """Return in words how a recipe trains."""
    return TRAINED.get(recipe, f"trained by the recipe {recipe}")


def signed(value: float) -> str:
    """Return a difference with four digits: ``+.0029``."""
    text = f"{value:+.4f}".replace("0.", ".", 1)
    return ".0000" if float(text) == 0 else text


def probability(p: float) -> str:
    """Return a p with as many digits as mean something: ``< .001``, ``= .043``, ``= .84``."""
    if p < 0.001:
        return "< .001"
    text = f"{p:.{3 if p < 0.1 else 2}f}"
    return "= 1" if text == "1.00" else f"= {text.removeprefix('0')}"
