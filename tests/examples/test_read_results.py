"""The example recomputes figures from a table of ranks made by hand."""

import math
import runpy
from pathlib import Path

import polars as pl
import pytest

from pipeline.tables import RANKS


def test_figures_follow_from_the_ranks(tmp_path: Path) -> None:
    rows = {
        "model": ["student"] * 4,
        "session_id": [0, 1, 2, 3],
        "target": [5, 6, 7, 8],
        "rank": [1, 3, 10, 11],
        "cold": [False, True, False, True],
    }
    folder = tmp_path / "tiny/fpmc/strong/1/ranks"
    RANKS.write(pl.DataFrame(rows, schema=RANKS.columns), folder)

    example = runpy.run_path("examples/read_results.py")
    [row] = example["figures"](tmp_path).to_dicts()

    assert row["cell"] == "tiny/fpmc/strong/1"
    assert row["recall"] == 3 / 4
    assert row["ndcg"] == pytest.approx((1 + 1 / 2 + 1 / math.log2(11)) / 4)
    assert row["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 10) / 4)
    assert row["recall_of_cold_targets"] == 1 / 2
