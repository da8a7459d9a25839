"""Settings of the neural backbones, one class a backbone."""

from typing import Annotated

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from pipeline.params.base import Name, Positive, Section


class RoleChanges(Section):
    """What a backbone's teacher or student wants otherwise than a recipe says; the rest is absent.

    What is absent is not dumped: a null would read as if there were none of it.
    """

    learning_rate: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_serializer(mode="wrap")
    def _what_is_there(self, dump: SerializerFunctionWrapHandler) -> dict[str, float]:
        return {name: value for name, value in dump(self).items() if value is not None}


class RecipeChanges(Section):
    """Changes to a recipe's two roles."""

    teacher: RoleChanges = RoleChanges()
    student: RoleChanges = RoleChanges()


class BackboneSection(Section):
    """What every backbone has: its changes to recipes, by their names."""

    recipes: dict[Name, RecipeChanges] = Field(default_factory=dict)


class FpmcParams(BackboneSection):
    """FPMC has no settings of its own; the recipe's switches decide its form."""


class StampParams(BackboneSection):
    """STAMP (Liu et al. 2018)."""

    add_mean: bool


class AttenMixerParams(BackboneSection):
    """Atten-Mixer (Zhang et al. 2023)."""

    levels: Positive
    max_heads: Positive
    pooling_power: Annotated[float, Field(ge=1)]
    scale: Annotated[float, Field(gt=0)]


class Gru4RecParams(BackboneSection):
    """GRU4Rec (Hidasi et al. 2016) in the form with one output table."""

    hidden: Positive
    layers: Positive


class SasRecParams(BackboneSection):
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
