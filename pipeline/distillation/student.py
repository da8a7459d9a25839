"""Fine-tuning of a trained student on labelled rankings, and the control of the same steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl
import torch
from torch import Tensor

from pipeline import seeds
from pipeline.distillation.losses import in_batch_pairwise, uniform_pairwise
from pipeline.distillation.pairs import Pairs
from pipeline.params.distillation import DistillRecipeParams
from pipeline.params.training import FitParams
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.recipes import recipe_loss, validation_ndcg
from pipeline.recommenders.training import Schedule, batch_of, fit

Loss = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Lesson:
    """What a fine-tuning needs besides the student it changes."""

    parts: dict[str, SessionBatches]
    recipe: FitParams
    params: DistillRecipeParams
    seed: int
    label: str

    @property
    def schedule(self) -> Schedule:
        """The distillation's schedule; averaging is the recipe's."""
        return Schedule(
            batch=self.params.batch,
            learning_rate=self.params.learning_rate,
            weight_decay=0.0,
            average=self.recipe.average,
            evaluate_every=self.params.evaluate_every,
            patience=self.params.patience,
            max_steps=self.params.max_steps,
        )


def distil(student: EmbeddingRecommender, pairs: Pairs, lesson: Lesson) -> pl.DataFrame:
    """Fine-tune a student in place on ranked pairs; return the training log.

    The loss is that of `losses` plus ``base_share`` times the recipe's own on all training
    sessions, which keeps the student from forgetting (0 in the paper). The weights with the best
    validation NDCG@10 are kept, those before the first step included.
    """
    return _run(
        student, len(pairs), _with_base(student, pair_loss(student, pairs, lesson), lesson), lesson
    )


def continue_training(student: EmbeddingRecommender, steps: int, lesson: Lesson) -> pl.DataFrame:
    """Train a student for the same steps without any list: the control.

    The loss is the recipe's own, at the distillation's learning rate and for as many steps as the
    distillation took, so that what differs is the lists alone.
    """
    schedule = replace(
        lesson.schedule, max_steps=steps, patience=steps + 1, batch=lesson.recipe.batch
    )
    examples = len(lesson.parts["training"].examples(lesson.recipe.examples))
    loss = recipe_loss(student, lesson.parts["training"], lesson.recipe, lesson.seed)
    figure = validation_ndcg(student, lesson.parts["validation"])
    return fit(student, examples, loss, figure, schedule, lesson.seed, f"control {lesson.label}")


def _run(student: EmbeddingRecommender, count: int, loss: Loss, lesson: Lesson) -> pl.DataFrame:
    figure = validation_ndcg(student, lesson.parts["validation"])
    label = f"distill {lesson.label}"
    return fit(student, count, loss, figure, lesson.schedule, lesson.seed, label)


def pair_loss(student: EmbeddingRecommender, pairs: Pairs, lesson: Lesson) -> Loss:
    """Return the loss of a batch of ranked pairs, by the lesson's negatives."""

    def uniform(rows: Tensor, step: int) -> Tensor:
        generator = seeds.torch_generator(lesson.seed, "negatives", step)
        both = torch.stack([pairs.item[rows], pairs.negatives(rows, student.n_items, generator)], 1)
        scores = student.pair_scores(_queries(student, pairs, rows), both)  # B 2
        return uniform_pairwise(scores[:, 0], scores[:, 1], pairs.weight[rows])

    def in_batch(rows: Tensor, _: int) -> Tensor:
        queries, items = _queries(student, pairs, rows), pairs.item[rows]
        scores = queries @ student.item_vectors(items).T + student.item_offsets(items)
        return in_batch_pairwise(scores, pairs.session[rows], items, pairs.weight[rows])

    return uniform if lesson.params.negatives == "uniform" else in_batch


def _queries(student: EmbeddingRecommender, pairs: Pairs, rows: Tensor) -> Tensor:
    return student.encode(pairs.sessions[pairs.session[rows]][:, -student.max_length :])


def _with_base(student: EmbeddingRecommender, pair_loss: Loss, lesson: Lesson) -> Loss:
    share = lesson.params.base_share
    if share == 0:
        return pair_loss
    training = lesson.parts["training"]
    count = len(training.examples(lesson.recipe.examples))
    seed = seeds.derive(lesson.seed, "base")
    base = recipe_loss(student, training, lesson.recipe, seed)

    def both(rows: Tensor, step: int) -> Tensor:
        others = batch_of(count, lesson.recipe.batch, step, seed)
        return pair_loss(rows, step) + share * base(others, step)

    return both
