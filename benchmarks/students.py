"""What ten bytes an item can do: students of forty numbers, and the same ones in product codes.

python -m benchmarks.students [DATASET ..]

Needs the sessions of `benchmarks.accuracy`. Works in ``.cache/students``; what is finished there is
not made again, so it can be interrupted. The test part is read after everything was trained; of
the seeds only 11 decided anything, by validation (where offsets start). It takes an hour on a core.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import polars as pl
import torch

from benchmarks.accuracy import FILMS, GAMES, MAIN
from benchmarks.accuracy import ROOT as ACCURACY
from benchmarks.record import record
from pipeline import seeds
from pipeline.errors import PipelineError
from pipeline.params import read_params
from pipeline.params.backbones import FpmcParams
from pipeline.params.training import FitParams, RoleParams
from pipeline.paths import Cell, Paths
from pipeline.recommenders import recipes, registry
from pipeline.recommenders.base import EmbeddingRecommender, Recommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.compact.coding import Coding, code
from pipeline.recommenders.hybrid import StudentShares
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks
from pipeline.recommenders.training import Schedule, fit
from pipeline.tables import CATALOG, SESSIONS, TRAINING_LOG

ROOT = Path(".cache/students")
SEEDS = (11, 12, 13, 14, 15)
WIDE = RoleParams(dimension=40, learning_rate=8e-3, weight_decay=0.1, dropout=0.2, patience=5)
SCHEDULE = Schedule(
    batch=512,
    learning_rate=WIDE.learning_rate,
    weight_decay=WIDE.weight_decay,
    average=0.99,
    evaluate_every=200,
    patience=1000,  # none: the speed falls to zero instead
    max_steps=1000,
    settle=0.5,
)
"""Chosen on validation; docs/trials.md has what else was tried."""
CODED = {"ten": Coding(numbers=10), "twenty": Coding(numbers=20)}
SCORED = ("model.json", "weights.safetensors")
"""Files that scoring needs."""
FORMS = {
    "wide": "d = 40",
    "ten": "d = 40 in 10 bytes an item",
    "twenty": "d = 40 in 20 bytes an item",
    "together": "four of those in 10 bytes, averaged",
}
AIMS = {
    (FILMS, "ten", "recall@10"): ">= .050",
    (FILMS, "ten", "ndcg@10"): ">= .028",
    (GAMES, "ten", "recall@10"): ">= .105",
    (GAMES, "ten", "ndcg@10"): ">= .065",
}


@dataclass(frozen=True)
class Material:
    """A dataset's sessions and the strong recipe."""

    dataset: str
    parts: dict[str, SessionBatches]
    n_items: int
    fit: FitParams

    @classmethod
    def of(cls, dataset: str) -> "Material":
        """Read a dataset's tables.

        Raises:
            PipelineError: they were not made yet.
        """
        tables = Paths(ACCURACY / MAIN.folder).sessions(dataset)
        if not tables.exists():
            raise PipelineError(f"{tables} is missing; run `python -m benchmarks.accuracy` first")
        fit = read_params(Paths().params).training.recipes["strong"].fit
        parts = recipes.by_part(SESSIONS.read(tables), torch.device("cpu"))
        return cls(dataset, parts, len(CATALOG.read(tables)), fit)


def folder_of(form: str, dataset: str, seed: int) -> Path:
    """Return a model's folder."""
    return ROOT / form / Cell(dataset, "fpmc", "strong", seed).folder


def train_wide(material: Material, seed: int) -> tuple[EmbeddingRecommender, pl.DataFrame]:
    """Return a student of forty numbers an item and its training log."""
    model = registry.build("fpmc", material.n_items, material.fit, WIDE, FpmcParams())
    own = seeds.derive(seed, "student")
    model.initialise(seeds.torch_generator(own, "weights"))
    training = material.parts["training"]
    _start_at_popularity(model, training)
    loss = recipes.recipe_loss(model, training, material.fit, own)
    figure = recipes.validation_ndcg(model, material.parts["validation"])
    examples = len(training.examples(material.fit.examples))
    label = f"{material.dataset} {seed}"
    kept = recipes.training_folder(ROOT / "checkpoints", label, WIDE, SCHEDULE, material.fit)
    return model, fit(model, examples, loss, figure, SCHEDULE, own, label, kept)


