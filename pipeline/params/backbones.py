"""Settings of the neural backbones, one class a backbone."""

from typing import Annotated

from pydantic import Field

from pipeline.params.base import Name, Positive, Section


class RoleChanges(Section):
    """What a backbone's teacher or student wants otherwise than a recipe says."""

    learning_rate: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None


class RecipeChanges(Section):
    """Changes to a recipe's two roles."""

    teacher: RoleChanges = RoleChanges()
    student: RoleChanges = RoleChanges()


class Backbone(Section):
    """What every backbone can say: how it differs from recipes, by their names."""

    recipes: dict[Name, RecipeChanges] = Field(default_factory=dict)


class FpmcParams(Backbone):
    """FPMC has no settings of its own; the recipe's switches decide its form."""


class StampParams(Backbone):
    """STAMP (Liu et al. 2018)."""

    add_mean: bool


class AttenMixerParams(Backbone):
    """Atten-Mixer (Zhang et al. 2023)."""

    levels: Positive
    max_heads: Positive
    pooling_power: Annotated[float, Field(ge=1)]
    scale: Annotated[float, Field(gt=0)]


class Gru4RecParams(Backbone):
    """GRU4Rec (Hidasi et al. 2016) in the form with one output table."""

    hidden: Positive
    layers: Positive


class SasRecParams(Backbone):
    """SASRec (Kang and McAuley 2018)."""

    blocks: Positive
    heads: Positive
    inner_factor: Positive


class BackboneParams(Section):
    """One section a neural backbone."""

    fpmc: FpmcParams
    stamp: StampParams
    attenmixer: AttenMixerParams
    gru4rec: Gru4RecParams
    sasrec: SasRecParams
