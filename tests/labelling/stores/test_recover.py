"""What the journal has and no store: into the stores, whoever asks for it today."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import hints_place, labels_place
from pipeline.labelling.money.spending import spent
from pipeline.labelling.request import Request
from pipeline.labelling.stores import ledger, parts, table
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lines import LineFile
from pipeline.labelling.stores.recover import recover_rows, refuse_lost
from pipeline.paths import Paths
from tests.labelling.stores.answered import PAID, request, rows

HINTS = replace(request("fpmc/strong"), kind="hints")


def pay(paths: Paths, *requests: Request, project: str | None = None) -> None:
    """Write answers to the journal and the ledger as a run does that is killed before its store."""
    name = project_identity(paths.root) if project is None else project
    journal = Journal.here()
    with journal.writer() as answers, LineFile(journal.folder, ledger.SUFFIX) as lines:
        for one in requests:
            ledger.Ledger(lines, name).note(one, "sent", 0.002)
            answers.append(table.row(one, PAID))
            ledger.Ledger(lines, name).note(one, "answered", PAID.cost_usd)


def row(title: str, *, here: int, recovered: int, lost: int = 0) -> dict[str, Any]:
    """Return what is told of a store; an answer costs a tenth of a cent."""
    return {
        "store": title,
        "were_here": here,
        "recovered": recovered,
        "cost_usd": pytest.approx(recovered * PAID.cost_usd),
        "parts_still_lost": lost,
    }


@pytest.fixture
def project(tmp_path: Path) -> Paths:
    """Return an empty project."""
    return Paths(tmp_path / "project")


def test_every_paid_answer_of_the_dataset_comes_into_its_store(project: Paths) -> None:
    labels = labels_place(project, "tiny")
    labels.store.write(rows("stored"))
    pay(project, request("stored"), request("a"), request("b"), HINTS)
    pay(project, replace(request("c"), dataset="another"))
    assert recover_rows(project, "tiny") == [
        row("data/hints/tiny", here=0, recovered=1),
        row("data/labels/tiny", here=1, recovered=2),
    ]
    assert set(labels.store.read()["subject_id"]) == {"stored", "a", "b"}
    assert hints_place(project, "tiny").store.read()["kind"].to_list() == ["hints"]
    named = parts.paid_names(labels.names.read_bytes())
    assert named == [path.name for path in labels.store.parts()]


def test_a_second_time_nothing_is_recovered_and_nothing_is_written(project: Paths) -> None:
    pay(project, request("a"))
    recover_rows(project, "tiny")
    place = labels_place(project, "tiny")
    before = {path: path.read_bytes() for path in [*place.store.parts(), place.names]}
    assert [one["recovered"] for one in recover_rows(project, "tiny")] == [0, 0]
    assert {path: path.read_bytes() for path in [*place.store.parts(), place.names]} == before


def test_recovered_answers_are_counted_once(project: Paths) -> None:
    pay(project, request("a"), request("b"))
    assert spent(project, Journal.here()).total_usd == pytest.approx(0.002)
    recover_rows(project, "tiny")
    found = spent(project, Journal.here())
    assert found.stored_usd == pytest.approx(0.002)
    assert found.total_usd == pytest.approx(0.002)


def test_answers_that_another_project_bought_stay_where_they_are(project: Paths) -> None:
    pay(project, request("theirs"), request("both"), project="another")
    pay(project, request("both"))
    with Journal.here().writer() as lines:  # from before there were ledgers
        lines.append(table.row(request("old"), PAID))
    recover_rows(project, "tiny")
    found = labels_place(project, "tiny").store.read()["subject_id"]
    assert set(found) == {"both", "old"}


def lose(place: Place, *requests: Request) -> str:
    """Buy, record the part as a run does, and delete it; return its name."""
    pay(Paths(place.root), *requests)
    part = place.store.write(table.frame([table.row(one, PAID) for one in requests]))
    assert part is not None
    parts.write_names(place.names, place.store)
    with LineFile(Journal.here().folder, ledger.SUFFIX) as lines:
        name = project_identity(place.root)
        ledger.Ledger(lines, name).note_part(part, [one.key for one in requests])
    part.unlink()
    return part.name


def test_a_part_that_nobody_shared_comes_back_under_its_name(project: Paths) -> None:
    place = labels_place(project, "tiny")
    name = lose(place, request("a"), request("b"))
    with pytest.raises(LabelError, match="`distilrec labels recover tiny` brings back"):
        parts.refuse_absent(place.names, place.store, place.title)
    found = recover_rows(project, "tiny")
    assert found[1] == row("data/labels/tiny", here=0, recovered=2)
    refuse_lost(found)
    assert [path.name for path in place.store.parts()] == [name]
    assert parts.absent(place.names, place.store) == []


def test_a_part_written_by_another_library_is_replaced_by_one_with_its_answers(
    project: Paths,
) -> None:
    place = labels_place(project, "tiny")
    name, other = lose(place, request("a"), request("b")), f"{0:064}.parquet"
    place.names.write_text(place.names.read_text().replace(name, other))
    with LineFile(Journal.here().folder, ledger.SUFFIX) as lines:
        keys = [request(one).key for one in "ab"]
        ledger.Ledger(lines, "any").note_part(place.store.folder / other, keys)
    recover_rows(project, "tiny")
    assert parts.paid_names(place.names.read_bytes()) == [name]


def test_a_part_with_an_answer_that_the_journal_lacks_stays_recorded_as_absent(
    project: Paths,
) -> None:
    place = labels_place(project, "tiny")
    name = lose(place, request("a"), request("b"))
    (answers,) = Journal.here().files()
    answers.write_text(answers.read_text().splitlines()[0] + "\n")
    with pytest.raises(LabelError, match=r"`dvc pull data/labels/tiny`; .* brings back 1 answers"):
        parts.refuse_absent(place.names, place.store, place.title)
    found = recover_rows(project, "tiny")
    assert found[1] == row("data/labels/tiny", here=0, recovered=1, lost=1)
    with pytest.raises(LabelError, match="1 paid part is not here; if shared, `dvc pull") as told:
        refuse_lost(found)
    assert "labels recover" not in str(told.value)
    assert parts.absent(place.names, place.store) == [name]
    assert place.store.read()["subject_id"].to_list() == ["a"]
    assert spent(project, Journal.here()).total_usd == pytest.approx(2 * PAID.cost_usd)


def test_of_two_lost_parts_that_which_the_journal_has_comes_back(project: Paths) -> None:
    """Bought, cleared from the journal, bought again, both lost; and a third answer in no part."""
    place = labels_place(project, "tiny")
    gone = lose(place, request("a"))
    Journal.here().clear()
    kept = lose(place, request("b"))
    assert set(parts.paid_names(place.names.read_bytes())) == {gone, kept}
    recorded = json.loads(place.names.read_bytes())
    place.names.write_text(json.dumps(recorded | {"bought": {"count": 2, "cost_usd": 0.002}}))
    pay(project, request("c"))
    found = recover_rows(project, "tiny")
    assert found[1] == row("data/labels/tiny", here=0, recovered=2, lost=1)
    assert set(place.store.read()["subject_id"]) == {"b", "c"}
    assert parts.absent(place.names, place.store) == [gone]
    assert spent(project, Journal.here()).total_usd == pytest.approx(3 * PAID.cost_usd)
    assert recover_rows(project, "tiny")[1] == row("data/labels/tiny", here=2, recovered=0, lost=1)
    assert spent(project, Journal.here()).total_usd == pytest.approx(3 * PAID.cost_usd)


def test_a_damaged_part_comes_back_whole(project: Paths) -> None:
    place = labels_place(project, "tiny")
    name = lose(place, request("a"), request("b"))
    (place.store.folder / name).write_bytes(b"damaged")
    recover_rows(project, "tiny")
    assert [path.name for path in place.store.parts()] == [name]
    assert place.store.read().height == 2
    assert (place.aside / name).read_bytes() == b"damaged"
