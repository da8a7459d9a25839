"""Answers from an exported folder through ONNX Runtime; torch is not loaded."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipeline.errors import DataError, PipelineError
from pipeline.export import folder as exported
from pipeline.recommenders.answers import Answer, assembled, find_item, read_offer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CATALOG_COLUMNS = {
    "item_index": pl.Int32,
    "item_id": pl.String,
    "title": pl.String,
    "cold": pl.Boolean,  # no event in training: never recommended
}


@dataclass(frozen=True)
class Loaded:
    """An exported model, ready to answer."""

    manifest: exported.Manifest
    catalog: pl.DataFrame
    """`item_index`, `item_id`, `title`, `cold`."""
    session: "InferenceSession"

    def best(self, sessions: Sequence[Sequence[int]], count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best items of each session and their scores, best first.  # B count, B count.

        Where a session leaves fewer to show, the scores at the end are minus infinity.
        """
        asked = {"session": padded(sessions), "count": np.array(min(count, self.manifest.n_items))}
        items, values = self.session.run(["items", "values"], asked)
        return items, values


def load(folder: Path, threads: int = 1) -> Loaded:
    """Return the model of a folder, after its checksums were compared.

    Raises:
        DataError: the folder is missing, damaged or of another form.
        PipelineError: ONNX Runtime is not installed.
    """
    manifest = exported.read(folder)
    catalog = read_catalog((folder / exported.CATALOG).read_bytes())
    return Loaded(manifest, catalog, start((folder / exported.GRAPH).read_bytes(), threads))


def start(graph: bytes, threads: int = 1) -> "InferenceSession":
    """Return ONNX Runtime's session of a graph, on the CPU.

    Raises:
        DataError: it cannot run the graph.
        PipelineError: it is not installed.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise PipelineError(f"onnxruntime is not installed; {exported.INSTALL}") from None
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its own errors have no class in common
        reason = " ".join(str(error).split())
        raise DataError(f"{exported.GRAPH} cannot be run ({reason}); export again") from None


def padded(sessions: Sequence[Sequence[int]]) -> np.ndarray:
    """Return sessions as rows, with 0 on the left of the shorter ones.  # B L, int64."""
    rows = np.zeros((len(sessions), max(map(len, sessions))), dtype=np.int64)
    for row, session in zip(rows, sessions, strict=True):
        row[len(row) - len(session) :] = session
    return rows


def catalog_bytes(catalog: pl.DataFrame) -> bytes:
    """Return the table `catalog` as the CSV file of a folder."""
    known = catalog.sort("item_index").with_columns(cold=pl.col("training_events") == 0)
    return known.select(*CATALOG_COLUMNS).write_csv(quote_style="non_numeric").encode()


def read_catalog(content: bytes) -> pl.DataFrame:
    """Return the items of a folder's CSV file."""
    return pl.read_csv(io.BytesIO(content), schema=CATALOG_COLUMNS, empty_string_is_null=False)


def ask(folder: Path, words: Sequence[str], count: int, offer: Path | None) -> Answer:
    """Return what an exported model answers to items given by identifier or title.

    Raises:
        DataError: the folder cannot be used, a cell is given, or an item is not in its catalogue.
        PipelineError: ONNX Runtime is not installed.
    """
    if not words:
        raise DataError("no item is given; name at least one by its identifier or title")
    loaded = load(folder)
    _refuse_cell(words, loaded.manifest)
    session = [find_item(loaded.catalog, word) for word in words]
    every = None if offer is None else read_offer(offer)
    wanted = count if every is None else loaded.manifest.n_items
    items, values = loaded.best([session], wanted)
    ranked = pl.DataFrame(
        {"item_index": items[0], "score": values[0]},
        schema={"item_index": pl.Int32, "score": pl.Float64},
    ).filter(pl.col("score").is_finite())
    return assembled(loaded.catalog, session, ranked, count, every)


def _refuse_cell(words: Sequence[str], manifest: exported.Manifest) -> None:
    """Refuse words that begin with a cell, as they do without a folder."""
    place = (manifest.dataset, manifest.backbone, manifest.recipe)
    alike = sum(word == part for word, part in zip(words, place, strict=False))
    if alike > 1:
        given = " ".join(words[:4])
        raise DataError(f"--from has its model, so no cell is given: leave out '{given}'")
