"""A made-up project: cells with tables and hostile titles, and a grid's figures of every study."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline import files
from pipeline.evaluation import evidence
from pipeline.evaluation.evidence import Run
from pipeline.evaluation.results import MODELS
from pipeline.params import Params, read_params
from pipeline.params.evaluation import EvaluateParams
from pipeline.paths import Cell, Paths
from pipeline.tables import CATALOG, LABELLED, SELECTED, SESSIONS
from tests.evaluation import made_runs

HOSTILE = (
    "</script><script>document.title = 'broken'</script>",
    "<!-- <script>",
    "<img src=x onerror=\"document.title = 'broken'\">",
    "{{ 7 * 7 }} {% raw %}",
    "\u202egnorw thgir \u2028 \u2029 \x07",
    "'\"&lt;b&gt;`${document.title = 'broken'}`",
    "W" * 300,
)
POLICIES = ("exact", "paper_corrected", "rad_bc", "random", "hardest", "easiest")
METHODS = ("popularity", "itemknn", "student", "teacher", "exact", "random", "llm_shuffled", "de")
COUNTS = ("assumed", "true")
RECIPES = ("published", "strong")
PROJECT = Path(__file__).resolve().parents[2]
ITEMS, SESSIONS_MADE, LABELS = 60, 40, 25


def figures(shift: float = 0.0, *, synthetic: bool = True, name: str = "tiny") -> dict[str, Any]:
    """Return a cell's `metrics.json`: model number i has NDCG@10 of i / 100 + shift."""
    return {
        "dataset": {
            "name": name,
            "synthetic": synthetic,
            "test_sessions": 1234,
            "cold_targets": 3,
        },
        "models": {
            model: {
                "recall@5": 0.05,
                "recall@10": 0.1,
                "ndcg@10": place / 100 + shift,
                "mrr@10": 0.05,
                "parameters": 6010,
                "bytes": 24_500 + 1000 * place,
            }
            for place, model in enumerate(MODELS)
        },
        "differences": {
            "distilled_minus_student": {"ndcg@10": {"mean": 0.02, "low": 0.01, "high": 0.03}}
        },
        "labels": {"asked": 500, "usable": 487, "with_target": 99},
    }


def interval(mean: float) -> dict[str, float]:
    """Return a mean with an interval around it."""
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}


def card(*, offer_known: bool = True) -> dict[str, Any]:
    """Return a cell's `card.json`: hits at k rise with k, chance reaches half of them."""
    labels = {f"hit@{k}": k / 50 for k in (1, 5, 10, 25)} | {"ndcg@10": 0.123}
    compared = {
        name: {"mean": of / 2, "difference": interval(of / 2)} for name, of in labels.items()
    }
    nothing = {"sessions": 0, "why": "what was offered is not known"}
    seen = {"sessions": 0, "why": "this teacher has seen the sessions"}
    return {
        "labeller": {
            "provider": "similarity",
            "endpoint": None,
            "model": None,
            "offline_stand_in": True,
        },
        "sessions": 500,
        "answered": 498,
        "outcomes": {"usable": 487, "too_short": 11, "refused": 0, "truncated": 0, "missing": 2},
        "form": {
            "readings": {"strict": 490, "repaired": 8},
            "with_repeats": 3,
            "with_foreign": 4,
            "repeats": 5,
            "foreign": 6,
            "empty": 0,
            "named_mean": 24.9,
        },
        "target_offered": 0.42 if offer_known else None,
        "labels": {name: interval(of) for name, of in labels.items()},
        "against": {
            "chance": {"sessions": 498, **compared} if offer_known else nothing,
            "popularity": {"sessions": 490, **compared} if offer_known else nothing,
            "similarity": nothing,
            "teacher": seen if offer_known else nothing,
        },
        "position": {
            "sessions": 498,
            "first": interval(0.31),
            "named": interval(0.45),
            "order": interval(0.17),
        }
        if offer_known
        else None,
        "agreement": {"sessions": 11, "overlap": interval(0.77)},
        "cost": {
            "answers": 512,
            "prompt_tokens": 123_456,
            "completion_tokens": 7_890,
            "usd": 1.5,
            "usd_per_label": 1.5 / 498,
            "usd_per_useful_label": 1.5 / 487,
        },
    }