@torch.no_grad()
def _start_at_popularity(model: EmbeddingRecommender, training: SessionBatches) -> None:
    """Start offsets at half the logarithm of popularity, which saves the first steps."""
    events = torch.bincount(training.items, minlength=model.n_items + 1)
    if model.bias is not None:
        model.bias[1:] = 0.5 * (events[1:] + 0.1).log()  # something for those never seen


def train(material: Material, seed: int) -> None:
    """Train a student of forty numbers an item and code it, where that was not done."""
    described = registry.describe("fpmc", material.n_items, material.fit, WIDE, FpmcParams())
    label = f"{material.dataset} {seed}"
    wide = folder_of("wide", material.dataset, seed)
    if not (wide / "model.json").exists():
        model, log = train_wide(material, seed)
        TRAINING_LOG.write(log, wide)
        registry.save_neural(wide, model, described)
    for form, coding in CODED.items():
        folder = folder_of(form, material.dataset, seed)
        if not (folder / "model.json").exists():
            model = registry.load_neural(wide)
            told = f"{form} {label}"
            done = code(model, described, material.parts, material.fit, coding, seed, told)
            TRAINING_LOG.write(done.log, folder)
            registry.save(folder, done.description, done.tensors)


def models(material: Material, form: str) -> Iterator[tuple[Recommender, int]]:
    """Yield a form's models, a seed after the other, and the bytes of each.

    Of the form ``together`` there is one for each seed: the mean softmax of all students in
    ten bytes but that seed's.
    """
    own = "ten" if form == "together" else form
    folders = [folder_of(own, material.dataset, seed) for seed in SEEDS]
    sizes = [sum((one / name).stat().st_size for name in SCORED) for one in folders]
    if form == own:
        yield from zip(map(registry.load, folders), sizes, strict=True)
        return
    students = [registry.load_neural(one) for one in folders]
    items = material.parts["training"].items
    events = torch.bincount(items, minlength=material.n_items + 1).float().numpy()
    for left_out in range(len(SEEDS)):
        kept = [one for place, one in enumerate(students) if place != left_out]
        yield StudentShares(kept, events), sum(sizes) - sizes[left_out]


def figures(material: Material, form: str, part: str) -> dict[str, list[float]]:
    """Return a form's figures on a part, and its bytes: a number a seed each."""
    sessions = material.parts[part]
    found: dict[str, list[float]] = {"recall@10": [], "ndcg@10": [], "bytes": []}
    for model, size in models(material, form):
        ranks = target_ranks(model, sessions, sessions.examples("last"))
        found["recall@10"].append(float((ranks <= 10).float().mean()))
        found["ndcg@10"].append(ndcg_at_10(ranks))
        found["bytes"].append(size)
    return found


def rows(material: Material) -> Iterator[dict[str, Any]]:
    """Yield a dataset's rows of ``results.json``, those of validation beside those of test."""
    command = "python -m benchmarks.students"
    for form, told in FORMS.items():
        tested, seen = (figures(material, form, part) for part in ("test", "validation"))
        for metric, values in tested.items():
            size = metric == "bytes"
            spread = "" if size else f", sd {stdev(values):.4f}"
            validation = "" if size else f", validation {fmean(seen[metric]):.4f}"
            yield {
                "name": f"{material.dataset}, strong student, {told}: {metric}",
                "value": fmean(values),
                "unit": f"mean of {len(values)} seeds{spread}{validation}",
                "aim": AIMS.get((material.dataset, form, metric), "beside it"),
                "rival": None,
                "command": f"{command} {material.dataset}",
            }


def main(datasets: list[str]) -> None:
    """Train what is missing of the datasets' students, then read the test part and record."""
    for material in map(Material.of, datasets or [FILMS, GAMES]):
        for seed in SEEDS:
            train(material, seed)
        record(rows(material))


if __name__ == "__main__":
    main(sys.argv[1:])
