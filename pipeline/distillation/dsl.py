"""DSL, dynamic sparse learning (Wang et al. 2024, WWW): no distillation, a wide sparse model.

A model of the teacher's width, of which as many numbers live as the student has, is trained from
scratch as the teacher was. Every 100 steps a share of the living weights, those nearest zero, die,
and as many of the dead are born where the gradient is steepest (`masks`); the share falls from 0.5
to 0.005 as a cosine.

Departures: all matrices are sparse, at one density, vectors (offsets, norms, places) are not; the
share falls over the first 1,000 steps and no weight moves later, since early stopping's last step
is not known beforehand; moments of AdamW are cleared where a weight was dead, which the authors'
code does for momentum alone; weights die by count, not by a threshold that takes ties with it; in
each row one weight survives. Regrowing needs dense gradients, so the training is not small, only
the model. Where the numbers are takes memory of its own (`index_bytes`: a bit for each place).
"""

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Optimizer

from pipeline import seeds
from pipeline.distillation import masks
from pipeline.distillation.material import Learned, Material
from pipeline.distillation.student import Lesson
from pipeline.params.training import RoleParams
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.recipes import recipe_loss, validation_ndcg
from pipeline.recommenders.training import Schedule, fit

EVERY, SETTLED = 100, 1000
"""Steps between exchanges, and the step after which there are none."""
FIRST_SHARE, LAST_SHARE = 0.5, 0.005


def learn(material: Material, _: float, lesson: Lesson) -> Learned:
    """Train a sparse model of the teacher's form with as many numbers as the student has."""
    if material.role is None:
        raise ValueError("dsl is trained as the teacher was: Material.role says how")
    seed = seeds.derive(lesson.seed, "dsl")
    model = copy.deepcopy(material.teacher).requires_grad_(True)
    model.initialise(seeds.torch_generator(seed, "weights"))
    sparse = Sparse(model, numbers_of(material.student), seeds.torch_generator(seed, "masks"))

    training = lesson.parts["training"]
    figure = validation_ndcg(model, lesson.parts["validation"])

    def masked_figure() -> float:
        sparse.apply()  # a running mean remembers weights that have died
        return figure()

    loss = recipe_loss(model, training, lesson.recipe, seed)
    examples, label = len(training.examples(lesson.recipe.examples)), f"dsl {lesson.label}"
    schedule = _schedule(material.role, lesson)
    log = fit(
        model, examples, loss, masked_figure, schedule, seed, label, after_step=sparse.after_step
    )
    return Learned(model, log, "teacher", sparse.numbers, sparse.index_bytes)


def _schedule(role: RoleParams, lesson: Lesson) -> Schedule:
    return Schedule(
        batch=lesson.recipe.batch,
        learning_rate=role.learning_rate,
        weight_decay=role.weight_decay,
        average=lesson.recipe.average,
        evaluate_every=lesson.recipe.evaluate_every,
        patience=role.patience,
        max_steps=lesson.recipe.max_steps,
    )


def share_at(step: int) -> float:
    """Return the share of living weights that are exchanged after a step."""
    progress = min(step / SETTLED, 1.0)
    return LAST_SHARE + (FIRST_SHARE - LAST_SHARE) * (1 + math.cos(math.pi * progress)) / 2


class Sparse:
    """The masks of a model's matrices, kept while it is trained."""

    def __init__(
        self, model: EmbeddingRecommender, numbers: int, generator: torch.Generator
    ) -> None:
        self._model = model
        counts = living(model, numbers)
        self.masks = {
            name: masks.drawn(weight.shape, counts[name], padded, generator).to(weight.device)
            for name, weight, padded in matrices(model)
        }
        self.apply()

    @property
    def numbers(self) -> int:
        """Numbers that live, those of vectors included."""
        dense = sum(one.numel() for one in self._model.parameters() if one.dim() != 2)
        return dense + sum(int(mask.sum()) for mask in self.masks.values())

    @property
    def index_bytes(self) -> int:
        """Bytes of one bit for each place of a matrix."""
        return sum(-(-mask.numel() // 8) for mask in self.masks.values())

    @torch.no_grad()
    def apply(self) -> None:
        """Set dead weights to zero."""
        for name, weight, _ in matrices(self._model):
            weight.mul_(self.masks[name])

    @torch.no_grad()
    def after_step(self, optimizer: Optimizer, step: int) -> None:
        """Keep the dead at zero; exchange some where it is time."""
        self.apply()
        if step % EVERY == 0 and 0 < step < SETTLED:  # just after a look at validation, not before
            for name, weight, padded in matrices(self._model):
                self._exchange(name, weight, padded, share_at(step), optimizer)
            self.apply()

    def _exchange(
        self, name: str, weight: Tensor, padded: bool, share: float, optimizer: Optimizer
    ) -> None:
        old = self.masks[name]
        slope = weight.grad if weight.grad is not None else torch.zeros_like(weight)
        self.masks[name] = masks.exchanged(weight, slope, old, share, padded)
        state = optimizer.state[weight]
        for moment in ("exp_avg", "exp_avg_sq"):
            if moment in state:  # not where no step has had a gradient yet
                state[moment].mul_(old)  # whoever was dead starts without a past


def matrices(model: EmbeddingRecommender) -> Iterator[tuple[str, Tensor, bool]]:
    """Yield names and weights of a model's matrices, and whether row 0 is padding."""
    tables = (model.items.weight, model.context.weight)
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            yield name, weight, any(weight is table for table in tables)


def numbers_of(model: EmbeddingRecommender) -> int:
    """Return how many numbers of a dense model can differ from zero: all but the padding's."""
    padding = sum(weight.shape[1] for _, weight, padded in matrices(model) if padded)
    return sum(weight.numel() for weight in model.parameters()) - padding


def living(model: EmbeddingRecommender, numbers: int) -> dict[str, int]:
    """Return how many weights of each matrix live, so that ``numbers`` live in the whole model.

    Every matrix has the same density, one weight a row at least; the largest takes the rest.

    Raises:
        ValueError: the model's vectors and rows alone are more.
    """
    sizes = {name: weight[int(padded) :].shape for name, weight, padded in matrices(model)}
    dense = sum(weight.numel() for weight in model.parameters() if weight.dim() != 2)
    density = (numbers - dense) / sum(rows * columns for rows, columns in sizes.values())
    counts = {
        name: max(rows, int(density * rows * columns)) for name, (rows, columns) in sizes.items()
    }
    largest = max(sizes, key=lambda name: sizes[name].numel())
    counts[largest] += numbers - dense - sum(counts.values())
    if counts[largest] < sizes[largest][0]:
        raise ValueError(f"dsl: {numbers} numbers are too few for one in each row of the model")
    return counts