def place(paths: Paths, cell: Cell, metrics: dict[str, Any]) -> None:
    """Write what `select`, `labelled` and `evaluate` leave of a cell below `reports`."""
    files.write_json(paths.metrics(cell), metrics)
    files.write_json(paths.card(cell), card())
    steps, models = range(0, 600, 20), ("student", "teacher", "distilled", "control")
    tables: dict[str, list[dict[str, Any]]] = {
        "training": [
            {
                "step": step,
                "model": model,
                "validation_ndcg": 0.2 - (0.1 + at / 40) / (1 + step / 50),
            }
            for at, model in enumerate(models)
            for step in steps
        ],
        "quality": [
            {"cutoff": k, "model": model, "recall": 1 - (1 - at / 50) ** k}
            for at, model in enumerate(MODELS)
            for k in range(1, 51)
        ],
        "selection": [{"decile": at, "selected": 60 - 6 * at, "pool": 90} for at in range(1, 11)],
        "policies": [
            {"decile": at, "policy": policy, "selected": 30.0 + (at - 5.5) * (number - 3)}
            for number, policy in enumerate(POLICIES)
            for at in range(1, 11)
        ],
    }
    for name, rows in tables.items():
        text = pl.DataFrame(rows).write_csv()
        files.write_bytes(paths.plots(cell) / f"{name}.csv", text.encode())


def place_data(paths: Paths, cell: Cell) -> None:
    """Write the tables of a cell and its dataset: 40 sessions, 25 labels, some titles hostile."""
    generator = np.random.default_rng(7)
    titles = [*HOSTILE, *(f"The Film of {number}" for number in range(ITEMS - len(HOSTILE)))]
    catalog = pl.DataFrame(
        {
            "item_index": range(1, ITEMS + 1),
            "item_id": [f"i{number}" for number in range(ITEMS)],
            "title": titles,
            "training_events": [3] * ITEMS,
        },
        schema=CATALOG.columns,
    )
    orders = [generator.permutation(ITEMS) + 1 for _ in range(SESSIONS_MADE)]
    orders[0] = np.arange(1, ITEMS + 1)  # the first session names every hostile title
    sessions = pl.DataFrame(
        {
            "session_id": range(SESSIONS_MADE),
            "part": ["training"] * SESSIONS_MADE,
            "items": [order[:8].tolist() for order in orders],
            "started_at": [None] * SESSIONS_MADE,
            "ended_at": [None] * SESSIONS_MADE,
        },
        schema=SESSIONS.columns,
    )
    offered = [[order[7], *order[8:27]] for order in orders[:LABELS]]
    selected = pl.DataFrame(
        {
            "session_id": range(LABELS),
            "difficulty_rank": range(1, LABELS + 1),
            "difficulty": [-0.5] * LABELS,
            "inclusion_probability": [0.5] * LABELS,
            "candidates": [list(map(int, one)) for one in offered],
        },
        schema=SELECTED.columns,
    )
    usable = [number % 5 != 4 for number in range(LABELS)]
    rankings = [
        list(map(int, [*one[1:8], one[0]])) if good else []
        for one, good in zip(offered, usable, strict=True)
    ]
    labelled = pl.DataFrame(
        {
            "session_id": range(LABELS),
            "ranking": rankings,
            "outcome": ["usable" if good else "too_short" for good in usable],
            "reading": ["strict"] * LABELS,
            "foreign": [0] * LABELS,
            "repeated": [0] * LABELS,
            "contains_target": usable,
        },
        schema=LABELLED.columns,
    )
    CATALOG.write(catalog, paths.sessions(cell.dataset))
    SESSIONS.write(sessions, paths.sessions(cell.dataset))
    SELECTED.write(selected, paths.selected(cell))
    LABELLED.write(labelled, paths.labelled(cell))


