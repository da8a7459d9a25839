"""A shop's log of 60 sessions, and settings that train in a blink."""

import random
from pathlib import Path
from typing import Any

SESSIONS = 60
ITEMS = 40
KINDS = ("lamp", "chair", "table", "shelf")

SETTINGS: dict[str, Any] = {
    "run.datasets": ["shop"],
    "run.recipes": ["published"],
    "training.shared.device": "cpu",
    "training.recipes.published.fit.evaluate_every": 5,
    "training.recipes.published.fit.max_steps": 20,
    "training.recipes.published.teacher.dimension": 8,
    "training.recipes.published.teacher.learning_rate": 0.05,
    "training.recipes.published.student.dimension": 4,
    "training.recipes.published.student.learning_rate": 0.05,
    "difficulty.candidates": 15,
    "select.count": 12,
    "label.ranking_length": 10,
    "label.min_ranking": 3,
    "distill.published.learning_rate": 0.05,
    "distill.published.evaluate_every": 5,
    "distill.published.max_steps": 20,
    "evaluate.bootstrap_draws": 50,
}


FIRST_SECOND = 15_717 * 86_400
"""Midnight of the first day; all times begin with 13, and no prompt may hold one of them."""
CANARY = "canary"
"""Stands in whatever of the log must not leave the machine: customers, articles, other columns."""


def section(folder: str) -> dict[str, Any]:
    """Return the dataset's section of `params.yaml`."""
    log = {"events": "events.csv", "items": "items.csv", "user": "customer", "item": "article"}
    log |= {"time": "seconds", "item_key": "article", "title": "name"}
    return {"reader": "log", "path": folder, "log": log}


def look_at_one_more(folder: Path) -> None:
    """Add one row: in the first session the customer has looked at one more article."""
    events = folder / "events.csv"
    _, first, *_ = rows = events.read_text().splitlines()
    customer, _, seconds, device = first.split(",")
    session = [row.split(",")[1] for row in rows if row.split(",")[0] == customer][:7]
    other = next(_article(item) for item in range(ITEMS) if _article(item) not in session)
    events.write_text("\n".join([*rows, f"{customer},{other},{int(seconds) + 30},{device}"]) + "\n")


def write(folder: Path, seed: int) -> None:
    """Write the events and items of 60 days: a customer looks at one kind of furniture a day."""
    draw = random.Random(seed)  # noqa: S311 - a made-up log
    folder.mkdir(parents=True)
    events = ["customer,article,seconds,device"]
    for day in range(SESSIONS):
        kind = draw.randrange(len(KINDS))
        own = [item for item in range(ITEMS) if item % len(KINDS) == kind]
        seen = draw.sample(own, 5) + draw.sample(range(ITEMS), 2)
        for place, item in enumerate(dict.fromkeys(seen)):
            seconds = FIRST_SECOND + day * 86_400 + place * 60
            events.append(f"{CANARY}-customer-{day % 7},{_article(item)},{seconds},{CANARY}-device")
    names = [
        f"{_article(item)},{KINDS[item % len(KINDS)]} number {item // len(KINDS)},{CANARY}-margin"
        for item in range(ITEMS)
    ]
    (folder / "events.csv").write_text("\n".join(events) + "\n")
    (folder / "items.csv").write_text("\n".join(["article,name,margin", *names]) + "\n")


def times(folder: Path) -> set[str]:
    """Return all times of the log, as written."""
    rows = (folder / "events.csv").read_text().splitlines()
    return {row.split(",")[2] for row in rows[1:]}


def _article(item: int) -> str:
    return f"{CANARY}-article-{item}"
