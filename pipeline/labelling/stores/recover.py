"""From the journal into the stores: every answer paid for that no store has.

A run takes from the journal what it asks for. This takes the rest, too: answers to requests that
today's parameters, selection or prompts no longer ask, so that they can be shared and are not
cleared away. The journal is one for all projects of a user; an answer that only another project's
ledger knows of stays where it is.

Parts that were lost before anybody shared them (`git clean -fdx`) come back as well: the ledger
says which answers each had.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import hints_place, labels_place
from pipeline.labelling.stores import ledger, lock, parts
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal, LineFile
from pipeline.paths import Paths


def recover_rows(paths: Paths, dataset: str) -> list[dict[str, Any]]:
    """Write what the journal has of a dataset into its stores; return a row for each store.

    Raises:
        LabelError: another labeller is at work, or recorded parts are not here.
    """
    journal = Journal.here()
    project = project_identity(paths.root)
    foreign = ledger.of_others(journal.folder, project)
    return [
        _recovered(place, dataset, hints, journal, project, foreign)
        for place, hints in (
            (hints_place(paths, dataset), True),
            (labels_place(paths, dataset), False),
        )
    ]


def _recovered(
    place: Place, dataset: str, hints: bool, journal: Journal, project: str, foreign: set[str]
) -> dict[str, Any]:
    def is_ours(row: Mapping[str, Any]) -> bool:
        ours = row["dataset"] == dataset and row["key"] not in foreign
        return ours and (row["kind"] == "hints") == hints

    with lock.held(place.lock, place.title):
        place.store.set_aside(place.aside)
        _bring_back(place, journal)
        parts.refuse_absent(place.names, place.store, place.title)
        here = place.store.read(["key"])["key"]
        rows = journal.answers(is_ours, frozenset(here))
        part = place.store.write(rows)
        if part is not None:
            parts.write_names(place.names, place.store)
            with LineFile(journal.folder, ledger.SUFFIX) as lines:
                ledger.Ledger(lines, project).note_part(part, rows["key"].to_list())
    return {
        "store": place.title,
        "were_here": len(here),
        "recovered": rows.height,
        "cost_usd": float(rows["cost_usd"].sum()),
    }


def _bring_back(place: Place, journal: Journal) -> None:
    """Write recorded parts that are not here once more, if the journal has all of their answers.

    Equal answers are equal bytes, so a part has its name again; where another version of a library
    writes other bytes, the new name stands for the old one.
    """
    gone = set(parts.absent(place.names, place.store))
    answers_of = {
        line["part"]: frozenset(line["keys"])
        for line in (ledger.lines(journal.folder) if gone else ())
        if line.get("part") in gone
    }
    for name, keys in answers_of.items():
        rows = _answers_to(keys, journal)
        if set(rows["key"]) == keys:
            place.store.write(rows)
            parts.write_names(place.names, place.store, instead_of=name)


def _answers_to(keys: frozenset[str], journal: Journal) -> pl.DataFrame:
    return journal.answers(lambda row: row["key"] in keys)
