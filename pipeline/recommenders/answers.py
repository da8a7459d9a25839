"""What is answered to a session typed by hand, whatever scored it; nothing here loads torch."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import polars as pl

from pipeline import console
from pipeline.errors import DataError

SHOWN = 5
"""Titles named in an error line."""

NOT_IN_MODEL = "not in the catalogue the model was trained on"
COLD = "no event in training"


@dataclass(frozen=True)
class Answer:
    """What a model says after a session."""

    session: pl.DataFrame
    """`item_id`, `title`, oldest first."""
    items: pl.DataFrame
    """`position` from 1, `item_id`, `title`, `score`, best first."""
    unscored: pl.DataFrame
    """`item_id`, `title`, `reason` of items that the model cannot score."""


def assembled(
    catalog: pl.DataFrame,
    session: Sequence[int],
    ranked: pl.DataFrame,
    count: int,
    offer: pl.DataFrame | None = None,
) -> Answer:
    """Return the first items of a ranking that may be shown, and the items that cannot be scored.

    Items of which the model knows nothing are never recommended.

    Args:
        catalog: `item_index` (1, 2, ...), `item_id`, `title`, `cold` (no training event, and no
            title that the model reads).
        session: item indices, oldest first.
        ranked: `item_index`, `score`, best first, none of the session's own.
        count: how many items, fewer if fewer can be scored.
        offer: `item_id`, `title` of the items that may be recommended; None: the whole catalogue.
    """
    offered = catalog.select("item_id", "title") if offer is None else offer
    known = catalog.select("item_id", "item_index", "cold")
    offered = offered.join(known, on="item_id", how="left", maintain_order="left")
    fit = offered.filter(~pl.col("cold"))
    items = ranked.join(fit, on="item_index", how="inner", maintain_order="left").head(count)
    return Answer(
        session=catalog[[index - 1 for index in session], ["item_id", "title"]],
        items=items.with_row_index("position", offset=1).select(
            pl.col("position").cast(pl.Int32), "item_id", "title", "score"
        ),
        unscored=offered.filter(pl.col("cold").fill_null(value=True)).select(
            "item_id",
            "title",
            reason=pl.when(pl.col("item_index").is_null())
            .then(pl.lit(NOT_IN_MODEL))
            .otherwise(pl.lit(COLD)),
        ),
    )


def show(answer: Answer, *, as_json: bool) -> None:
    """Print an answer as a table, with a line on what cannot be scored, or as one JSON object."""
    if as_json:
        parts = {field.name: getattr(answer, field.name).to_dicts() for field in fields(answer)}
        console.out.print(console.json_text(parts), markup=False)
        return
    console.note("after: " + " > ".join(answer.session["title"]))
    rows = [(*row[:3], f"{row[3]:.3f}") for row in answer.items.rows()]
    console.table(answer.items.columns, rows)
    for (reason,), items in answer.unscored.group_by("reason", maintain_order=True):
        console.note(f"{len(items):,} items cannot be scored ({reason}): {_listed(items)}")


def find_item(catalog: pl.DataFrame, word: str) -> int:
    """Return the `item_index` of an identifier or a title.

    An identifier comes first, then a title letter by letter, then one in any case, then a part of
    one. The first of these that fits at all decides.

    Raises:
        DataError: nothing fits, or several items do; the message names them.
    """
    folded = pl.col("title").str.to_lowercase()
    steps = (
        pl.col("item_id") == word,
        pl.col("title") == word,
        folded == word.lower(),
        folded.str.contains(word.lower(), literal=True),
    )
    for step in steps if word.strip() else ():
        found = catalog.filter(step)
        if len(found) == 1:
            return int(found["item_index"][0])
        if len(found) > 1:
            raise DataError(
                f"'{word}' fits {len(found):,} items: {_listed(found)}; give one identifier"
            )
    raise DataError(f"no item has the identifier or title '{word}'{_near(catalog, word)}")


def _listed(items: pl.DataFrame) -> str:
    names = [
        f"{one} '{title}'" for one, title in items.select("item_id", "title").head(SHOWN).rows()
    ]
    return ", ".join(names) + (", ..." if len(items) > SHOWN else "")


def _near(catalog: pl.DataFrame, word: str) -> str:
    """Return titles that begin almost like the word, in words."""
    beginning = pl.col("title").str.to_lowercase().str.slice(0, len(word))
    beginnings = catalog.select(beginning.unique(maintain_order=True)).to_series().to_list()
    near = difflib.get_close_matches(word.lower(), beginnings, n=3, cutoff=0.7) if word else []
    listed = _listed(catalog.filter(beginning.is_in(near)))
    return f"; near it: {listed}" if near else "; titles are in the catalog"


def read_offer(path: Path) -> pl.DataFrame:
    """Return the `item_id` and `title` of a catalogue as CSV, Parquet or JSON lines.

    Raises:
        DataError: the file cannot be read or has no column `item_id`.
    """
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
        elif path.suffix in (".jsonl", ".ndjson"):
            frame = pl.read_ndjson(path)
        else:
            frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: no readable catalogue ({reason})") from None
    if "item_id" not in frame.columns:
        raise DataError(f"{path}: no column 'item_id', only {', '.join(frame.columns)}")
    known = frame if "title" in frame.columns else frame.with_columns(title="item_id")
    return (
        known.select(pl.col("item_id", "title").cast(pl.String))
        .drop_nulls("item_id")
        .unique("item_id", keep="first", maintain_order=True)
    )
