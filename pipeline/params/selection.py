"""How hard sessions are, and which of them are worth a prompt."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.params.base import Count, Name, Positive, Section, Share


class DifficultyParams(Section):
    """Candidates and difficulty of training sessions."""

    candidates: Positive
    folds: Count

    @model_validator(mode="after")
    def _folds_are_none_or_several(self) -> "DifficultyParams":
        if self.folds == 1:
            raise ValueError("folds: 0 (the teacher itself) or at least 2")
        return self


class SelectParams(Section):
    """The policy that spends the labelling budget."""

    policy: Literal[
        "exact", "paper_corrected", "lp", "rad_bc", "random", "hardest", "easiest", "recorded"
    ]
    sampler: Literal["systematic", "sequential"]
    gain_order: Literal["hard_first", "easy_first"]
    count: Positive
    pool: Literal["all", "recorded"]
    recorded_list: Name
    share_effective: Share
    share_incorrect: Share
    gain_power: Annotated[float, Field(gt=0)]
    similar_ratio: Annotated[float, Field(ge=0, le=1)]
    incorrect_ratio: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _shares_fit(self) -> "SelectParams":
        if self.share_effective + self.share_incorrect > 1:
            raise ValueError("share_effective + share_incorrect must be at most 1")
        return self
