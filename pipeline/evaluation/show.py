"""The results table for reading: one block a dataset, both recipes, money and intervals."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from pipeline import console
from pipeline.evaluation import seconds
from pipeline.evaluation.results import (
    COUNTING,
    Metrics,
    Row,
    bought,
    labelled_by,
    labeller,
    mean_and_sd,
    over_seeds,
    read_cells,
    rows,
    undistilled,
    without_student,
)
from pipeline.params.run import RunParams
from pipeline.paths import Cell, Paths, cells

SHOWN = ("recall@10", "recall@20", "ndcg@10", "mrr@10")
HEADERS = ("model", "R@10", "R@20", "NDCG@10", "MRR@10", "parameters", "kB", "train s")
COMPARISONS = ("distilled_minus_student", "distilled_minus_control")
STAGES = {"student": "student", "teacher": "teacher", "distilled": "distill"}
"""The stage whose duration is a model's training time."""


def show(paths: Paths, run: RunParams, *, as_json: bool) -> None:
    """Print the figures of the run's cells: a table a dataset, or rows as JSON.

    Raises:
        DataError: no cell has been evaluated.
    """
    found = read_cells(paths, run)
    if as_json:
        console.out.print_json(json.dumps([asdict(row) for row in rows(found)]))
        return
    missing = len(cells(run)) - len(found)
    for dataset in dict.fromkeys(cell.dataset for cell in found):
        _block(paths, {cell: of for cell, of in found.items() if cell.dataset == dataset})
    if not any(paths.ranks(cell).exists() for cell in found):
        console.note("these figures are those in Git; nothing was evaluated here: run `dvc repro`")
    if missing:
        console.note(f"{missing} of {len(cells(run))} cells are not evaluated yet; run `dvc repro`")


def _block(paths: Paths, found: dict[Cell, Metrics]) -> None:
    cell, first = next(iter(found.items()))
    about, labels = first["dataset"], bought(paths, cell.dataset)
    kind = "SYNTHETIC data, made up to try the pipeline" if about["synthetic"] else "real data"
    console.out.print(
        f"{cell.dataset}: {kind}\n{about['test_sessions']:,} test sessions, "
        f"{about['cold_targets']:,} with a target never seen in training"
    )
    console.table(HEADERS, _lines(paths, found), whole_lines=True)
    who = dict.fromkeys(labelled_by(labeller(paths, one)) for one in found)
    for text in (*_differences(found), *who):
        console.out.print(text, markup=False)
    console.out.print(
        f"labels bought: {labels['count']:,}, "
        f"{labels['prompt_tokens'] + labels['completion_tokens']:,} tokens, "
        f"${labels['cost_usd']:,.2f}, {labels['seconds']:,.0f} s of answering\n",
        markup=False,
    )


def _lines(paths: Paths, found: dict[Cell, Metrics]) -> Iterator[list[str]]:
    """Yield the table's lines: counting models once, then each backbone and recipe."""
    table: dict[tuple[str, str], dict[str, dict[str, Row]]] = {}
    for row in rows(found):
        where = ("", "") if row.model in COUNTING else (row.backbone, row.recipe)
        metrics = table.setdefault(where, {}).setdefault(row.model, {})
        metrics.setdefault(row.metric, row)
    for where, models in table.items():
        if any(where):
            yield [" ".join(where), *[""] * (len(HEADERS) - 1)]
        for model, metrics in models.items():
            yield [
                f"  {model}" if any(where) else model,
                *(_figure(metrics.get(name)) for name in SHOWN),
                f"{metrics['parameters'].mean:,.0f}",
                f"{metrics['bytes'].mean / 1000:,.0f}",
                _seconds(paths, found, where, model),
            ]


def _figure(row: Row | None) -> str:
    if row is None:
        return "-"
    if row.sd is None or row.model in COUNTING:
        return f"{row.mean:.4f}"
    return f"{row.mean:.4f} ± {row.sd:.4f}"


def _seconds(paths: Paths, found: dict[Cell, Metrics], where: tuple[str, str], model: str) -> str:
    """Return the mean training time of a model here, '-' if it was not trained here."""
    if model not in STAGES:
        return "-"
    taken = [
        seconds.read(paths, STAGES[model], *cell.folder.split("/"))
        for cell in found
        if (cell.backbone, cell.recipe) == where
    ]
    known = [one for one in taken if one is not None]
    return f"{sum(known) / len(known):,.1f}" if known else "-"


def _differences(found: dict[Cell, Metrics]) -> Iterator[str]:
    """Yield what distillation adds in each backbone and recipe, with its interval."""
    yield "NDCG@10 that distilling adds, and its 95 % interval over test sessions:"
    for (_, backbone, recipe), seeds in over_seeds(found).items():
        usable, asked = (sum(one["labels"][of] for one in seeds) for of in ("usable", "asked"))
        yield f"{backbone} {recipe}: {usable:,} of {asked:,} labels usable"
        for name in COMPARISONS:
            every = [
                one["differences"][name]["ndcg@10"] for one in seeds if name in one["differences"]
            ]
            if every:
                yield f"  {name.replace('_', ' ')}  {_difference(every)}"
        for told in (undistilled(seeds), without_student(seeds)):
            if told:
                yield f"  {told}"


def _difference(every: list[dict[str, float]]) -> str:
    mean, sd = mean_and_sd(one["mean"] for one in every)
    if sd is None:
        return f"{mean:+.4f}  ({every[0]['low']:+.4f} to {every[0]['high']:+.4f})"
    above, below = sum(one["low"] > 0 for one in every), sum(one["high"] < 0 for one in every)
    return (
        f"{mean:+.4f} ± {sd:.4f}  (intervals of {len(every)} seeds: {above} above 0, {below} below)"
    )
