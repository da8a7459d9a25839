"""How teacher, student and counting models are trained."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.params.backbones import BackboneParams
from pipeline.params.base import Count, Decay, Name, Positive, Section, Share


class FitParams(Section):
    """What a recipe's teacher and student have in common."""

    examples: Literal["last", "all"]
    loss: Literal["in_batch_bpr", "softmax", "sampled_softmax"]
    sampled_negatives: Count
    tied: bool
    recency: Literal["mean", "learned"]
    residual: bool
    item_bias: bool
    max_length: Positive
    batch: Positive
    average: Annotated[float, Field(ge=0, lt=1)]
    evaluate_every: Positive
    max_steps: Positive

    @model_validator(mode="after")
    def _negatives_are_sampled(self) -> "FitParams":
        if self.loss == "sampled_softmax" and self.sampled_negatives == 0:
            raise ValueError("loss sampled_softmax needs sampled_negatives of at least 1")
        return self


class RoleParams(Section):
    """What differs between a recipe's teacher and its student."""

    dimension: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    patience: Positive


class RecipeParams(Section):
    """A way of training every recommender."""

    fit: FitParams
    teacher: RoleParams
    student: RoleParams


class CountingParams(Section):
    """Item co-occurrence with decay by distance and popularity normalisation."""

    decay: Annotated[tuple[Decay, ...], Field(min_length=1)]
    backward: Annotated[tuple[Share, ...], Field(min_length=1)]
    recency: Annotated[tuple[Decay, ...], Field(min_length=1)]
    session_power: Annotated[tuple[Share, ...], Field(min_length=1)]
    candidate_power: Annotated[tuple[Share, ...], Field(min_length=1)]
    neighbours: Count
    max_length: Positive
    title_weight: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.0,)
    stored: Literal["pairs", "sessions"] = "pairs"


class SharedTrainingParams(Section):
    """What every training obeys."""

    device: Literal["auto", "cpu", "cuda", "mps"]


class TrainingParams(Section):
    """Recipes, backbones and counting models."""

    shared: SharedTrainingParams
    recipes: dict[Name, RecipeParams]
    backbones: BackboneParams
    counting: CountingParams

    @model_validator(mode="after")
    def _changes_are_of_recipes(self) -> "TrainingParams":
        for backbone, own in self.backbones:
            for name in own.recipes:
                if name not in self.recipes:
                    raise ValueError(
                        f"backbones.{backbone}.recipes: '{name}' is no recipe; there are "
                        f"{', '.join(self.recipes)}"
                    )
        return self

    def recipe(self, name: str, backbone: str) -> RecipeParams:
        """Return a recipe as a backbone wants it."""
        found, own = self.recipes[name], getattr(self.backbones, backbone)
        if name not in own.recipes:
            return found
        changes = own.recipes[name]
        roles = {
            role: getattr(found, role).model_copy(update=change.model_dump())
            for role, change in changes
        }
        return found.model_copy(update=roles)
