"""From a served recommender to an ONNX graph: traced, checked, without anything accidental."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript.optimizer import optimize_ir
from torch.export import Dim, ExportedProgram, export
from torch.fx.node import map_aggregate

from pipeline.export.folder import OPSET
from pipeline.export.served import Served

FOLDED = 64
"""Constants up to here are computed beforehand; a table, in two forms, would be stored twice."""

INPUTS = ("session", "count")
OUTPUTS = {"items": ("batch", "count"), "values": ("batch", "count"), "scores": ("batch", "item")}
"""Names of the outputs and of their axes."""


def traced(served: Served) -> ExportedProgram:
    """Return the computation that both torch (``.module()``) and `to_onnx` run.

    Its numbers are rounded to float32: the exporter writes them so, and both must have the same.
    """
    shapes = {"session": {0: Dim("batch"), 1: Dim("length")}, "count": Dim.DYNAMIC}
    example = torch.ones(3, served.model.max_length + 2, dtype=torch.int64)
    with _quiet(), torch.no_grad():
        program = export(served, (example, 2), dynamic_shapes=shapes, strict=False)
        if any(node.target in served.rewritten for node in program.graph.nodes):
            program = program.run_decompositions(served.rewritten)
    for node in program.graph.nodes:
        node.args = map_aggregate(node.args, _rounded)
        node.kwargs = map_aggregate(node.kwargs, _rounded)
    program.graph_module.recompile()
    return program


def to_onnx(program: ExportedProgram) -> bytes:
    """Return the program as a checked ONNX model; equal programs give equal bytes."""
    with _quiet():
        exported = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=tuple(OUTPUTS),
            verbose=False,
            optimize=False,
        )
        if exported is None:
            raise TypeError("the exporter returned nothing")
        optimize_ir(exported.model, input_size_limit=FOLDED, output_size_limit=FOLDED)
    model = exported.model_proto
    _clean(model)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _rounded(value: Any) -> Any:
    return float(np.float32(value)) if isinstance(value, float) else value


def _clean(model: Any) -> None:
    """Drop what tells about this machine, and give the axes their names."""
    graph = model.graph
    model.producer_version = model.producer_version.split("+")[0]  # a build is no version
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]  # shapes between the nodes: a runtime infers them
    for value in (*graph.input, *graph.output):
        axes = OUTPUTS.get(value.name, ("batch", "length"))
        for axis, name in zip(value.type.tensor_type.shape.dim, axes, strict=False):
            if axis.HasField("dim_param"):
                axis.dim_param = name


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own future, and on packages it can do without, from us."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
