"""What a store holds and what was paid for it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from pipeline.labelling.stores import table
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.summary import Bought, StoreSummary, summary
from pipeline.labelling.stores.table import frame
from tests.labelling.stores.answered import FREE, NOW, PAID, request, rows


def test_the_summary_counts_rows_tokens_and_dollars(tmp_path: Path) -> None:
    here = Store(tmp_path)
    here.write(rows("a", "b"))
    here.write(frame([table.row(request("c"), replace(PAID, outcome="refused"))]))
    found = summary(tmp_path)
    assert (found.rows, found.outcomes) == (3, {"answered": 2, "refused": 1})
    assert found.bought == Bought(3, 2100, 180, 0.003, seconds=2.4)


def test_free_labels_are_not_counted_as_bought(tmp_path: Path) -> None:
    Store(tmp_path).write(rows("a", answer=FREE))
    assert summary(tmp_path).bought == Bought()
    assert summary(tmp_path / "absent") == StoreSummary()


def test_an_answer_that_two_people_bought_has_cost_both_of_them(tmp_path: Path) -> None:
    here = Store(tmp_path)
    here.write(rows("a"))
    theirs = replace(PAID, created_at=NOW + timedelta(hours=1))
    here.write(rows("a", answer=theirs))
    here.write(pl.concat([rows("a", answer=theirs), rows("b")]))  # its copy, in a recovered part
    here.write(rows("b", answer=FREE))
    found = summary(tmp_path)
    assert (found.rows, found.outcomes) == (2, {"answered": 2})
    assert found.bought == Bought(3, 2100, 180, 0.003, seconds=2.4)
