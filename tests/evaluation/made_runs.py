"""Runs and test sessions made up for tests: plausible ranks, no model behind them."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline import seeds
from pipeline.evaluation.evidence import Run
from pipeline.evaluation.metrics import Ranks
from pipeline.evaluation.runs import COUNTING, Setting
from pipeline.evaluation.slices import described
from pipeline.tables import CATALOG, SESSIONS

ITEMS = 200
SESSIONS_MADE = 400
QUALITY = {
    "popularity": -2.0,
    "itemknn": 1.0,
    "itemknn_titles": 1.2,
    "student": 0.0,
    "teacher": 0.6,
    "exact": 0.3,
    "random": 0.25,
    "no_list": 0.05,
}
"""By which a method's scores of targets are better; any other: .1."""
MAIN = (*QUALITY, "hybrid", "llm_shuffled", "label_only", "teacher_order", "hardest", "de")
SEEDS = (1, 2, 3, 4, 5)


def made_sessions() -> pl.DataFrame:
    """Return test sessions as `slices.described` makes them, from made tables."""
    return described(*made_tables(SESSIONS_MADE))


def made_tables(test: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return tables `sessions` and `catalog`: three parts training, one part test.

    The last item is in no training session and the target of every 25th test session.
    """
    generator = np.random.default_rng(7)
    known = np.arange(1, ITEMS)
    rows = [
        generator.choice(known, generator.integers(4, 15), False, 1 / known / (1 / known).sum())
        for _ in range(4 * test)
    ]
    for row in rows[3 * test :: 25]:
        row[-1] = ITEMS
    part = ["training"] * (3 * test) + ["test"] * test
    sessions = pl.DataFrame(
        {
            "session_id": range(len(rows)),
            "part": part,
            "items": [row.tolist() for row in rows],
            "started_at": None,
            "ended_at": None,
        },
        schema=SESSIONS.columns,
    )
    events = np.bincount(np.concatenate(rows[: 3 * test]), minlength=ITEMS + 1)[1:]
    names = [str(item) for item in range(1, ITEMS + 1)]
    catalog = pl.DataFrame(
        {
            "item_index": range(1, ITEMS + 1),
            "item_id": names,
            "title": names,
            "training_events": events,
        },
        schema=CATALOG.columns,
    )
    return sessions, catalog


def ranks(method: str, seed: int, draw: int, *more: str | float, quality: float = 0.0) -> Ranks:
    """Return ranks that share what a session is like, then what a seed makes of it."""
    shared = np.random.default_rng(1).normal(0, 1.5, SESSIONS_MADE)
    of = seeds.generator(seed, method, draw, *map(str, more))
    of_seed = 0.05 * of.normal()
    own = of.normal(0, 0.5, SESSIONS_MADE)
    score = shared + own + of_seed + QUALITY.get(method, 0.1) + quality
    share_above = 1 / (1 + np.exp(1.5 * score))
    return np.maximum(1, np.ceil(share_above * ITEMS)).astype(np.int32)


def run(
    method: str,
    seed: int = 1,
    *,
    dataset: str = "made",
    study: str = "table",
    backbone: str = "fpmc",
    recipe: str = "strong",
    setting: Setting | None = None,
    draw: int = 0,
    quality: float = 0.0,
) -> Run:
    """Return one run; a counting method is of no backbone, recipe and seed."""
    counting = method in COUNTING
    given = dict(setting or {})
    labels = int(given.get("labels", 0 if counting or method in ("student", "teacher") else 500))
    dimension = int(given.get("dimension", 100 if method == "teacher" else 10))
    return Run(
        dataset=dataset,
        study=study,
        backbone="" if counting else backbone,
        recipe="" if counting else recipe,
        method=method,
        setting=given,
        seed=0 if counting else seed,
        draw=draw,
        dimension=None if counting else dimension,
        parameters=ITEMS * dimension,
        bytes=4 * ITEMS * dimension + (20_000 if counting else 0),
        labels=labels,
        usd=0.001 * labels,
        validation_ndcg=None if method == "popularity" else 0.1 + QUALITY.get(method, 0.1) / 20,
        seconds=1.5,
        ranks=ranks(method, seed, draw, dataset, backbone, recipe, *given, quality=quality),
    )


def table(
    methods: Sequence[str] = MAIN,
    seeds_of: Sequence[int] = SEEDS,
    recipes: Sequence[str] = ("published", "strong"),
    **more: str,
) -> list[Run]:
    """Return the study ``table``; `random` has three draws a seed."""
    counting = [run(method, **more) for method in methods if method in COUNTING]  # type: ignore[arg-type]
    return counting + [
        run(method, seed, recipe=recipe, draw=draw, **more)  # type: ignore[arg-type]
        for recipe in recipes
        for method in methods
        if method not in COUNTING
        for seed in seeds_of
        for draw in range(3 if method == "random" else 1)
    ]


def labels_study(recipe: str = "strong", seeds_of: Sequence[int] = (1, 2, 3)) -> list[Run]:
    """Return the study ``labels``: `exact` and `random` at four budgets."""
    return [
        run(
            method,
            seed,
            study="labels",
            recipe=recipe,
            setting={"labels": labels},
            quality=labels / 2_000,
        )
        for labels in (50, 100, 200, 400)
        for method in ("exact", "random")
        for seed in seeds_of
    ]


def dimensions_study(recipe: str = "strong", seeds_of: Sequence[int] = (1, 2)) -> list[Run]:
    """Return the study ``dimensions``: student and `exact` at four widths."""
    return [
        run(
            method,
            seed,
            study="dimensions",
            recipe=recipe,
            setting={"dimension": dimension},
            quality=np.log(dimension) / 5,
        )
        for dimension in (4, 10, 40, 100)
        for method in ("student", "exact")
        for seed in seeds_of
    ]


def everything(dataset: str = "made") -> list[Run]:
    """Return a small grid: the table, budgets, dimensions and stored forms."""
    forms = [
        run("itemknn", study="bytes", setting={"form": "pruned"}, quality=-0.3),
        *(run("student", seed, study="bytes", setting={"form": "int8"}) for seed in (1, 2)),
    ]
    runs = [*table(), *labels_study(), *dimensions_study(), *forms]
    return [_in(dataset, one) for one in runs]


def _in(dataset: str, one: Run) -> Run:
    return Run(**{**vars(one), "dataset": dataset})
