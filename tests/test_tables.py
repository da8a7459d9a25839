"""Tables keep their contract on write and on read, and equal rows give equal bytes."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import tables
from pipeline.errors import DataError
from pipeline.tables import Table

NUMBERS = Table("numbers", {"name": pl.String, "value": pl.Int32}, ("name",))
ALL = [value for value in vars(tables).values() if isinstance(value, Table)]


def frame(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NUMBERS.columns, orient="row")


def test_rows_come_back_in_key_order(tmp_path: Path) -> None:
    NUMBERS.write(frame(("b", 2), ("a", 1)), tmp_path)
    assert NUMBERS.read(tmp_path).rows() == [("a", 1), ("b", 2)]


@given(order=st.permutations([("a", 1), ("b", 2), ("c", 3)]))
def test_equal_rows_give_equal_bytes_in_any_order(
    order: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("table")
    NUMBERS.write(frame(("a", 1), ("b", 2), ("c", 3)), folder)
    expected = NUMBERS.path(folder).read_bytes()
    NUMBERS.write(frame(*order), folder)
    assert NUMBERS.path(folder).read_bytes() == expected


def test_a_further_column_is_left_out(tmp_path: Path) -> None:
    NUMBERS.write(frame(("a", 1)).with_columns(clock=pl.lit(5)), tmp_path)
    assert NUMBERS.read(tmp_path).columns == ["name", "value"]


def test_a_key_that_is_not_unique_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not unique"):
        NUMBERS.write(frame(("a", 1), ("a", 2)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="columns"):
        NUMBERS.write(pl.DataFrame({"name": ["a"], "value": [1.5]}), tmp_path)


def test_a_missing_table_names_the_file_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"numbers\.parquet is not here; run `dvc repro`"):
        NUMBERS.read(tmp_path)


def test_a_damaged_table_is_one_line(tmp_path: Path) -> None:
    NUMBERS.path(tmp_path).write_bytes(b"PAR1 and then nonsense")
    with pytest.raises(DataError, match="cannot be read") as caught:
        NUMBERS.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_table_with_other_columns_is_refused_on_read(tmp_path: Path) -> None:
    pl.DataFrame({"name": ["a"]}).write_parquet(NUMBERS.path(tmp_path))
    with pytest.raises(DataError, match="cannot be read"):
        NUMBERS.read(tmp_path)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_table_goes_to_disk_and_back_without_rows(table: Table, tmp_path: Path) -> None:
    table.write(table.empty(), tmp_path)
    assert table.read(tmp_path).equals(table.empty())


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_key_is_made_of_the_table_s_columns(table: Table) -> None:
    assert set(table.key) <= set(table.columns)


def test_table_names_are_unique() -> None:
    assert len({table.name for table in ALL}) == len(ALL) > 8


def test_the_contract_cannot_be_changed_by_mistake() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NUMBERS.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_the_documentation_names_every_column(table: Table, project: Path) -> None:
    text = (project / "docs/tables.md").read_text(encoding="utf-8")
    assert f"`{table.name}`" in text
    assert [column for column in table.columns if f"`{column}`" not in text] == []


def test_what_made_a_table_can_be_noted_in_it(tmp_path: Path) -> None:
    table = ALL[0]
    table.write(table.empty(), tmp_path)
    assert table.notes(tmp_path) == {}
    table.write(table.empty(), tmp_path, {"parser_version": "2"})
    assert table.notes(tmp_path) == {"parser_version": "2"}
    assert table.read(tmp_path).equals(table.empty())
