"""Teachers, students and short lessons that the tests of the rivals share."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from pipeline.distillation.entities import Views
from pipeline.distillation.material import Material
from pipeline.distillation.pairs import Pairs
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.recipes import train
from tests.distillation.test_student import good_pairs, lesson
from tests.recommenders.toys import N_ITEMS, ROLE, chain_parts, fit_params, trained, untrained

NARROW = ROLE.model_copy(update={"dimension": 8})


@lru_cache
def _weights(backbone: str, recipe: str) -> dict[str, Tensor]:
    fit = fit_params(recipe, max_steps=50)
    model = untrained(backbone, fit, NARROW)
    train(model, chain_parts(), fit, NARROW, 3, "narrow")
    return model.state_dict()


def student(backbone: str = "fpmc", recipe: str = "strong") -> EmbeddingRecommender:
    """Return a student of eight dimensions that was trained on the chains, to be changed."""
    model = untrained(backbone, fit_params(recipe), NARROW)
    model.load_state_dict(_weights(backbone, recipe))
    return model


def material(backbone: str = "fpmc", recipe: str = "strong", **changes: Any) -> Material:
    """Return a student, its teacher of sixteen dimensions, and rankings that tell the chains."""
    parts: dict[str, Any] = {"pairs": good_pairs(), "role": ROLE, **changes}
    if "student" not in parts:
        parts["student"] = student(backbone, recipe)
    if "teacher" not in parts:
        parts["teacher"] = trained(backbone, recipe).model
    return Material(**parts)


def untaught(backbone: str, recipe: str, **changes: Any) -> Material:
    """Return the same with drawn weights: where training would only take time."""
    fit = fit_params(recipe)
    pair = {"student": untrained(backbone, fit, NARROW, 2), "teacher": untrained(backbone, fit)}
    return material(backbone, recipe, **pair | changes)


def views(recipe: str = "strong", **changes: Any) -> Views:
    """Return the batch's entities as a lesson on the chains meets them."""
    return Views(material(recipe=recipe, **changes), lesson(recipe))


def title_vectors() -> Tensor:
    """Return text vectors in which every item has a word of its own; the padding has none."""
    return torch.cat([torch.zeros(1, N_ITEMS), torch.eye(N_ITEMS)])


def pairs_of_material(made: Material) -> Pairs:
    """Return the rankings of a material that has some."""
    assert made.pairs is not None
    return made.pairs
