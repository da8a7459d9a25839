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


def section(folder: str) -> dict[str, Any]:
    """Return the dataset's section of `params.yaml`."""
    log = {"events": "events.csv", "items": "items.csv", "user": "customer", "item": "article"}
    log |= {"time": "seconds", "item_key": "article", "title": "name"}
    return {"reader": "log", "path": folder, "log": log}


def look_at_one_more(folder: Path) -> None:
    """Add one row: on the first day the customer has looked at one more article."""
    events = folder / "events.csv"
    rows = events.read_text().splitlines()
    first_day = {row.split(",")[1] for row in rows[1:] if int(row.split(",")[2]) < 86_400}
    article = next(item for item in range(ITEMS) if str(item) not in first_day)
    events.write_text("\n".join([*rows, f"0,{article},30"]) + "\n")


def write(folder: Path, seed: int) -> None:
    """Write the events and items of 60 days: a customer looks at one kind of furniture a day."""
    draw = random.Random(seed)  # noqa: S311 - a made-up log
    folder.mkdir(parents=True)
    events = ["customer,article,seconds"]
    for day in range(SESSIONS):
        kind = draw.randrange(len(KINDS))
        own = [item for item in range(ITEMS) if item % len(KINDS) == kind]
        seen = draw.sample(own, 5) + draw.sample(range(ITEMS), 2)
        for place, item in enumerate(dict.fromkeys(seen)):
            events.append(f"{day % 7},{item},{day * 86_400 + place * 60}")
    names = [
        f"{item},{KINDS[item % len(KINDS)]} number {item // len(KINDS)}" for item in range(ITEMS)
    ]
    (folder / "events.csv").write_text("\n".join(events) + "\n")
    (folder / "items.csv").write_text("\n".join(["article,name", *names]) + "\n")
