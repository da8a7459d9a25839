"""Models to be served, with their graphs and sessions: what `parity` and `serving` measure.

The models are those that ``python -m benchmarks.accuracy`` or ``distilrec grid paper`` trained on
the published datasets, seed 1; where neither has, one is trained for a few steps: enough for
weights that no initial draw has. Graphs, and what is trained here, are kept in ``.cache/serving``.
Needs the extra `serve`; DISTILREC_DATA_HOME names the folder of the datasets, without it made
sessions take their place.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from benchmarks.workload import Workload, published
from pipeline import files
from pipeline.export import graph
from pipeline.export.int8 import ServedInt8
from pipeline.export.served import Served
from pipeline.params import read_params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import recipes, registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches

FILMS, GAMES = "hetrec2011-ml", "amazon-games"
COUNTS = {FILMS: (12_323, 8_475), GAMES: (20_091, 26_138)}
"""Sessions and items of made data, where the published one is not found."""

WORK = Path(".cache/serving")
TRAINED = Paths(Path(".cache/accuracy/main"))
GRID = Path(".cache/grid/models")
SESSIONS = 10_000
STEPS = 10


@dataclass(frozen=True)
class Subject:
    """A model to be served."""

    dataset: str
    backbone: str
    recipe: str
    role: str  # student, teacher, or distilled

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.dataset}, {self.backbone} {self.recipe} {self.role}"

    @property
    def folder(self) -> Path:
        """Where its weights are, or will be."""
        cell = Cell(self.dataset, self.backbone, self.recipe, 1)
        trained = TRAINED.models(cell)[self.role], GRID / self.role / cell.folder
        here = WORK / workload(self.dataset).source / cell.folder / self.role
        return next((one for one in trained if one.is_dir()), here)


def subjects(dataset: str) -> Iterator[Subject]:
    """Yield a dataset's models: all of FPMC's, three of every other backbone."""
    for recipe in ("strong", "published"):
        for role in ("student", "teacher", "distilled"):
            yield Subject(dataset, "fpmc", recipe, role)
    for backbone in ("stamp", "attenmixer", "gru4rec", "sasrec"):
        yield Subject(dataset, backbone, "strong", "student")
        yield Subject(dataset, backbone, "strong", "teacher")
        yield Subject(dataset, backbone, "published", "student")


@lru_cache
def workload(dataset: str) -> Workload:
    """Return a dataset's sessions."""
    return published(dataset, read_params(Paths().params), *COUNTS[dataset])


def model_of(subject: Subject) -> EmbeddingRecommender:
    """Return a model, trained for some steps if it is nowhere."""
    if not subject.folder.is_dir():
        params, work = read_params(Paths().params).training, workload(subject.dataset)
        recipe = params.recipe(subject.recipe, subject.backbone)
        role = recipe.teacher if subject.role == "teacher" else recipe.student
        fit = recipe.fit.model_copy(update={"max_steps": STEPS, "evaluate_every": STEPS})
        own = getattr(params.backbones, subject.backbone)
        model = registry.build(subject.backbone, work.n_items, fit, role, own)
        parts = recipes.by_part(work.sessions, torch.device("cpu"))
        recipes.train(model, parts, fit, role, 1, subject.name)
        described = registry.describe(subject.backbone, work.n_items, fit, role, own)
        registry.save_neural(subject.folder, model, described)
    return registry.load_neural(subject.folder).eval()


def form_of(subject: Subject, model: EmbeddingRecommender, *, int8: bool) -> Served:
    """Return the served form of a model; items without a training event are cold."""
    work = workload(subject.dataset)
    training = work.sessions.filter(pl.col("part") == "training")["items"].explode()
    cold = torch.ones(work.n_items, dtype=torch.bool)
    cold[torch.from_numpy(training.unique().to_numpy().astype("int64")) - 1] = False
    return (ServedInt8 if int8 else Served)(model, cold)


def graph_of(subject: Subject, served: Served, *, int8: bool) -> bytes:
    """Return a model's graph, kept under the hash of its weights."""
    weights = (subject.folder / "weights.safetensors").read_bytes()
    code = b"".join(path.read_bytes() for path in sorted(Path("pipeline/export").glob("*.py")))
    name = hashlib.sha256(weights + code).hexdigest()[:16]
    path = WORK / "graphs" / f"{name}{'-int8' if int8 else ''}.onnx"
    if not path.exists():
        files.write_bytes(path, graph.to_onnx(graph.traced(served)))
    return path.read_bytes()


def inputs(dataset: str) -> Tensor:
    """Return sessions of all parts without their targets, spread evenly.  # S L."""
    batches = SessionBatches.of(workload(dataset).sessions)
    examples = batches.examples("last")
    chosen = torch.linspace(0, len(examples) - 1, min(SESSIONS, len(examples))).long()
    longest = int((examples[:, 1] - examples[:, 0]).max())
    return batches.inputs(examples[chosen], longest)
