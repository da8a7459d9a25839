"""The figures on the published sessions: five seeds, both recipes, recorded rankings.

python -m benchmarks.accuracy

Needs DISTILREC_DATA_HOME. Works in ``.cache/accuracy``; what is finished there is not run again, so
it can be interrupted. It takes some hours on two cores.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.record import record
from pipeline import console, files
from pipeline.errors import PipelineError
from pipeline.params import Params, read_params
from pipeline.paths import Cell, Paths, cells

ROOT = Path(".cache/accuracy")
FILMS, GAMES = "hetrec2011-ml", "amazon-games"
PER_DATASET = {"fetch": "raw", "sessions": "sessions", "baselines": "baselines"}
PER_CELL = {
    "teacher": "teacher",
    "student": "student",
    "difficulty": "difficulty",
    "select": "selected",
}
AFTER_LABELS = {"labelled": "labelled", "distill": "distilled", "evaluate": "ranks"}


@dataclass(frozen=True)
class Experiment:
    """A folder, the cells made in it, and what differs from the shipped parameters."""

    folder: str
    datasets: tuple[str, ...]
    recipes: tuple[str, ...]
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    shares: tuple[str, ...] = ()
    """Folders taken from the first experiment instead of being made again."""


REPLAY = {"provider": "replay", "endpoint": "published", "model": "gpt-4-turbo-2024-04-09"}
TRAINED = ("data/raw", "data/sessions", "data/difficulty", "models/baselines", "models/teacher")
MAIN = Experiment(
    "main",
    (FILMS, GAMES),
    ("published", "strong"),
    {"select": {"pool": "recorded"}, "label": REPLAY},
)
RECORDED = {
    negatives: Experiment(
        f"recorded-{negatives}",
        (FILMS,),
        ("published",),
        {
            "select": {"policy": "recorded", "recorded_list": "alkdrec"},
            "label": REPLAY,
            "distill.published": {"negatives": negatives},
        },
        (*TRAINED, "models/student"),
    )
    for negatives in ("uniform", "in_batch")
}

AIMS = {  # (dataset, recipe, model, metric): what it should be
    (FILMS, "published", "student", "recall@10"): "within .003 of .0106",
    (FILMS, "published", "student", "ndcg@10"): "within .003 of .0065",
    (FILMS, "published", "teacher", "recall@10"): "within .004 of .0219",
    (FILMS, "strong", "student", "recall@10"): ">= .038",
    (FILMS, "strong", "student", "ndcg@10"): ">= .020",
    (FILMS, "strong", "teacher", "recall@10"): ">= .043",
    (FILMS, "strong", "teacher", "ndcg@10"): ">= .025",
    (GAMES, "published", "student", "recall@10"): "within .006 of .0510",
    (GAMES, "published", "student", "ndcg@10"): "within .006 of .0286",
    (GAMES, "published", "teacher", "recall@10"): "within .008 of .0831",
    (GAMES, "strong", "student", "recall@10"): ">= .092",
    (GAMES, "strong", "student", "ndcg@10"): ">= .056",
    (GAMES, "strong", "teacher", "recall@10"): ">= .100",
    (GAMES, "strong", "teacher", "ndcg@10"): ">= .060",
}
RECORDED_AIMS = {"uniform": "within .003 of .016", "in_batch": "within .003 of .018"}


def params_of(experiment: Experiment, shipped: Params) -> Params:
    """Return the shipped parameters with the experiment's changes, checked again."""
    values = shipped.model_dump()
    values["run"] = {
        "datasets": experiment.datasets,
        "backbones": ("fpmc",),
        "recipes": experiment.recipes,
        "seeds": (1, 2, 3, 4, 5),
    }
    for place, changed in experiment.changes.items():
        section = values
        for key in place.split("."):
            section = section[key]
        section.update(changed)
    return Params.model_validate(values)


def run(experiment: Experiment, shipped: Params) -> None:
    """Run what is missing of an experiment."""
    root, params = ROOT / experiment.folder, params_of(experiment, shipped)
    paths = Paths(root)
    for shared in experiment.shares:
        (root / shared).parent.mkdir(parents=True, exist_ok=True)
        if not (root / shared).exists():
            (root / shared).symlink_to((ROOT / MAIN.folder / shared).resolve())
    for dataset in experiment.datasets:
        made = cells(params.run, dataset)
        _run_missing(PER_DATASET, params, paths, [dataset])
        _run_missing(PER_CELL, params, paths, made)
        if not paths.label_parts(dataset).exists():
            for stage in ("hints", "label"):
                _run(stage, params, paths, dataset)
        _run_missing(AFTER_LABELS, params, paths, made)


def _run_missing(stages: dict[str, str], params: Params, paths: Paths, subjects: list[Any]) -> None:
    """Run stages whose output folder (a method of `Paths`) is not there, subject by subject."""
    for subject in subjects:
        for stage, output in stages.items():
            if not getattr(paths, output)(subject).exists():
                _run(stage, params, paths, subject)


def _run(stage: str, params: Params, paths: Paths, subject: str | Cell) -> None:
    counts = import_module(f"pipeline.stages.{stage}").run(params, paths, subject)
    name = subject.folder if isinstance(subject, Cell) else subject
    console.summary(f"{stage} {name}", counts)


def mean_of(experiment: Experiment, dataset: str, recipe: str, model: str, metric: str) -> float:
    """Return a figure's mean over the five seeds."""
    paths = Paths(ROOT / experiment.folder)
    found = [
        files.read_json(paths.metrics(Cell(dataset, "fpmc", recipe, seed)))["models"][model][metric]
        for seed in (1, 2, 3, 4, 5)
    ]
    return fmean(found)


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of ``results.json``."""
    common = {"unit": "mean of 5 seeds", "rival": None, "command": "python -m benchmarks.accuracy"}
    for (dataset, recipe, model, metric), aim in AIMS.items():
        value = mean_of(MAIN, dataset, recipe, model, metric)
        yield {
            "name": f"{dataset}, {recipe} {model}: {metric}",
            "value": value,
            "aim": aim,
            **common,
        }
    for negatives, experiment in RECORDED.items():
        for model, aim in (("distilled", RECORDED_AIMS[negatives]), ("control", "beside it")):
            value = mean_of(experiment, FILMS, "published", model, "recall@10")
            name = f"{FILMS}, published ALKDRec list, {negatives} negatives, {model}: recall@10"
            yield {"name": name, "value": value, "aim": aim, **common}


def main() -> None:
    """Run all experiments and record their figures."""
    if "DISTILREC_DATA_HOME" not in os.environ:
        raise PipelineError("DISTILREC_DATA_HOME is not set; name the folder of the raw datasets")
    shipped = read_params(Paths().params)
    for experiment in (MAIN, *RECORDED.values()):
        run(experiment, shipped)
    record(rows())


if __name__ == "__main__":
    main()
