"""What a cell's model answers to a session typed by hand."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import torch

from pipeline.errors import DataError
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.answers import Answer, assembled, find_item, read_offer
from pipeline.recommenders.base import KnowsTitles, Recommender
from pipeline.recommenders.ranking import top_items
from pipeline.tables import CATALOG


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


def answer(
    model: Recommender,
    catalog: pl.DataFrame,
    session: Sequence[int],
    count: int,
    offer: pl.DataFrame | None = None,
) -> Answer:
    """Return the best items after a session.

    Args:
        model: as `registry.load` returns it.
        catalog: the table `catalog` the model was trained on.
        session: item indices, oldest first, at least one.
        count: how many items, fewer if fewer can be scored.
        offer: `item_id`, `title` of the items that may be recommended; None: the whole catalogue.
    """
    best, scores = top_items(
        model, torch.tensor([list(session)]), model.n_items - len(set(session))
    )
    ranked = pl.DataFrame(
        {"item_index": best[0].numpy(), "score": scores[0].numpy()},
        schema={"item_index": pl.Int32, "score": pl.Float64},
    )
    return assembled(catalog.with_columns(_cold(model, catalog)), session, ranked, count, offer)


def _cold(model: Recommender, catalog: pl.DataFrame) -> pl.Series:
    """Return which items the model knows nothing of: their weights were never learnt.

    A model that knows titles scores an item without a training event by its title.
    """
    if isinstance(model, KnowsTitles):
        return pl.Series("cold", ~model.scorable()[1:].numpy())
    return (catalog["training_events"] == 0).alias("cold")
