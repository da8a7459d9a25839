"""Settings of the neural backbones, one class a backbone."""

from typing import Annotated

from pydantic import Field

from pipeline.params.base import Positive, Section


class FpmcParams(Section):
    """FPMC has no settings of its own; the recipe's switches decide its form."""


class StampParams(Section):
    """STAMP (Liu et al. 2018)."""

    add_mean: bool


class AttenMixerParams(Section):
    """Atten-Mixer (Zhang et al. 2023)."""

    levels: Positive
    max_heads: Positive
    pooling_power: Annotated[float, Field(ge=1)]
    scale: Annotated[float, Field(gt=0)]


class Gru4RecParams(Section):
    """GRU4Rec (Hidasi et al. 2016) in the form with one output table."""

    hidden: Positive
    layers: Positive


class SasRecParams(Section):
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
