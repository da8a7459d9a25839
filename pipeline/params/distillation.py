"""How the student learns from rankings, and what it is mixed with."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.errors import ParamsError
from pipeline.params.base import Positive, Section, Share


class DistillRecipeParams(Section):
    """Fine-tuning of one recipe's student on labelled rankings."""

    base_share: Annotated[float, Field(ge=0)]
    negatives: Literal["uniform", "in_batch"]
    learning_rate: Annotated[float, Field(gt=0)]
    batch: Positive
    evaluate_every: Positive
    patience: Positive
    max_steps: Positive


class DistillParams(Section):
    """The distillation loss and its schedule, one schedule a recipe."""

    published: DistillRecipeParams
    strong: DistillRecipeParams
    weights: Annotated[
        tuple[tuple[Positive, Annotated[float, Field(ge=0)]], ...], Field(min_length=1)
    ]

    @model_validator(mode="after")
    def _positions_rise(self) -> "DistillParams":
        positions = [position for position, _ in self.weights]
        if positions != sorted(set(positions)):
            raise ValueError(f"weights: last positions must rise (found {positions})")
        return self

    def of(self, recipe: str) -> DistillRecipeParams:
        """Return the schedule of a recipe."""
        found = getattr(self, recipe, None)
        if not isinstance(found, DistillRecipeParams):
            raise ParamsError(f"params.yaml: distill has no section '{recipe}'; add one")
        return found


class HybridParams(Section):
    """Counts, titles and a quantised student in one model."""

    student: Literal["student", "distilled"]
    bits: Literal[4, 8]
    student_weight: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    title_share: Annotated[tuple[Share, ...], Field(min_length=1)]
    margin: Annotated[float, Field(ge=0)]
