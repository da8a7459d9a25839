"""What the journal has and no store: into the stores, whoever asks for it today."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.buyer import Place
from pipeline.labelling.cases import hints_place, labels_place
from pipeline.labelling.money.spending import spent
from pipeline.labelling.request import Request
from pipeline.labelling.stores import ledger, parts, store
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal, LineFile
from pipeline.labelling.stores.recover import recover_rows
from pipeline.paths import Paths
from tests.labelling.stores.test_store import PAID, request, rows

HINTS = replace(request("fpmc/strong"), kind="hints")


def pay(paths: Paths, *requests: Request, project: str | None = None) -> None:
    """Write answers to the journal and the ledger as a run does that is killed before its store."""
    name = project_identity(paths.root) if project is None else project
    journal = Journal.here()
    with journal.writer() as answers, LineFile(journal.folder, ledger.SUFFIX) as lines:
        for one in requests:
            ledger.Ledger(lines, name).note(one, "sent", 0.002)
            answers.append(store.row(one, PAID))
            ledger.Ledger(lines, name).note(one, "answered", PAID.cost_usd)


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
        {"store": "data/hints/tiny", "were_here": 0, "recovered": 1, "cost_usd": 0.001},
        {"store": "data/labels/tiny", "were_here": 1, "recovered": 2, "cost_usd": 0.002},
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
        lines.append(store.row(request("old"), PAID))
    recover_rows(project, "tiny")
    found = labels_place(project, "tiny").store.read()["subject_id"]
    assert set(found) == {"both", "old"}


def test_parts_that_are_not_here_come_first(project: Paths) -> None:
    place = labels_place(project, "tiny")
    part = place.store.write(rows("a"))
    assert part is not None
    parts.write_names(place.names, place.store)
    part.unlink()
    pay(project, request("a"))
    with pytest.raises(LabelError, match="dvc pull data/labels/tiny"):
        recover_rows(project, "tiny")


def lose(place: Place, *requests: Request) -> str:
    """Buy, record the part as a run does, and delete it; return its name."""
    pay(Paths(place.root), *requests)
    part = place.store.write(store.frame([store.row(one, PAID) for one in requests]))
    assert part is not None
    parts.write_names(place.names, place.store)
    with LineFile(Journal.here().folder, ledger.SUFFIX) as lines:
        ledger.Ledger(lines, "any").note_part(part, [one.key for one in requests])
    part.unlink()
    return part.name


def test_a_part_that_nobody_shared_comes_back_under_its_name(project: Paths) -> None:
    place = labels_place(project, "tiny")
    name = lose(place, request("a"), request("b"))
    with pytest.raises(LabelError, match="`distilrec labels recover tiny` brings back"):
        parts.refuse_absent(place.names, place.store, place.title)
    recover_rows(project, "tiny")
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
    with pytest.raises(LabelError, match="1 of the paid parts"):
        recover_rows(project, "tiny")
    assert parts.absent(place.names, place.store) == [name]


def test_a_damaged_part_comes_back_whole(project: Paths) -> None:
    place = labels_place(project, "tiny")
    name = lose(place, request("a"), request("b"))
    (place.store.folder / name).write_bytes(b"damaged")
    recover_rows(project, "tiny")
    assert [path.name for path in place.store.parts()] == [name]
    assert place.store.read().height == 2
    assert (place.aside / name).read_bytes() == b"damaged"
