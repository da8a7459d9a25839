"""Labels for use elsewhere: the union of a store's rankings with what was read from each, one file.

Equal stores give equal files, whatever their parts and their order.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling.cases import labels_place
from pipeline.labelling.rankings import read_row
from pipeline.labelling.stores.store import reaching
from pipeline.paths import Paths

READ: dict[str, pl.DataType | type[pl.DataType]] = {
    "ranking": pl.List(pl.String),
    "reading": pl.String,
}
"""Columns beside the store's: raw item ids, best first, and which form of answer was read."""


def export(paths: Paths, dataset: str, file: Path) -> dict[str, Any]:
    """Write the rankings of a dataset's store to a file and return what was written.

    Args:
        paths: the project.
        dataset: its name.
        file: its ending says the form: ``.parquet``, or ``.jsonl`` for a JSON object a line.

    Raises:
        LabelError: the ending is another one, there are no labels, or the file cannot be written.
    """
    write = FORMS.get(file.suffix)
    if write is None:
        raise LabelError(f"{file}: cannot tell the form; end its name in {' or '.join(FORMS)}")
    place = labels_place(paths, dataset)
    rows = place.store.read()
    if rows.is_empty():
        raise LabelError(
            f"{place.title}: no labels here; run `dvc repro label`, or fetch them with `dvc pull "
            f"{place.title}`"
        )
    read = [_read(row) for row in rows.iter_rows(named=True)]
    table = rows.with_columns(pl.DataFrame(read, schema=READ, orient="row"))
    with reaching(file, "written"), files.replacing(file) as temporary:
        write(table, temporary)
    return {
        "file": str(file),
        "labels": table.height,
        "with_a_ranking": table.filter(pl.col("ranking").list.len() > 0).height,
        "bytes": file.stat().st_size,
    }


def _read(row: Mapping[str, Any]) -> tuple[list[str], str]:
    found = read_row(row)
    return list(found.item_ids), found.reading.reading


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    table.write_parquet(path)


def _write_lines(table: pl.DataFrame, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in table.iter_rows(named=True):
            made = row["created_at"].isoformat() if row["created_at"] else None
            line = json.dumps({**row, "created_at": made}, ensure_ascii=False)
            stream.write(line + "\n")


FORMS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
}
