"""Labels for use elsewhere: the union of a store's rankings with what was read from each, one file.

Equal stores beside equal sessions give equal files, whatever their parts and their order.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import polars as pl

from pipeline import console, files
from pipeline.errors import LabelError
from pipeline.labelling.cases import labels_place
from pipeline.labelling.prompt import seen_of
from pipeline.labelling.providers.replay import recorded_for
from pipeline.labelling.rankings import read_row
from pipeline.labelling.request import subject_of
from pipeline.labelling.stores.disk import reaching
from pipeline.labelling.stores.summary import LABELLER
from pipeline.params.labelling import LabelParams
from pipeline.paths import Paths
from pipeline.tables import CATALOG, SESSIONS

ORDERS = get_args(LabelParams.model_fields["session_order"].annotation)
READ: dict[str, pl.DataType | type[pl.DataType]] = {
    "ranking": pl.List(pl.String),
    "reading": pl.String,
}
"""Columns beside the store's: raw item ids, best first, and which form of answer was read."""


def export(paths: Paths, dataset: str, file: Path) -> list[dict[str, Any]]:
    """Write the rankings of a dataset's store to a file; return a row for each labeller in it.

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
    table = rows.with_columns(pl.DataFrame(read, schema=READ, orient="row")).join(
        _sessions(paths, dataset), on="subject_id", how="left", maintain_order="left"
    )
    with reaching(file, "written"), files.replacing(file) as temporary:
        write(table, temporary)
    console.note(f"{file}: {table.height:,} labels, {file.stat().st_size:,} bytes")
    told = table.group_by(labeller=LABELLER).agg(
        labels=pl.len(),
        with_a_ranking=(pl.col("ranking").list.len() > 0).sum(),
        with_a_session=pl.col("session_id").count(),
    )
    return told.sort("labeller").to_dicts()


def _sessions(paths: Paths, dataset: str) -> pl.DataFrame:
    """Return the first training session that each label may be about, told as requests tell it."""
    folder, first = paths.sessions(dataset), dict[str, int]()
    known = all(table.path(folder).exists() for table in (CATALOG, SESSIONS))
    if known:
        catalog = CATALOG.read(folder)
        ids, titles = (
            dict(catalog.select("item_index", name).iter_rows()) for name in ("item_id", "title")
        )
        training = SESSIONS.read(folder).filter(part="training").sort("session_id")
        for session, items in training.select("session_id", "items").iter_rows():
            seen = seen_of(items[:-1], ids, titles)
            recorded = recorded_for(dataset, session, [item for item, _ in seen])
            for shown in (*([order, seen] for order in ORDERS), recorded):
                first.setdefault(subject_of(shown), session)
    rows = list(first.items())
    schema = {"subject_id": pl.String, "session_id": SESSIONS.columns["session_id"]}
    return pl.DataFrame(rows, schema=schema, orient="row")


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
