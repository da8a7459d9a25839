"""What `labels status` and `labels journal` tell of what was bought."""

import shutil

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import LabelError
from pipeline.labelling import overview
from pipeline.labelling.stores import lock
from pipeline.labelling.stores.journal import Journal
from pipeline.paths import Paths
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET


def test_status_tells_what_was_bought_of_whom_and_what_is_left(shop: Shop) -> None:
    paid = shop.serve(budget_usd=2.0)
    shop.buy()
    other = shop.labelled_by(model="another-model")
    shop.buy(other)
    hint, ranking = overview.status_rows(paid, shop.paths, DATASET)
    assert list(ranking["bought"]) == ["stub another-model", "stub stub-model"]
    assert ranking["labellers"] == {"stub another-model": 3, "stub stub-model": 3}
    services = ranking["bought"].values()
    assert [one["answers"] for one in services] == [3, 3]
    assert sum(one["cost_usd"] for one in services) == pytest.approx(ranking["cost_usd"])
    assert sum(one["prompt_tokens"] for one in services) == ranking["prompt_tokens"]
    spent = hint["cost_usd"] + ranking["cost_usd"]
    assert ranking["spent_by_the_project_usd"] == pytest.approx(spent)
    assert ranking["budget_left_usd"] == pytest.approx(2 - spent)


def test_the_journal_is_cleared_only_of_what_a_store_has(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve()
    shop.buy()
    monkeypatch.chdir(shop.paths.root)
    command, held = ["labels", "journal", "--clear"], shop.paths.labels_store(DATASET)
    shutil.move(held, shop.paths.root / "elsewhere")
    refused = CliRunner().invoke(app, command)
    assert "3 answers are in no store of this project" in str(refused.exception)
    assert Journal.here().read().height == 4
    shutil.move(shop.paths.root / "elsewhere", held)
    assert CliRunner().invoke(app, command).exit_code == 0
    assert Journal.here().files() == []


def test_to_clear_says_what_is_kept_and_yes_alone_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve()
    shop.buy()
    monkeypatch.chdir(shop.paths.root)
    refused = CliRunner().invoke(app, ["labels", "journal", "--yes"])
    assert refused.exit_code == 2
    assert Journal.here().read().height == 4
    cleared = CliRunner().invoke(app, ["labels", "journal", "--clear"])
    assert "the ledger was kept, so what was spent still counts" in cleared.stderr


def test_the_journal_says_whose_the_answers_are_that_clearing_would_lose(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    other = Paths(shop.paths.root / "other")
    with pytest.raises(LabelError) as refusal:
        overview.clear_journal(other, anyway=False)
    assert "other projects bought 4 of them: run `distilrec labels recover <dataset>` there" in str(
        refusal.value
    )
    assert "puts a dataset's into its stores" not in str(refusal.value)
    shop.forget_stores()
    with pytest.raises(LabelError) as ours:
        overview.clear_journal(shop.paths, anyway=False)
    assert "recover <dataset>` puts a dataset's into its stores" in str(ours.value)
    assert "other projects" not in str(ours.value)


def test_verify_names_a_file_that_is_no_part(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    held = shop.paths.labels_store(DATASET)
    (held / "copy.parquet").write_bytes(b"")
    states = {row["part"]: row["state"] for row in overview.verify_rows(shop.paths, DATASET)}
    assert states.pop("copy.parquet") == "no part"
    assert set(states.values()) == {"sound"}


def test_the_journal_is_not_cleared_while_somebody_writes_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve()
    shop.buy()
    monkeypatch.chdir(shop.paths.root)
    (purse,) = Journal.here().folder.glob("*.lock")
    with lock.held(purse, "x"):
        refused = CliRunner().invoke(app, ["labels", "journal", "--clear", "--yes"])
    assert "another labeller is at work" in str(refused.exception)
    assert Journal.here().read().height == 4


def test_the_journal_is_cleared_of_everything_on_request(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve()
    shop.buy()
    shop.forget_stores()
    monkeypatch.chdir(shop.paths.root)
    assert CliRunner().invoke(app, ["labels", "journal", "--clear", "--yes"]).exit_code == 0
    assert Journal.here().files() == []
