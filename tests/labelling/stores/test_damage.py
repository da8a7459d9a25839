"""Damage, power cuts and full disks, the short form of `benchmarks/labelling/damage.py`."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.labelling import damage
from pipeline.labelling.stores.parquet import DAMAGED
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.table import frame


@pytest.fixture(autouse=True)
def in_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def test_no_damage_is_read_as_a_label_and_the_rest_serves(tmp_path: Path) -> None:
    found = damage.silently_wrong(tmp_path, 150)
    assert (found["damages"], found["wrong"], found["lost elsewhere"]) == (150, 0, 0)
    assert found["not noticed"] == 0


def test_a_power_cut_takes_at_most_what_no_fsync_had_covered(tmp_path: Path) -> None:
    found = damage.power_cuts(tmp_path, 20)
    assert (found["synced lost"], found["wrong"], found["stuck"]) == (0, 0, 0)


def test_a_disk_that_fails_anywhere_stops_the_run_and_costs_nothing_twice(tmp_path: Path) -> None:
    found = damage.disk_faults(tmp_path, every=9)
    assert found["places"] >= 12
    assert (found["not one line"], found["asked again"], found["not mended"]) == (0, 0, 0)


def test_a_damaged_part_s_answers_come_from_the_journal(tmp_path: Path) -> None:
    vendor, asked = damage.Vendor(), damage.requests(4)
    damage.buyer(tmp_path, vendor).obtain(asked)
    (part,) = Store(tmp_path / "store").parts()
    part.write_bytes(bytes(part.stat().st_size))  # as a power cut may leave a file
    (tmp_path / "parts.json").unlink()
    bought = damage.buyer(tmp_path, vendor).obtain(asked)
    assert (bought.made, bought.from_journal) == (0, 4)
    assert max(vendor.paid.values()) == 1
    assert (tmp_path / "aside" / part.name).exists()


def test_what_is_counted_here_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the check of names against bytes, damaged parts are read as other labels."""

    def unchecked(path: Path, columns: list[str], keys: None = None) -> pl.DataFrame | str:
        try:
            table = pq.read_table(pa.BufferReader(path.read_bytes()), columns=columns)
            return frame([]).select(columns).vstack(pl.DataFrame(pl.from_arrow(table)))
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError):
            return DAMAGED

    monkeypatch.setattr("pipeline.labelling.stores.store.open_part", unchecked)
    found = damage.silently_wrong(tmp_path, 100)
    assert found["wrong"] > 0
    assert found["not noticed"] > 0
