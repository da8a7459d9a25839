"""Recorded parts that are not here: what was in them, and who can bring that back."""

from collections.abc import Collection, Mapping

import polars as pl

from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.journal import Journal


def answers_in(gone: Collection[str], journal: Journal) -> Mapping[str, frozenset[str]]:
    """Return which answers parts had, by their names, as far as this machine's ledgers know."""
    found = ledger.lines(journal.folder) if gone else ()
    return {line["part"]: frozenset(line["keys"]) for line in found if line.get("part") in gone}


def kept(keys: Collection[str], journal: Journal) -> pl.DataFrame:
    """Return the answers with some keys that the journal has."""
    return journal.answers(lambda row: row["key"] in keys)


def way_back(gone: Collection[str], title: str, journal: Journal) -> str:
    """Return how the answers of parts that are not here come back, the nearest way first.

    Args:
        gone: the parts' names.
        title: the store's folder as the user types it.
        journal: of this machine.
    """
    recover = f"`distilrec labels recover {title.rpartition('/')[-1]}`"
    held = answers_in(gone, journal)
    keys = frozenset[str]().union(*held.values())
    here = kept(keys, journal).height if keys else 0
    if len(held) == len(set(gone)) and here == len(keys):
        return (
            f"{recover} brings back all of it, which this machine's journal has (or, if it was "
            f"shared, `dvc pull {title}`)"
        )
    part = f"; {recover} brings back {here:,} answers that this machine's journal has"
    return f"fetch what was shared with `dvc pull {title}`{part if here else ''}"
