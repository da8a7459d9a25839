"""The cap as the service sees it: random prices and usages, crashes, 64 requests under way."""

from pathlib import Path

import pytest

from benchmarks.labelling import money
from benchmarks.record import COLUMNS
from pipeline.labelling.money import spending
from pipeline.labelling.money.spending import Spent


@pytest.mark.parametrize("seed", range(2_000, 2_012))
def test_no_trace_is_billed_above_the_cap(seed: int, tmp_path: Path) -> None:
    found = money.trace(seed, tmp_path)
    assert not found.overrun
    assert 0 <= found.billed_usd <= found.cap_usd * (1 + money.ROUNDING)


def test_the_figures_have_the_form_of_all_others() -> None:
    rows = money.measure(2)
    assert all(set(row) == set(COLUMNS) for row in rows)
    assert {row["aim"]: row["value"] for row in rows}["<= 0"] == 0


def test_the_service_notices_a_cap_that_forgets_earlier_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spending, "spent", lambda *_: Spent())
    found = [money.trace(seed, tmp_path / str(seed)) for seed in range(2_000, 2_008)]
    assert any(one.overrun for one in found)
