"""Which answers serve again: other teachers, other names, other providers, other selections."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import SpendRefused
from pipeline.paths import cells
from pipeline.stages import labelled
from pipeline.tables import SELECTED
from tests.labelling.buy_many import buyer, requests
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET, StartStub, selected


def test_another_teacher_buys_nothing_under_session(shop: Shop) -> None:
    paid = shop.serve()
    shop.buy()
    (cell,) = cells(paid.run, DATASET)
    other = paid.model_copy(update={"run": paid.run.model_copy(update={"seeds": (2,)})})
    (new,) = cells(other.run, DATASET)
    for folder in (shop.paths.difficulty, shop.paths.selected):
        shutil.copytree(folder(cell), folder(new))
    fewer = selected().with_columns(candidates=selected()["candidates"].list.head(4))
    SELECTED.write(fewer, shop.paths.selected(new))
    again = shop.buy(other)
    assert (again.here, again.reused, again.answered) == (3, 3, None)
    assert shop.sold == 4
    assert labelled.run(other, shop.paths, new).usable == 3
    strict = other.model_copy(update={"label": other.label.model_copy(update={"reuse": "request"})})
    assert shop.buy(strict).answered == 3


def test_an_offline_answer_never_serves_for_the_service(shop: Shop) -> None:
    """Only `label.provider` was changed: endpoint and model of the service were there already."""
    shop.serve()
    for provider in ("replay", "similarity"):
        shop.buy(shop.labelled_by(provider=provider))
    assert shop.buy().answered == 3
    assert shop.sold == 4


def test_one_session_more_buys_one_answer(shop: Shop) -> None:
    (cell,) = cells(shop.serve().run, DATASET)
    shop.buy()
    SELECTED.write(selected((0, 1, 2, 4)), shop.paths.selected(cell))
    assert shop.buy().answered == 1
    assert len(list(shop.paths.labels_store(DATASET).glob("*.parquet"))) == 2


def test_the_gate_tells_what_is_reused_although_it_was_asked_in_other_words(shop: Shop) -> None:
    (cell,) = cells(shop.serve().run, DATASET)
    shop.buy()
    SELECTED.write(selected((0, 1, 2, 4)), shop.paths.selected(cell))
    shop.params = shop.labelled_by(temperature=0.5)
    shop.params = shop.allowed(budget_usd=0)
    told = "1 missing (3 here, 3 of them answers to other requests about the same subject, which"
    assert shop.plan()[1]["gate"].startswith(told)
    with pytest.raises(SpendRefused) as refusal:
        shop.buy()
    assert told in str(refusal.value)
    assert shop.sold == 4


def test_truncated_answers_serve_until_the_request_changes_or_a_further_try_is_allowed(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = {"finish_reason": "length", "content": '{"ranking": ["C1", "C'}
    paid = shop.serve(None, cut, cut, cut)
    first = shop.buy()
    assert (first.answered, first.truncated, shop.sold) == (3, None, 4)

    again, row = shop.buy(), shop.plan()[1]
    assert (again.here, again.truncated, again.answered) == (3, 3, None)
    advice = "of the answers here 3 truncated: they serve and are not bought again; "
    assert f"{advice}label.max_repeats: 1 asks anew" in " ".join(capsys.readouterr().err.split())
    assert row["refused_or_truncated"] == {"truncated": 3}
    assert row["gate"].startswith(f"nothing to buy; {advice}")

    further = shop.labelled_by(max_repeats=1)
    row = shop.plan(further)[1]
    assert (row["of_these_further_tries"], row["refused_or_truncated"]) == (3, {})
    assert row["gate"] == "would buy"
    longer = shop.labelled_by(max_tokens=4000)
    assert shop.plan(longer)[1]["missing"] == 3
    assert shop.buy(longer).answered == 3
    (cell,) = cells(paid.run, DATASET)
    assert labelled.run(longer, shop.paths, cell).usable == 3


def test_a_backbone_that_was_removed_is_neither_planned_nor_bought(shop: Shop) -> None:
    paid = shop.serve()
    both = paid.model_copy(
        update={"run": paid.run.model_copy(update={"backbones": ("fpmc", "stamp")})}
    )
    (cell, dropped) = cells(both.run, DATASET)
    shutil.copytree(shop.paths.difficulty(cell), shop.paths.difficulty(dropped))
    SELECTED.write(selected((1, 3)), shop.paths.selected(dropped))
    assert shop.plan(both)[1]["missing"] == 3 + 2
    assert shop.plan(paid)[1]["missing"] == 3
    SELECTED.write(selected((0, 1)), shop.paths.selected(dropped))
    row = shop.plan(both)[1]
    assert (row["missing"], row["share_an_answer"]) == (4, row["asked"] - 4)
    assert shop.buy(paid).asked == 3
    assert shop.sold == 1 + 3


def test_a_renamed_dataset_pays_nothing_again(tmp_path: Path, start_stub: StartStub) -> None:
    stub = start_stub()
    buyer(tmp_path / "old", stub.url).obtain(requests(3))
    renamed = [replace(request, dataset="films") for request in requests(3)]
    found = buyer(tmp_path / "new", stub.url).obtain(renamed)
    assert (found.from_journal, found.made, len(stub.paid())) == (3, 0, 3)
