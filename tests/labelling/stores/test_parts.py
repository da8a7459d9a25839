"""The names of paid parts in Git: what is recorded is never forgotten, and nothing else is read."""

import json
from pathlib import Path

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.stores import parts
from pipeline.labelling.stores.store import Store
from tests.labelling.stores.answered import FREE, rows


@pytest.fixture
def names(tmp_path: Path) -> Path:
    return tmp_path / "reports/label_parts.json"


@pytest.fixture
def here(tmp_path: Path) -> Store:
    """Return a store with a paid part."""
    made = Store(tmp_path / "store")
    made.write(rows("a"))
    return made


def test_paid_and_free_parts_are_recorded_with_what_was_bought(names: Path, here: Store) -> None:
    (paid,) = here.parts()
    free = here.write(rows("b", answer=FREE))
    assert free is not None
    parts.write_names(names, here)
    content = json.loads(names.read_text())
    assert (content["paid"], content["free"]) == ([paid.name], [free.name])
    assert (content["bought"]["count"], content["bought"]["cost_usd"]) == (1, 0.001)


def test_a_paid_part_that_is_gone_stays_recorded_with_its_cost(names: Path, here: Store) -> None:
    parts.write_names(names, here)
    before = names.read_bytes()
    (part,) = here.parts()
    part.unlink()
    parts.write_names(names, here)
    assert names.read_bytes() == before
    assert parts.absent(names, here) == [part.name]


def test_one_name_stands_on_a_line_and_names_are_sorted(names: Path, here: Store) -> None:
    """So that Git merges two sides that bought different labels line by line, mostly."""
    for subject in "bcde":
        here.write(rows(subject))
    parts.write_names(names, here)
    lines = [line.strip(' ",') for line in names.read_text().splitlines() if ".parquet" in line]
    assert lines == sorted(path.name for path in here.parts())
    assert len(lines) == 5


def test_parts_of_others_are_recorded_beside_ours(names: Path, here: Store) -> None:
    theirs = f"{'0' * 64}.parquet"
    parts.write_names(names, here, also=[theirs])
    assert set(parts.paid_names(names.read_bytes())) == {theirs, here.parts()[0].name}
    with pytest.raises(LabelError, match="dvc pull data/labels/x"):
        parts.refuse_absent(names, here, "data/labels/x")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"paid": 1}', '{"paid": ["x"]}', '{"paid": []}\n<<<<<<< HEAD\n']
)
def test_a_file_that_is_not_whole_stops_with_what_to_do(
    names: Path, here: Store, content: str
) -> None:
    names.parent.mkdir(parents=True)
    names.write_text(content)
    assert not parts.is_readable(names)
    for act in (parts.absent, parts.write_names):
        with pytest.raises(LabelError, match="labels merge <the branch you merged>"):
            act(names, here)
    assert names.read_text() == content


def test_without_a_file_nothing_is_absent(names: Path, here: Store) -> None:
    assert parts.is_readable(names)
    assert parts.absent(names, here) == []


def test_a_stray_file_is_not_recorded_and_the_file_of_names_stays_readable(
    names: Path, here: Store
) -> None:
    (paid,) = here.parts()
    paid.with_name("copy.parquet").write_bytes(paid.read_bytes())
    parts.write_names(names, here)
    assert parts.paid_names(names.read_bytes()) == [paid.name]
    assert parts.absent(names, here) == []
