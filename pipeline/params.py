"""``params.yaml`` as frozen pydantic models, one class a section, in the file's order.

Functions get the section they need, never the whole file. ``read_params`` is the only reader.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import ParamsError

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    """A part of ``params.yaml``: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunParams(Section):
    """Which cells are made: every combination of the four lists."""

    datasets: Annotated[tuple[Name, ...], Field(min_length=1)]
    backbones: Annotated[tuple[Name, ...], Field(min_length=1)]
    recipes: Annotated[tuple[Name, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Count, ...], Field(min_length=1)]


class LogParams(Section):
    """Column map of a user's own log (CSV, Parquet or JSON lines, told by the file's ending)."""

    events: str = "events.csv"
    """File of events below the dataset's folder."""
    items: str | None = None
    """File of items with titles; without it an item's title is its identifier."""
    user: str = "user_id"
    item: str = "item_id"
    time: str = "timestamp"
    time_unit: Literal["s", "ms", "us"] = "s"
    """Unit of a numeric time column."""
    time_format: str | None = None
    """strptime format of a text time column; without one ISO 8601 is read."""
    item_key: str = "item_id"
    """Column of the item identifier in ``items``."""
    title: str = "title"
    encoding: str = "utf-8"
    """Of CSV and TSV files."""
    duplicates: Literal["refuse", "drop"] = "refuse"
    """Rows that repeat user, item and time: an error, or dropped and counted."""


class DatasetParams(Section):
    """Where a dataset's raw files are and which reader understands them."""

    reader: Literal[
        "log", "movielens-100k", "movielens-1m", "hetrec", "amazon-reviews", "amazon-ratings",
        "lastfm", "sessions",
    ]  # fmt: skip
    path: str | None = None
    folder: str | None = None
    url: str | None = None
    log: LogParams | None = None
    synthetic: bool = False
    """Made up, not observed; said wherever its figures are shown."""

    @model_validator(mode="after")
    def _has_a_source(self) -> "DatasetParams":
        if not (self.path or self.folder or self.url):
            raise ValueError("give path, folder or url")
        if (self.reader == "log") != (self.log is not None):
            raise ValueError("reader 'log' and a section 'log' go together")
        return self


class SessionsParams(Section):
    """How raw events become sessions and how sessions are split."""

    cut: Literal["day", "gap"]
    gap_minutes: Annotated[float, Field(gt=0)]
    timezone: str
    repeats: Literal["first", "last"]
    min_events: Annotated[int, Field(ge=2)]
    max_length: Annotated[int, Field(ge=2)]
    min_item_support: Count
    split: Literal["auto", "order", "random", "time"]
    seed: Count

    @model_validator(mode="after")
    def _lengths_fit(self) -> "SessionsParams":
        if self.max_length < self.min_events:
            raise ValueError("max_length must be at least min_events")
        return self


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


class ComputeParams(Section):
    """Where difficulty and evaluate are computed; no value here changes what comes out."""

    engine: Literal["local", "ray"] = "local"
    shards: Positive = 1
    workers: Positive = 2
    memory_gigabytes: Annotated[float, Field(ge=0.1)] = 1
    address: str = "local"


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


class HintsParams(Section):
    """What the LLM is shown to summarise the teacher's behaviour."""

    cases: Positive
    items_per_case: Positive
    prompt_version: Name


class LabelParams(Section):
    """What decides a label."""

    provider: Name
    endpoint: Name
    model: str
    temperature: Annotated[float, Field(ge=0)] | None
    max_tokens: Positive | None
    response_schema: Literal["none", "json_object", "json_schema"] = "none"
    ranking_length: Positive
    min_ranking: Positive
    prompt_version: Name
    session_order: Literal["chronological", "shuffled"]
    seed: Count
    reuse: Literal["session", "request"]
    max_repeats: Count
    extra_body: dict[str, Any]


class LabelTransportParams(Section):
    """How labels are fetched and what they may cost."""

    base_url: str
    api_key_variable: str
    api_key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "Authorization"
    requests_per_minute: Positive
    tokens_per_minute: Positive | None
    tokens_counted: Literal["asked", "used"] = "asked"
    concurrency: Positive
    timeout_seconds: Annotated[float, Field(gt=0)]
    retry_seconds: Annotated[float, Field(ge=0)]
    max_new_requests: Count
    budget_usd: Annotated[float, Field(ge=0)]
    price_input: Annotated[float, Field(ge=0)] | None
    price_output: Annotated[float, Field(ge=0)] | None
    batch_factor: Annotated[float, Field(gt=0, le=1)]
    batch_at_least: Positive


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


class EvaluateParams(Section):
    """What is measured on the test part."""

    cutoffs: Annotated[tuple[Positive, ...], Field(min_length=1)]
    bootstrap_draws: Positive


class ReportParams(Section):
    """The page."""

    title: str


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


def _first_fault(error: ValidationError) -> str:
    # A misspelt key is also a missing one: the unknown name is the better answer.
    faults = error.errors(include_url=False)
    fault = min(faults, key=lambda one: one["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"{place} is not a known key; correct or remove it"
    if fault["type"] == "missing":
        return f"{place} is missing; add it"
    shown = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
    more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return f"{place}: {message}{shown}{more}" if place else f"{message}{more}"
