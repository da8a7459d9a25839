"""A trained model into product codes, and its books trained further by the recipe's own loss."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor

from pipeline import seeds
from pipeline.params.training import FitParams
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.compact.product_codes import (
    decode_tables,
    encode_tables,
    read_tensors,
    stored_tensors,
)
from pipeline.recommenders.recipes import recipe_loss, validation_ndcg
from pipeline.recommenders.training import Schedule, fit, set_weights


@dataclass(frozen=True)
class Coding:
    """How many bytes an item, and how the books are trained."""

    numbers: int = 10
    """Codes an item, a byte each."""
    popularity_power: float = 0.5
    """Rows weigh by popularity to this power where books are made."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    max_steps: int = 400
    """In the second half of them the speed falls to zero."""


@dataclass(frozen=True)
class Coded:
    """A model as it is stored, as it is read from there, and how its books were trained."""

    description: dict[str, Any]
    tensors: dict[str, Tensor]
    model: EmbeddingRecommender
    log: pl.DataFrame


def code(
    model: EmbeddingRecommender,
    description: dict[str, Any],
    parts: dict[str, SessionBatches],
    recipe: FitParams,
    coding: Coding,
    seed: int,
    label: str,
) -> Coded:
    """Code a trained model's tables in place and train what is left of it.

    The codes stay as k-means made them; books, offsets and the session's own weights are trained,
    and those with the best validation NDCG@10 are kept, those before the first step included.

    Args:
        model: a trained one, on the CPU; its weights become those that are read back.
        description: the content of its ``model.json``.
        parts: the parts ``training`` and ``validation`` of the sessions.
        recipe: the recipe it was trained by.
        coding: codes an item and the speed of what follows.
        seed: decides k-means, shuffles and dropout.
        label: what the progress line says.
    """
    training = parts["training"]
    events = torch.bincount(training.items, minlength=model.n_items + 1).float()
    weights = torch.where(events > 0, events**coding.popularity_power, 0)
    encode_tables(model, weights, coding.numbers, seeds.torch_generator(seed, "codes"))
    schedule = Schedule(
        batch=recipe.batch,
        learning_rate=coding.learning_rate,
        weight_decay=coding.weight_decay,
        average=recipe.average,
        evaluate_every=recipe.evaluate_every,
        patience=coding.max_steps,  # none
        max_steps=coding.max_steps,
        settle=0.5,
    )
    loss = recipe_loss(model, training, recipe, seed)
    figure = validation_ndcg(model, parts["validation"])
    examples = len(training.examples(recipe.examples))
    log = fit(model, examples, loss, figure, schedule, seed, label)
    tensors = stored_tensors(model)
    decode_tables(model)
    set_weights(model, read_tensors(tensors))
    numbers = {name: value for name, value in description.items() if name != "parameters"}
    return Coded({**numbers, "codes": coding.numbers}, tensors, model.eval(), log)
