"""From the journal into the stores: every answer paid for that no store has.

A run takes from the journal what it asks for. This takes the rest, too: answers to requests that
today's parameters, selection or prompts no longer ask, so that they can be shared and are not
cleared away. The journal is one for all projects of a user; an answer that only another project's
ledger knows of stays where it is.

Parts that were lost before anybody shared them (`git clean -fdx`) come back as well: the ledger
says which answers each had. Of a part that the journal has not whole its answers come back, and the
part stays recorded as one that is not here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import LabelError
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import hints_place, labels_place
from pipeline.labelling.stores import ledger, lock, lost, parts
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lines import LineFile
from pipeline.labelling.stores.summary import bought
from pipeline.paths import Paths


def recover_rows(paths: Paths, dataset: str) -> list[dict[str, Any]]:
    """Write what the journal has of a dataset into its stores; return a row for each store.

    Raises:
        LabelError: another labeller is at work.
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
        before = frozenset(place.store.read(["key"])["key"])
        counted = _bring_back(place, journal)
        here = frozenset(place.store.read(["key"])["key"])
        rows = journal.answers(is_ours, here)
        part = place.store.write(rows)
        if part is not None:
            added = rows.filter(~rows["key"].is_in(list(counted)))
            parts.write_names(place.names, place.store, added=bought(added))
            with LineFile(journal.folder, ledger.SUFFIX) as lines:
                ledger.Ledger(lines, project).note_part(part, rows["key"].to_list())
        after = place.store.read(["key", "cost_usd"])
        still_lost = len(parts.absent(place.names, place.store))
    recovered = after.filter(~after["key"].is_in(list(before)))
    return {
        "store": place.title,
        "were_here": len(before),
        "recovered": recovered.height,
        "cost_usd": float(recovered["cost_usd"].sum()),
        "parts_still_lost": still_lost,
    }


def refuse_lost(rows: Iterable[Mapping[str, Any]]) -> None:
    """Do nothing if all parts that are recorded are here by now.

    Raises:
        LabelError: some are not.
    """
    for row in rows:
        if row["parts_still_lost"]:
            title = row["store"]
            names = "hint_parts" if title.startswith("data/hints") else "label_parts"
            dataset = title.rpartition("/")[-1]
            raise LabelError(
                f"{title}: what the journal has is back, but "
                f"{parts.are_not_here(row['parts_still_lost'])}; if shared, `dvc pull {title}` "
                f"fetches it; what is lost for good, remove from reports/{dataset}/{names}.json, "
                "and `dvc repro` buys anew what is asked of it"
            )


def _bring_back(place: Place, journal: Journal) -> frozenset[str]:
    """Write recorded parts that are not here once more, if the journal has all of their answers.

    Of the others it returns which answers they had: what those have cost is recorded.

    Equal answers are equal bytes, so a part has its name again; where another version of a library
    writes other bytes, the new name stands for the old one.
    """
    counted: set[str] = set()
    gone = set(parts.absent(place.names, place.store))
    for name, keys in lost.answers_in(gone, journal).items():
        rows = lost.kept(keys, journal)
        if rows.height == len(keys):
            place.store.write(rows)
            parts.write_names(place.names, place.store, instead_of=name)
        else:
            counted |= keys
    return frozenset(counted)
