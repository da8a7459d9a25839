"""What is run, and where: cells, and the machines that difficulty and evaluate use."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.base import Count, Name, Positive, Section


class RunParams(Section):
    """Which cells are made: every combination of the four lists."""

    datasets: Annotated[tuple[Name, ...], Field(min_length=1)]
    backbones: Annotated[tuple[Name, ...], Field(min_length=1)]
    recipes: Annotated[tuple[Name, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Count, ...], Field(min_length=1)]


class ComputeParams(Section):
    """Where difficulty and evaluate are computed; no value here changes what comes out."""

    engine: Literal["local", "ray"] = "local"
    shards: Positive = 1
    workers: Positive = 2
    memory_gigabytes: Annotated[float, Field(ge=0.1)] = 1
    address: str = "local"
