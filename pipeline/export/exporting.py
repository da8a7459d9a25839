"""One of a cell's models, written as a folder that needs neither this project nor torch."""

from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import Any

import torch

from pipeline import files
from pipeline.errors import DataError, PipelineError
from pipeline.export import folder as exported
from pipeline.export.folder import FORM, OPSET, Manifest
from pipeline.export.runtime import catalog_bytes
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.tables import CATALOG

WRITERS = ("torch", "onnx", "onnxscript")


@dataclass(frozen=True)
class Summary:
    """What was written."""

    folder: str
    items: int
    bytes_of_the_graph: int
    bytes_of_the_folder: int


def run(
    params: Params, paths: Paths, cell: Cell, model: str, to: Path | None, *, int8: bool
) -> Summary:
    """Write a model's folder.

    Reads the model's folder, the table `catalog` and, where it is there, the cell's metrics.

    Args:
        params: says whether the dataset is made up.
        paths: where things are.
        cell: whose model.
        model: its name in the cell; only neural ones have a graph.
        to: the folder, new or empty; None: ``models/exported/<cell>/<model>``.
        int8: keep item tables in one byte a number.

    Raises:
        DataError: the model is not known, not here or has no graph, or the folder is not empty.
        PipelineError: the packages of the extra `serve` are missing.
    """
    to = paths.exported(cell, model, int8=int8) if to is None else to
    exported.refuse_taken(to)
    recommender = neural(paths, cell, model)
    catalog = CATALOG.read(paths.sessions(cell.dataset))
    cold = torch.from_numpy((catalog["training_events"] == 0).to_numpy())
    graph = graph_of(recommender, cold, int8=int8)
    manifest = Manifest(
        form=FORM,
        dataset=cell.dataset,
        synthetic=params.dataset_of(cell.dataset).synthetic,
        backbone=cell.backbone,
        recipe=cell.recipe,
        seed=cell.seed,
        model=model,
        int8=int8,
        opset=OPSET,
        n_items=recommender.n_items,
        max_length=recommender.max_length,
        dimension=recommender.items.embedding_dim,
        weights_sha256=files.sha256(paths.models(cell)[model] / "weights.safetensors"),
        metrics=_metrics(paths, cell, model),
        versions={name: metadata.version(name).split("+")[0] for name in WRITERS},
    )
    made = exported.contents(manifest, graph, catalog_bytes(catalog), readme(manifest))
    exported.write(to, made)
    return Summary(str(to), recommender.n_items, len(graph), sum(map(len, made.values())))


def neural(paths: Paths, cell: Cell, model: str) -> EmbeddingRecommender:
    """Return a cell's model if it is one that has a graph.

    Raises:
        DataError: it is not known, not here, or counts, or its training went wrong.
    """
    folders = paths.models(cell)
    if model not in folders:
        graphs = [name for name in folders if name not in (*registry.COUNTING, "hybrid")]
        raise DataError(f"--model: '{model}' is not one of {', '.join(graphs)}")
    found = registry.load(folders[model])
    if not isinstance(found, EmbeddingRecommender):
        raise DataError(
            f"--model: '{model}' is no neural model and has no ONNX form; "
            f"`distilrec recommend --model {model}` runs it from {folders[model]}"
        )
    if not all(bool(weight.isfinite().all()) for weight in found.parameters()):
        raise DataError(  # rounding would make numbers of them
            f"{folders[model]}: weights that are no finite numbers; train the model again"
        )
    return found


def graph_of(model: EmbeddingRecommender, cold: torch.Tensor, *, int8: bool) -> bytes:
    """Return a model's ONNX graph.

    Raises:
        PipelineError: the packages of the extra `serve` are missing.
    """
    try:
        from pipeline.export import graph  # noqa: PLC0415 - an extra
        from pipeline.export.int8 import ServedInt8  # noqa: PLC0415
        from pipeline.export.served import Served  # noqa: PLC0415

        return graph.to_onnx(graph.traced((ServedInt8 if int8 else Served)(model, cold)))
    except ModuleNotFoundError as error:
        raise PipelineError(f"{error.name} is not installed; {exported.INSTALL}") from None


def readme(manifest: Manifest) -> str:
    """Return the folder's README."""
    text = (resources.files("pipeline.export") / "folder.md").read_text(encoding="utf-8")
    figures = [f"{name} {value:.4f}" for name, value in sorted(manifest.metrics.items())
               if name in ("recall@10", "ndcg@10")]  # fmt: skip
    return Template(text).substitute(
        {**vars(manifest), "versions": ", ".join(f"{k} {v}" for k, v in manifest.versions.items())},
        name=f"{manifest.model} of {manifest.dataset}",
        made_up=" (synthetic: made up to try the pipeline)" if manifest.synthetic else "",
        tables="int8, one factor a row" if manifest.int8 else "float32",
        whose=", of the float32 model that was rounded" if manifest.int8 else "",
        figures=", ".join(figures) or "not evaluated",
    )


def _metrics(paths: Paths, cell: Cell, model: str) -> dict[str, Any]:
    """Return the model's figures, if the cell was evaluated."""
    path = paths.metrics(cell)
    found = files.read_json(path)["models"].get(model, {}) if path.exists() else {}
    return {name: value for name, value in found.items() if isinstance(value, float)}
