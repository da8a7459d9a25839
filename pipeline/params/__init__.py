"""``params.yaml`` as frozen pydantic models: one class a section, one module a part of the project.

Functions get the section they need, never the whole file. ``read_params`` is the only reader.
"""

from pathlib import Path

from pydantic import ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ParamsError
from pipeline.params.backbones import BackboneParams
from pipeline.params.base import Name, Section
from pipeline.params.distillation import DistillParams, HybridParams
from pipeline.params.evaluation import EvaluateParams, ReportParams
from pipeline.params.interactions import DatasetParams, SessionsParams
from pipeline.params.labelling import HintsParams, LabelParams, LabelTransportParams
from pipeline.params.run import ComputeParams, RunParams
from pipeline.params.selection import DifficultyParams, SelectParams
from pipeline.params.training import TrainingParams


class Params(Section):
    """All of ``params.yaml``."""

    run: RunParams
    dataset: dict[Name, DatasetParams]
    sessions: SessionsParams
    training: TrainingParams
    compute: ComputeParams = ComputeParams()
    difficulty: DifficultyParams
    select: SelectParams
    hints: HintsParams
    label: LabelParams
    label_transport: LabelTransportParams
    distill: DistillParams
    hybrid: HybridParams
    evaluate: EvaluateParams
    report: ReportParams

    def dataset_of(self, name: str) -> DatasetParams:
        """Return the section of a dataset."""
        if name not in self.dataset:
            raise ParamsError(
                f"params.yaml: no section dataset.{name}; there are {', '.join(self.dataset)}"
            )
        return self.dataset[name]

    @model_validator(mode="after")
    def _cells_exist(self) -> "Params":
        known = {
            "datasets": set(self.dataset),
            "backbones": set(BackboneParams.model_fields),
            "recipes": set(self.training.recipes),
        }
        for key, listed_there in self.run:
            for name in listed_there:
                if listed_there.count(name) > 1:
                    raise ValueError(f"run.{key}: {name!r} is there more than once")
        for key, names in known.items():
            for name in getattr(self.run, key):
                if name not in names:
                    listed = ", ".join(sorted(names))
                    raise ValueError(f"run.{key}: '{name}' is not one of {listed}")
        return self


def read_params(path: Path) -> Params:
    """Return the checked content of ``params.yaml``.

    Raises:
        ParamsError: the file is missing, is no YAML, or a key is unknown, missing or out of range;
            the message names the key's place.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is not here; run the command in the project's folder") from None
    except YAMLError as error:
        raise ParamsError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{path}: {_first_fault(error)}") from None


LISTS = {"tuple_type": "Input should be a list: [a, b]", "too_short": "the list needs an entry"}
"""Pydantic's faults of lists, in the words of YAML."""


def _first_fault(error: ValidationError) -> str:
    # A misspelt key is also a missing one: the unknown name is the better answer.
    faults = error.errors(include_url=False)
    fault = min(faults, key=lambda one: one["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in fault["loc"])
    message = LISTS.get(fault["type"], fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"{place} is not a known key; correct or remove it"
    if fault["type"] == "missing":
        return f"{place} is missing; add it"
    shown = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
    more = f"; {error.error_count() - 1} more to correct" if error.error_count() > 1 else ""
    return f"{place}: {message}{shown}{more}" if place else f"{message}{more}"
