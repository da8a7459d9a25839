"""How a recipe trains a recommender: its examples, its loss, and validation NDCG@10."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch
from torch import Tensor

from pipeline import seeds
from pipeline.errors import DataError, ParamsError
from pipeline.params.training import FitParams, RoleParams, TrainingParams
from pipeline.paths import Cell
from pipeline.recommenders import losses, ranking, registry, training
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.distributed import ALONE, Team
from pipeline.tables import TRAINING_LOG

Role = Literal["teacher", "student"]


@dataclass(frozen=True)
class Trained:
    """A recommender with its best weights, what rebuilds it, and how it got there."""

    model: EmbeddingRecommender
    description: dict[str, Any]
    log: pl.DataFrame

    @property
    def steps(self) -> int:
        """Steps taken until training stopped."""
        return int(self.log["step"][-1])

    @property
    def validation_ndcg(self) -> float:
        """The best figure seen, that of the weights kept."""
        return float(self.log.filter(pl.col("best"))["validation_ndcg"][0])

    def save(self, folder: Path) -> None:
        """Write weights, configuration and training log."""
        registry.save_neural(folder, self.model, self.description)
        TRAINING_LOG.write(self.log, folder)


def train_role(
    role: Role,
    params: TrainingParams,
    cell: Cell,
    sessions: pl.DataFrame,
    n_items: int,
    root: Path,
    team: Team = ALONE,
) -> Trained:
    """Train a cell's teacher or student.

    Args:
        role: decides width, speed and regularisation, by ``training.recipes.<recipe>.<role>`` and
            what the backbone wants otherwise.
        params: recipes and backbones.
        cell: backbone, recipe and seed.
        sessions: the table SESSIONS.
        n_items: real items in the catalogue.
        root: folder of unfinished trainings.
        team: processes that train together; each is given the same trained model.
    """
    recipe = params.recipe(cell.recipe, cell.backbone)
    own: RoleParams = getattr(recipe, role)
    backbone = getattr(params.backbones, cell.backbone)
    device = _device(params.shared.device, team)
    model = registry.build(cell.backbone, n_items, recipe.fit, own, backbone).to(device)
    parts = by_part(sessions, device)
    rows, where = sessions.hash_rows().sum(), (device, team.size)
    what = (role, cell, recipe.fit, own, backbone, n_items, rows, where)
    label = f"{role} {cell.folder}"
    folder = training_folder(root, *what)
    log = train(model, parts, recipe.fit, own, seeds.derive(cell.seed, role), label, folder, team)
    description = registry.describe(cell.backbone, n_items, recipe.fit, own, backbone)
    return Trained(model.cpu(), description, log)


def _device(wanted: str, team: Team) -> torch.device:
    if team.size > 1 and wanted not in ("auto", "cpu"):
        raise ParamsError(
            f"training.shared.device: torchrun trains on the processor, not on '{wanted}'; give cpu"
        )
    return registry.device("cpu" if team.size > 1 else wanted)


def by_part(sessions: pl.DataFrame, device: torch.device) -> dict[str, SessionBatches]:
    """Return the sessions of each part on a device."""
    parts = ("training", "validation", "test")
    chosen = {part: sessions.filter(pl.col("part") == part) for part in parts}
    return {part: SessionBatches.of(rows).to(device) for part, rows in chosen.items()}


def train(
    model: EmbeddingRecommender,
    parts: dict[str, SessionBatches],
    fit: FitParams,
    role: RoleParams,
    seed: int,
    label: str,
    checkpoint: Path | None = None,
    team: Team = ALONE,
) -> pl.DataFrame:
    """Draw a model's weights, train it by a recipe, and return the training log.

    Args:
        model: of any backbone, on the device where training runs.
        parts: the parts ``training`` and ``validation`` of the sessions.
        fit: what the recipe's teacher and student share.
        role: what is the teacher's or the student's own.
        seed: decides weights, shuffles and dropout.
        label: what the progress line says.
        checkpoint: folder for unfinished work.
        team: processes that train together.
    """
    model.initialise(seeds.torch_generator(seed, "weights"))
    examples = parts["training"].examples(fit.examples)
    schedule = training.Schedule(
        batch=fit.batch,
        learning_rate=role.learning_rate,
        weight_decay=role.weight_decay,
        average=fit.average,
        evaluate_every=fit.evaluate_every,
        patience=role.patience,
        max_steps=fit.max_steps,
    )
    loss = recipe_loss(model, parts["training"], fit, seed, team)
    figure = validation_ndcg(model, parts["validation"])
    return training.fit(
        model, len(examples), loss, figure, schedule, seed, label, checkpoint, team=team
    )


def recipe_loss(
    model: EmbeddingRecommender,
    sessions: SessionBatches,
    fit: FitParams,
    seed: int,
    team: Team = ALONE,
) -> Callable[[Tensor, int], Tensor]:
    """Return the recipe's loss of a batch, as a function of example numbers and the step.

    With several processes it is the part that the own share of the rows has in the mean.
    """
    examples = sessions.examples(fit.examples)

    def loss(rows: Tensor, step: int) -> Tensor:
        own = team.share(len(rows))
        if own.start == own.stop:
            return torch.zeros((), requires_grad=True)
        chosen = examples[rows.to(examples.device)]
        queries = model.encode(sessions.inputs(chosen[own], fit.max_length))
        return mean(queries, sessions.targets(chosen), own, step) * (len(queries) / len(rows))

    def mean(queries: Tensor, targets: Tensor, own: slice, step: int) -> Tensor:
        if fit.loss == "in_batch_bpr":
            vectors, offsets = model.item_vectors(targets), model.item_offsets(targets)
            return losses.in_batch_bpr(queries, vectors, offsets, own)
        if fit.loss == "softmax":
            every = slice(1, None)  # the padding is no item
            bias = None if model.bias is None else model.bias[every]
            vectors = model.item_vectors(every)
            return losses.softmax_cross_entropy(queries, vectors, bias, targets[own] - 1)
        generator = seeds.torch_generator(seed, "negatives", step)
        drawn = torch.randint(1, model.n_items + 1, (fit.sampled_negatives,), generator=generator)
        return losses.sampled_softmax(model, queries, targets[own], drawn.to(targets.device))

    return loss


def validation_ndcg(model: EmbeddingRecommender, sessions: SessionBatches) -> Callable[[], float]:
    """Return the figure that early stopping maximises: NDCG@10 of the last items of sessions.

    Called where there is no session to measure it on, it raises DataError.
    """
    examples = sessions.examples("last")

    def figure() -> float:
        if len(examples) == 0:
            raise DataError(
                "the validation part has no session, so nothing could say when to stop training; "
                "use more data or another sessions.split"
            )
        return ranking.ndcg_at_10(ranking.target_ranks(model, sessions, examples))

    return figure


def training_folder(root: Path, *what: object) -> Path:
    """Return a checkpoint's folder, named by everything that decides the training."""
    text = json.dumps([_code(), torch.__version__, *(str(part) for part in what)])
    return root / hashlib.sha256(text.encode()).hexdigest()[:24]


def _code() -> str:
    """Return a digest of this package: other code must not finish what this one began."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