def runs(dataset: str) -> list[Run]:
    """Return a small grid: the main comparison and a study of every kind."""
    studies = [
        *made_runs.table(METHODS, seeds_of=(1,)),
        *made_runs.labels_study(seeds_of=(1,)),
        *made_runs.dimensions_study(seeds_of=(1,)),
        made_runs.run("itemknn", study="bytes", setting={"form": "pruned"}, quality=-0.3),
        made_runs.run("student", study="bytes", setting={"form": "int8"}),
        *(
            made_runs.run("exact", study="shares", setting={"effective": one, "incorrect": other})
            for one in (0.05, 0.1, 0.2)
            for other in (0.25, 0.4)
        ),
        *(made_runs.run("exact", study="counts", setting={"counts": of}) for of in COUNTS),
        *(
            made_runs.run("exact", study="correctness", setting={"rate": rate}, quality=rate)
            for rate in (0.0, 0.5, 1.0)
        ),
    ]
    return [replace(one, dataset=dataset, usd=0.0172 * one.labels) for one in studies]


def grid(*datasets: str, params: EvaluateParams, cut: str | None = None) -> dict[str, Any]:
    """Return a grid's `figures.json`, made by the code that makes real ones."""
    every = [run for dataset in datasets for run in runs(dataset)]
    test = dict.fromkeys(datasets, made_runs.made_sessions())
    return {
        "grid": "paper",
        "complete": cut is None,
        "finished": 90,
        "planned": 90 if cut is None else 120,
        "seeds": {"table fpmc": 2, "labels fpmc": 2},
        "cut": cut,
        "made": {
            "parameters": {"select": {"count": 500}, "label": {"provider": "replay"}},
            "data": dict.fromkeys(datasets, "0f" * 32),
            "versions": {"torch": "2.13.0", "polars": "2.1.0"},
            "code": ["5ae01ad"],
            "code_now": "5ae01ad",
            "taken_over": 3,
            "prices": {"model": "gpt-4", "usd": 0.0172, "source": "a paper", "date": "2024"},
        },
        "tuned": {f"{name} strong de": 0.1 for name in datasets},
        "answers": {
            f"{name}/fpmc/strong/1": {"effective": 900, "similar": 1_500, "incorrect": 600}
            for name in datasets
        },
        "datasets": evidence.figures(every, test, params),
    }


def project(root: Path, *, dataset: str = "tiny", seeds: tuple[int, ...] = (1,)) -> Paths:
    """Write a small project with two recipes below a folder and return its paths."""
    paths = Paths(root)
    for recipe in RECIPES:
        for seed in seeds:
            cell = Cell(dataset, "fpmc", recipe, seed)
            place(paths, cell, figures(seed / 1000, synthetic=dataset == "tiny", name=dataset))
            place_data(paths, cell)
    return paths


def parameters(*, dataset: str = "tiny", seeds: tuple[int, ...] = (1,), **more: Any) -> Params:
    """Return the shipped parameters with other cells, and a report's title if it is named."""
    shipped = read_params(PROJECT / "params.yaml")
    lists = {"datasets": (dataset,), "backbones": ("fpmc",), "recipes": RECIPES, "seeds": seeds}
    run, report = shipped.run.model_copy(update=lists), shipped.report.model_copy(update=more)
    return shipped.model_copy(update={"run": run, "report": report})


def fast(params: Params) -> EvaluateParams:
    """Return the evaluation's parameters with few draws: a test of the page needs no more."""
    return params.evaluate.model_copy(update={"bootstrap_draws": 40, "cutoffs": (5,)})
