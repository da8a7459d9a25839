"""What `labels plan` tells, and that telling it asks nobody."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.labelling import overview
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.money.gate import dollars
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.lines import LineFile
from pipeline.labelling.stores.store import Store
from pipeline.paths import cells
from pipeline.stages import label
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET


def test_a_plan_tells_the_price_and_the_stop_and_asks_nobody(shop: Shop) -> None:
    shop.serve(budget_usd=0.0)
    for row, asked in zip(shop.plan(), (1, 3), strict=True):
        assert (row["asked"], row["missing"], row["here"]) == (asked, asked, 0)
        assert row["cost_usd"] == row["cost_online_usd"] > 0
        assert row["cost_by_batch_usd"] == pytest.approx(row["cost_usd"] / 2)
        assert row["price"] == "$1 + $2 a million tokens by params.yaml"
        assert "label_transport.budget_usd is 0" in row["gate"]
        assert "none of them was sent" in row["gate"]
    assert shop.stub.seen() == []


def test_the_hours_are_told_for_the_limits_of_the_account(shop: Shop) -> None:
    shop.serve(requests_per_minute=2)
    hints, rankings = shop.plan()
    assert hints["hours_at_the_limits"] == pytest.approx(1 / 120)
    assert rankings["hours_at_the_limits"] == pytest.approx(3 / 120)


def test_rankings_are_planned_with_the_money_that_their_hints_will_have_taken(shop: Shop) -> None:
    shop.serve(budget_usd=1.0)
    hints, rankings = shop.plan()
    assert hints["spent_usd"] == rankings["spent_usd"] == 0
    assert hints["cost_usd"] > 0
    assert rankings["budget_left_usd"] == pytest.approx(1 - hints["cost_usd"])
    poor = shop.allowed(budget_usd=hints["cost_usd"])
    assert f"hints take ${dollars(hints['cost_usd'])} before" in shop.plan(poor)[1]["gate"]
    shop.buy()
    hints, rankings = shop.plan()
    assert hints["spent_usd"] == rankings["spent_usd"] > 0
    assert (hints["gate"], rankings["gate"]) == ("nothing to buy", "nothing to buy")


def test_a_plan_says_where_the_money_went_that_the_budget_lacks(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    more = shop.labelled_by(model="another-model")
    spent = shop.plan()[0]["spent_usd"]
    poor = more.model_copy(
        update={"label_transport": more.label_transport.model_copy(update={"budget_usd": spent})}
    )
    row, _ = shop.plan(poor)
    assert f"of which ${dollars(spent)} is spent; none of them was sent" in row["gate"]


def test_a_plan_says_that_the_selection_is_of_other_parameters(shop: Shop) -> None:
    shop.serve()
    assert {row["selection"] for row in shop.plan()} == {"as params.yaml says"}
    (cell,) = cells(shop.params.run, DATASET)
    policy = shop.paths.selected(cell) / "policy.json"
    count = shop.params.select.count
    policy.write_text(json.dumps({"policy": "exact", "count": count}))
    assert {row["selection"] for row in shop.plan()} == {"as params.yaml says"}
    policy.write_text(json.dumps({"policy": "random", "count": count}))
    told = f"data/selected/{cell.folder}: the selection is of policy random, params.yaml says exact"
    assert {row["selection"] for row in shop.plan()} == {f"{told}: run `dvc repro select`"}


def test_a_plan_names_the_nearest_way_to_parts_that_are_not_here(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    shutil.rmtree(shop.paths.labels_store(DATASET))
    said = shop.plan()[1]["gate"]
    assert said.startswith("1 paid part is not here: `distilrec labels recover tiny` brings back")
    Journal.here().clear()
    said = shop.plan()[1]["gate"]
    assert said == "1 paid part is not here: fetch what was shared with `dvc pull data/labels/tiny`"


def test_an_unknown_price_is_told_in_the_plan(shop: Shop) -> None:
    shop.serve(price_input=None, price_output=None)
    for row in shop.plan():
        assert (row["cost_usd"], row["cost_by_batch_usd"]) == (None, None)
        assert row["price"] == "not known"
        assert "the price is not known: genai-prices " in row["gate"]


def test_a_plan_counts_what_is_reused_and_why(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    warmer = shop.labelled_by(temperature=1.0)
    _, row = shop.plan(warmer)
    assert (row["here"], row["missing"], row["reused"]) == (3, 0, 3)
    assert row["reused_although_changed"] == {"settings": 3}
    assert (row["missing_under_reuse_request"], row["gate"]) == (3, "nothing to buy")
    shop.forget_stores()
    _, row = shop.plan(warmer)
    assert (row["here"], row["in_journal"]) == (0, 3)
    assert row["reused_although_changed"] == {"settings": 3}


def test_the_further_try_of_unreadable_hints_is_planned(shop: Shop) -> None:
    shop.serve({"content": "Sorry"})
    with pytest.raises(Exception, match="no readable hints"):
        shop.buy()
    assert shop.plan()[0]["gate"] == "nothing to buy"
    again = shop.labelled_by(max_repeats=1)
    row, _ = shop.plan(again)
    assert (row["here"], row["missing"], row["of_these_further_tries"]) == (1, 1, 1)
    assert row["cost_usd"] > 0
    shop.buy(again)
    assert shop.plan(again)[0]["gate"] == "nothing to buy"


def test_a_plan_counts_the_further_tries_of_rankings_in_store_or_journal(shop: Shop) -> None:
    shop.serve({}, {"content": "sorry"}, {"content": "sorry"}, concurrency=1)
    shop.buy()
    again = shop.labelled_by(max_repeats=2)
    _, row = shop.plan(again)
    assert (row["here"], row["missing"], row["gate"]) == (3, 2, "would buy")
    assert row["missing_under_reuse_request"] == 2
    assert (row["asked"], row["share_an_answer"]) == (3, 0)
    shop.forget_stores()
    _, row = shop.plan(again)
    assert (row["in_journal"], row["missing"]) == (3, 2)
    shop.buy(again)
    assert label.run(again, shop.paths, DATASET).answered is None


def test_what_is_in_a_batch_under_way_is_planned_without_money(
    shop: Shop, empty_journal: Path
) -> None:
    """Keys are the same online and by batch, so those of a purchase tell what to record."""
    shop.serve()
    shop.buy()
    held = Store(shop.paths.labels_store(DATASET)).read(["key"])["key"].to_list()
    shop.forget_stores()
    Journal.here().clear()
    by_batch = shop.labelled_by(provider="openai_batch")
    project = project_identity(shop.paths.root)
    with LineFile(empty_journal, batch_record.SUFFIX) as lines:
        record = batch_record.Record(lines)
        batch = record.note(batch_record.Plan.of(held, "stub", project), "planned")
        record.note(record.note(batch, "uploaded", file_id="file"), "created", batch_id="batch")
    _, row = shop.plan(by_batch)
    assert (row["missing"], row["of_these_in_batches_under_way"]) == (3, 3)
    assert (row["cost_usd"], row["prompt_tokens"], row["gate"]) == (0, 0, "nothing to buy")
    _, status = overview.status_rows(by_batch, shop.paths, DATASET)
    assert status["in_batches_under_way"] == 3


def test_a_batch_is_planned_at_its_price_and_a_few_requests_at_the_price_online(
    shop: Shop,
) -> None:
    shop.serve(batch_at_least=3)
    hints, rankings = shop.plan(shop.labelled_by(provider="openai_batch"))
    assert hints["cost_usd"] == hints["cost_online_usd"] == 2 * hints["cost_by_batch_usd"]
    assert rankings["cost_usd"] == rankings["cost_by_batch_usd"] > 0
    assert rankings["price"].startswith("$0.5 + $1 a million tokens")


def test_a_price_in_the_parameters_is_told_beside_another_one_in_the_table(shop: Shop) -> None:
    shop.serve()
    known = shop.labelled_by(model="gpt-4.1-mini")
    at_openai = known.label_transport.model_copy(update={"base_url": "https://api.openai.com/v1"})
    told = shop.plan(known.model_copy(update={"label_transport": at_openai}))[0]["price"]
    assert told.startswith("$1 + $2 a million tokens by params.yaml; the table says $0.4 ")
    same = at_openai.model_copy(update={"price_input": 0.4, "price_output": 1.6})
    told = shop.plan(known.model_copy(update={"label_transport": same}))[0]["price"]
    assert told == "$0.4 + $1.6 a million tokens by params.yaml"
