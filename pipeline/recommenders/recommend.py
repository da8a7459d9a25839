"""Answers to a session typed by hand: items found by identifier or title, and what follows."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import polars as pl
import torch

from pipeline import console
from pipeline.errors import DataError
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.base import Recommender
from pipeline.recommenders.ranking import top_items
from pipeline.tables import CATALOG

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


def ask(
    paths: Paths, cell: Cell, model: str, words: Sequence[str], count: int, offer: Path | None
) -> Answer:
    """Return what one of a cell's models answers to items given by identifier or title.

    Raises:
        DataError: the model, the catalogue or an item is not there.
    """
    folders = paths.models(cell)
    if model not in folders:
        raise DataError(f"--model: '{model}' is not one of {', '.join(folders)}")
    catalog = CATALOG.read(paths.sessions(cell.dataset))
    session = [find_item(catalog, word) for word in words]
    return answer(
        registry.load(folders[model]),
        catalog,
        session,
        count,
        None if offer is None else read_offer(offer),
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
    return f"; near it: {listed}" if near else "; titles are in the table `catalog`"


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


def answer(
    model: Recommender,
    catalog: pl.DataFrame,
    session: Sequence[int],
    count: int,
    offer: pl.DataFrame | None = None,
) -> Answer:
    """Return the best items after a session.

    Items without a training event are never recommended: their weights were never learnt.

    Args:
        model: as `registry.load` returns it.
        catalog: the table `catalog` the model was trained on.
        session: item indices, oldest first, at least one.
        count: how many items, fewer if fewer can be scored.
        offer: `item_id`, `title` of the items that may be recommended; None: the whole catalogue.
    """
    offered = catalog.select("item_id", "title") if offer is None else offer
    offered = offered.join(
        catalog.select("item_id", "item_index", "training_events"),
        on="item_id",
        how="left",
        maintain_order="left",
    )
    fit = offered.filter(pl.col("training_events") > 0)
    best, scores = top_items(
        model, torch.tensor([list(session)]), model.n_items - len(set(session))
    )
    ranked = pl.DataFrame(
        {"item_index": best[0].numpy(), "score": scores[0].numpy()},
        schema={"item_index": pl.Int32, "score": pl.Float64},
    )
    items = ranked.join(fit, on="item_index", how="inner", maintain_order="left").head(count)
    return Answer(
        session=catalog[[index - 1 for index in session], ["item_id", "title"]],
        items=items.with_row_index("position", offset=1).select(
            pl.col("position").cast(pl.Int32), "item_id", "title", "score"
        ),
        unscored=offered.filter(pl.col("training_events").fill_null(0) == 0).select(
            "item_id",
            "title",
            reason=pl.when(pl.col("item_index").is_null())
            .then(pl.lit(NOT_IN_MODEL))
            .otherwise(pl.lit(COLD)),
        ),
    )
