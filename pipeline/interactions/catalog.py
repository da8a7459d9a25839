"""The catalogue: items in their order, with titles and how often training saw them."""

import polars as pl


def catalog(titles: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Return `item_index`, `item_id`, `title`, without `training_events`.

    Items stand in the order of `titles`; used items that are not listed there follow, sorted by
    identifier. An item without a title is shown by its identifier.

    Args:
        titles: `item_id`, `title`, unique by `item_id`.
        used: `item_id` of the items that sessions name, unique.
    """
    unlisted = used.join(titles, on="item_id", how="anti").sort("item_id")
    listed = pl.concat([titles, unlisted.with_columns(title=pl.lit(None, pl.String))])
    known = pl.col("title").str.strip_chars().replace("", None)
    return listed.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("item_index"),
        "item_id",
        title=pl.coalesce(known, pl.col("item_id")),
    )


def with_training_events(items: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Return the catalogue with the number of each item's events in the training part."""
    counts = (
        sessions.filter(pl.col("part") == "training")
        .select(item_index=pl.col("items").explode(empty_as_null=False))
        .group_by("item_index")
        .agg(training_events=pl.len())
    )
    joined = items.join(counts, on="item_index", how="left", maintain_order="left")
    return joined.with_columns(pl.col("training_events").fill_null(0).cast(pl.UInt32))
