"""Whether the card's intervals and the pilot's verdicts keep their word, over made-up worlds.

python -m benchmarks.labelling.quality

A labeller that guesses names 25 of 50 candidates by chance: its intervals should cover chance 95
times in 100, and a pilot should call it better or worse at most 5 times in 100. A labeller that
knows something should be called better in about 80 of 100 pilots of the size that a pilot itself
says is needed. Where the published GPT-4 rankings are at hand (DISTILREC_DATA_HOME), their hits are
told, too.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.record import record
from pipeline.evaluation.intervals import sessions_needed
from pipeline.labelling.quality import card, cards, pilot
from pipeline.params import read_params
from pipeline.paths import Paths
from pipeline.stages import fetch, sessions
from pipeline.tables import LABEL_RANKS

COMMAND = "python -m benchmarks.labelling.quality"
WORLDS = 500
SIZES = (20, 50, 200)
OFFERED, NAMED, DRAWS = 50, 25, 1_000
KNOWING = 0.25
"""Share of sessions in which the labeller that knows something has the item among its first ten."""
PUBLISHED = {"hetrec2011-ml": (52.9, 15.2), "amazon-games": (53.3, 20.2)}
"""Hit at 25 and at 5, in per cent, as counted from the published files."""


def labels(random: np.random.Generator, count: int, knowing: float = 0.0) -> pl.DataFrame:
    """Return the table `label_ranks` of a labeller beside a teacher that guesses."""
    guessed = random.integers(1, OFFERED + 1, count)
    known = random.integers(1, 11, count)
    places = np.where(random.random(count) < knowing, known, guessed)
    shown = [(random.permutation(OFFERED)[:NAMED] + 1).tolist() for _ in range(count)]
    columns: dict[str, Any] = {
        "session_id": range(count),
        "outcome": ["usable"] * count,
        "reading": ["strict"] * count,
        "named": [NAMED] * count,
        "target_rank": np.where(places <= NAMED, places, 0),
        "offered": [OFFERED] * count,
        "target_offered": [True] * count,
        "shown": shown,
        "teacher_rank": random.integers(1, OFFERED + 1, count),
        "fold": [0] * count,
        "key": [str(n) for n in range(count)],
    }
    for name in LABEL_RANKS.columns:
        columns.setdefault(name, [None] * count if name.endswith("rank") else [0] * count)
    columns["agreement"] = [None] * count
    return pl.DataFrame(columns, schema=LABEL_RANKS.columns)


def verdicts(table: pl.DataFrame, seed: int) -> dict[str, str]:
    """Return what a pilot says of labels, against chance and against the teacher."""
    judged = card.card(table, DRAWS, seed)
    return {
        order: pilot.verdict(table, order, judged, DRAWS, seed)["verdict"]
        for order in ("chance", "teacher")
    }


def coverage(worlds: int) -> Iterator[dict[str, Any]]:
    """Yield how often a guessing labeller's interval covers what is true of it."""
    random, covered = np.random.default_rng(1), dict.fromkeys(("hit@10", "ndcg@10", "order"), 0)
    for world in range(worlds):
        found = card.card(labels(random, 100), DRAWS, world)
        for name in ("hit@10", "ndcg@10"):
            of = found["against"]["chance"][name]["difference"]
            covered[name] += of["low"] <= 0 <= of["high"]
        tau = found["position"]["order"]
        covered["order"] += tau["low"] <= 0 <= tau["high"]
    words = {"hit@10": "hit at 10", "ndcg@10": "NDCG@10", "order": "position bias τ"}
    for name, count in covered.items():
        yield _row(
            f"card: interval of 100 guessed labels covers the truth ({words[name]})",
            100 * count / worlds,
            "about 95 %",
        )


def false_alarms(worlds: int) -> Iterator[dict[str, Any]]:
    """Yield how often a pilot tells a guessing labeller from another guess."""
    for size in SIZES:
        random, told = np.random.default_rng(size), {"chance": 0, "teacher": 0}
        for world in range(worlds):
            for order, verdict in verdicts(labels(random, size), world).items():
                told[order] += verdict in ("better", "worse")
        for order, count in told.items():
            name = f"pilot of {size}: guessed labels told from {order}"
            yield _row(name, 100 * count / worlds, "at most about 5 %")


def power(worlds: int) -> dict[str, Any]:
    """Return how often labels that are better are called so in pilots of the size said."""
    random = np.random.default_rng(9)
    many = labels(random, 20_000, KNOWING)
    ours = card.values(many["target_rank"], card.MAIN)
    size = sessions_needed(ours - card.theirs(many, "chance", card.MAIN)) or 0
    seen = [
        verdicts(labels(random, size, KNOWING), world)["chance"] == "better"
        for world in range(worlds)
    ]
    name = f"pilot of {size}, as many as it says are needed: better labels are called better"
    return _row(name, 100 * sum(seen) / worlds, "about 80 %")


def published(data_home: Path) -> Iterator[dict[str, Any]]:
    """Yield the hits of the published GPT-4 rankings, and how long their card takes."""
    params = read_params(Path(__file__).parents[2] / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder))
        for dataset, expected in PUBLISHED.items():
            if not (data_home / (params.dataset_of(dataset).folder or "")).is_dir():
                continue
            fetch.run(params, paths, dataset)
            sessions.run(params, paths, dataset)
            started = time.perf_counter()
            found = cards.recorded_card(params, paths, dataset)
            taken = time.perf_counter() - started
            for cutoff, counted in zip((25, 5), expected, strict=True):
                hits = 100 * found["labels"][f"hit@{cutoff}"]["mean"]
                yield _row(
                    f"card of {dataset}, all recorded: hit at {cutoff}", hits, f"{counted} %"
                )
            name = f"card of {dataset}: {found['answered']:,} answers judged"
            yield _row(name, taken, "a few seconds", "s")


def _row(name: str, value: float, aim: str, unit: str = "%") -> dict[str, Any]:
    named = {"name": f"labelling: {name}", "value": value, "unit": unit, "aim": aim}
    return {**named, "rival": None, "command": COMMAND}


def measure(worlds: int) -> list[dict[str, Any]]:
    """Return rows of figures."""
    rows = [*coverage(worlds), *false_alarms(worlds), power(worlds)]
    if home := os.environ.get("DISTILREC_DATA_HOME"):
        rows += published(Path(home))
    return rows


def main(worlds: int = WORLDS) -> None:
    """Measure and record."""
    record(measure(worlds))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
