"""The table `hints`: what was read from the answers about each teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.errors import LabelError
from pipeline.labelling import plan
from pipeline.labelling.parse import read_hints
from pipeline.labelling.prompt import HINT_LENGTH, clean
from pipeline.labelling.request import Request, words_of
from pipeline.params.labelling import LabelParams
from pipeline.paths import Cell
from pipeline.tables import HINTS

MOST_HINTS = 6
MOST_SHOWN = 200  # characters of an answer that cannot be read


def is_readable(row: Mapping[str, Any]) -> bool:
    """Return whether a stored answer holds hints."""
    return bool(read_hints(row["response"], words_of(row["request"])))


def no_hints_table(cells: Sequence[Cell], reason: str) -> pl.DataFrame:
    """Return the table of cells whose labeller needs no hints."""
    return _table([(cell, (), reason) for cell in cells])


def hints_table(
    wanted: Mapping[Cell, Request], rows: pl.DataFrame, label: LabelParams, reuse: str
) -> pl.DataFrame:
    """Return the table of what the stored answers say.

    Args:
        wanted: what was asked of each cell.
        rows: the store's rows.
        label: how often hints may be asked again.
        reuse: ``session`` or ``request``.

    Raises:
        LabelError: a cell has no readable answer; rankings bought without hints would be another
            experiment.
    """
    return _table(
        [(cell, _read(cell, one, rows, label, reuse), "") for cell, one in wanted.items()]
    )


def _read(
    cell: Cell, request: Request, rows: pl.DataFrame, label: LabelParams, reuse: str
) -> tuple[str, ...]:
    answer = None
    for repeat in range(label.max_repeats + 1):
        served = plan.match([replace(request, repeat=repeat)], rows, reuse)
        for serving in served.values():
            row = rows.row(by_predicate=pl.col("key") == serving, named=True)
            answer = str(row["response"])
            if hints := read_hints(answer, words_of(row["request"])):
                return tuple(clean(hint, HINT_LENGTH) for hint in hints[:MOST_HINTS])
    where = f"data/hints/{cell.dataset}: no readable hints for {cell.backbone}/{cell.recipe}"
    if answer is None:
        raise LabelError(f"{where}: the request has no answer; run the stage again")
    raise LabelError(
        f"{where}: the answer was {answer[:MOST_SHOWN]!r}, and a hint answer is "
        '{"hints": ["...", "..."]}; allow another try with label.max_repeats (now '
        f"{label.max_repeats}), or choose another label.model"
    )


def _table(rows: Sequence[tuple[Cell, tuple[str, ...], str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (cell.backbone, cell.recipe, cell.seed, list(hints), reason)
            for cell, hints, reason in rows
        ],
        schema=HINTS.columns,
        orient="row",
    )
