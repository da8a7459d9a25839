"""Buying through the stages against the stub service, which counts what was paid for."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import files
from pipeline.errors import DataError, LabelError, SpendRefused
from pipeline.labelling import overview
from pipeline.labelling.cases import labels_place
from pipeline.labelling.money import spending
from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import AnswerFile, Journal
from pipeline.labelling.stores.store import Store
from pipeline.labelling.stores.summary import summary
from pipeline.paths import cells
from pipeline.stages import hints, label, labelled
from pipeline.tables import HINTS, LABELLED, SELECTED
from tests.labelling.buying import Shop
from tests.labelling.conftest import API_KEY, DATASET, TITLES, selected


def test_hints_and_rankings_are_bought_once(shop: Shop) -> None:
    shop.serve()
    first, second = shop.buy(), shop.buy()
    assert (first.asked, first.answered, first.here) == (3, 3, None)
    assert (second.asked, second.answered, second.here) == (3, None, 3)
    assert shop.sold == 1 + 3
    assert first.cost_usd > 0


def test_the_labels_are_read_into_rankings(shop: Shop) -> None:
    paid = shop.serve()
    shop.buy()
    (cell,) = cells(paid.run, DATASET)
    assert HINTS.read(shop.paths.hinted(DATASET))["hints"].to_list() == [
        ["Series hold together.", "Recent items count most."]
    ]
    found = labelled.run(paid, shop.paths, cell)
    assert (found.sessions, found.usable, found.missing) == (3, 3, None)
    table = LABELLED.read(shop.paths.labelled(cell))
    assert table["reading"].to_list() == ["strict"] * 3
    assert [set(one) for one in table["ranking"]] == [
        {4, 5, 6, 7, 8},
        {1, 2, 3, 4, 8},
        {3, 4, 6, 7, 8},
    ]
    assert table["contains_target"].to_list() == [True, True, True]


def test_nothing_is_sent_before_the_gate(shop: Shop) -> None:
    shop.serve()
    for change in ({"budget_usd": 0.0}, {"price_input": None}, {"max_new_requests": 0}):
        with pytest.raises(SpendRefused):
            shop.buy(shop.allowed(**change))
    assert shop.stub.seen() == []
    assert Journal.here().files() == []
    assert list(ledger.lines(Journal.here().folder)) == []


def test_a_lost_store_is_filled_from_the_journal(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    shop.forget_stores()
    again = shop.buy()
    assert (again.from_journal, again.answered) == (3, None)
    assert shop.sold == 4


def test_a_recorded_part_that_is_not_here_stops_with_the_command(shop: Shop) -> None:
    paid = shop.serve()
    shop.buy()
    shutil.rmtree(shop.paths.labels_store(DATASET))
    Journal.here().clear()
    with pytest.raises(LabelError, match="`dvc pull data/labels/tiny`"):
        label.run(paid, shop.paths, DATASET)
    assert shop.sold == 4


def test_what_was_bought_stands_beside_the_names_of_the_parts(shop: Shop) -> None:
    shop.serve()
    run = shop.buy()
    names = shop.paths.label_parts(DATASET)
    hint = files.read_json(shop.paths.hint_parts(DATASET))["bought"]
    label_ = files.read_json(names)["bought"]
    assert (hint["count"], label_["count"]) == (1, 3)
    assert hint["cost_usd"] > 0
    assert label_["cost_usd"] == pytest.approx(run.cost_usd)
    assert label_["prompt_tokens"] == run.prompt_tokens
    assert label_["seconds"] >= 0
    assert files.read_json(names)["labeller"] == {
        "provider": "openai_compatible",
        "endpoint": "stub",
        "model": "stub-model",
        "offline_stand_in": False,
    }
    before = names.read_bytes()
    shop.buy()
    assert names.read_bytes() == before


def test_an_offline_run_keeps_the_names_of_paid_parts(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    names = files.read_json(shop.paths.label_parts(DATASET))
    assert (len(names["paid"]), names["free"]) == (1, [])
    shutil.rmtree(shop.paths.labels_store(DATASET))
    shop.buy(shop.shipped)
    after = files.read_json(shop.paths.label_parts(DATASET))
    assert (after["paid"], after["bought"]) == (names["paid"], names["bought"])
    assert len(after["free"]) == 1


def test_a_damaged_part_is_set_aside_before_anything_is_bought(shop: Shop) -> None:
    paid = shop.serve()
    shop.buy()
    (part,) = shop.paths.labels_store(DATASET).glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(LabelError, match=part.name):
        label.run(paid, shop.paths, DATASET)
    assert (shop.paths.damaged / "data/labels/tiny" / part.name).exists()
    assert shop.sold == 4


def test_nothing_is_bought_where_the_project_cannot_be_told(shop: Shop) -> None:
    """Before its first commit a project would forget with it what was spent."""
    paid = shop.serve()
    subprocess.run(["git", "init", "--quiet", str(shop.paths.root)], check=True)
    with pytest.raises(LabelError, match="run `git add --all && git commit -m Start`"):
        shop.buy(paid)
    assert shop.stub.seen() == []
    hints.run(shop.shipped, shop.paths, DATASET)  # costs nothing, so it is nobody's business


def test_rankings_are_not_bought_without_hints(shop: Shop) -> None:
    hints.run(shop.shipped, shop.paths, DATASET)
    with pytest.raises(LabelError, match=r"no hints for fpmc/strong/1; run `distilrec hints tiny`"):
        label.run(shop.serve(), shop.paths, DATASET)
    assert shop.stub.seen() == []


def test_a_session_outside_training_is_never_sent(shop: Shop) -> None:
    (cell,) = cells(shop.serve().run, DATASET)
    SELECTED.write(selected((0, 6)), shop.paths.selected(cell))
    with pytest.raises(DataError, match=r"session 6 is in part 'test'.*`dvc repro select`"):
        shop.buy()
    assert shop.sold == 1  # the hints


def test_retries_are_paid_for_once(shop: Shop) -> None:
    busy = {"status": 429, "headers": {"Retry-After": "0.1"}}
    shop.serve({}, busy, {"status": 408}, concurrency=1)
    assert shop.buy().answered == 3
    assert (shop.sold, len(shop.stub.seen())) == (4, 6)
    rows = Store(shop.paths.labels_store(DATASET)).read(["attempts"])
    assert sorted(rows["attempts"]) == [1, 1, 3]


def test_a_failed_label_is_a_row_with_a_reason_and_no_gap(shop: Shop) -> None:
    paid = shop.serve({}, {"status": 500}, concurrency=1, retry_seconds=0.0)
    found = shop.buy()
    assert (found.answered, found.failed) == (2, 1)
    states = [one["state"] for one in ledger.entries(Journal.here().folder)]
    assert states.count("unknown:http 500") == 1
    assert states.count("answered") == 3
    (cell,) = cells(paid.run, DATASET)
    assert labelled.run(paid, shop.paths, cell).missing == 1
    assert shop.buy().answered == 1


def test_a_service_that_answers_nothing_is_an_error_with_the_reason(shop: Shop) -> None:
    paid = shop.serve({"body": "<html>"})
    with pytest.raises(LabelError, match=r"none of 1 requests was answered \(1 x no message"):
        shop.buy()
    last = list(ledger.entries(Journal.here().folder))[-1]
    assert (last["state"], last["detail"]) == ("unknown:no message in the reply", "<html>")
    status, _ = overview.status_rows(paid, shop.paths, DATASET)
    assert status["unknown_at_most_usd"] == last["at_most_usd"] > 0
    assert status["failed_attempts"] == {"no message in the reply": 1}


def test_a_reply_that_is_no_answer_is_kept_short_and_without_the_key(shop: Shop) -> None:
    shop.serve({"body": f"{API_KEY} " + "x" * 5_000})
    with pytest.raises(LabelError, match="no message"):
        shop.buy()
    detail = list(ledger.entries(Journal.here().folder))[-1]["detail"]
    assert detail.startswith("[key] xxx")
    assert len(detail) == 1_000


def test_what_was_answered_before_a_refusal_is_saved(shop: Shop) -> None:
    shop.serve({}, {}, {"status": 401, "body": '{"error": {"message": "gone"}}'}, concurrency=1)
    with pytest.raises(LabelError, match="answered 401"):
        shop.buy()
    assert shop.stored() == 1
    assert len(files.read_json(shop.paths.label_parts(DATASET))["paid"]) == 1
    assert shop.buy().answered == 2


def test_a_budget_that_ends_on_the_way_saves_what_was_bought(shop: Shop) -> None:
    dear = {"usage": {"prompt_tokens": 1_400, "completion_tokens": 500}}
    shop.serve({}, dear, concurrency=1, budget_usd=0.0045)
    with pytest.raises(SpendRefused) as refusal:
        shop.buy()
    text = str(refusal.value)
    assert text.startswith("data/labels/tiny: label_transport.budget_usd 0.0045 is used up: $0.003")
    assert "; 1 of 3 planned requests were answered and are saved. To buy the others raise" in text
    assert text.endswith("run `dvc pull data/labels/tiny`")
    assert shop.stored() == 1


def test_a_service_that_counts_more_than_was_allowed_stops_the_run_and_is_shown(
    shop: Shop,
) -> None:
    greedy = {"usage": {"prompt_tokens": 100, "completion_tokens": 100_000}}
    shop.serve({}, greedy, concurrency=1)
    told = r"the service counted \$0\.200100 for a request that may cost \$0\.00\d+: it does not"
    with pytest.raises(LabelError, match=told):
        shop.buy()
    assert (shop.sold, shop.stored()) == (2, 1)
    assert spending.spent(shop.paths, Journal.here()).total_usd > 0.2
    assert shop.buy().answered == 2


def test_an_answer_that_cannot_be_used_is_asked_again_as_often_as_allowed(shop: Shop) -> None:
    shop.serve({}, {"content": "sorry"}, {}, {}, {"content": "sorry"}, concurrency=1)
    patient = shop.labelled_by(max_repeats=2)
    found = shop.buy(patient)
    assert (found.answered, shop.sold) == (5, 6)
    (cell,) = cells(patient.run, DATASET)
    assert labelled.run(patient, shop.paths, cell).usable == 3
    assert shop.buy(patient).answered is None


def test_a_further_try_that_fails_does_not_fail_the_stage(shop: Shop) -> None:
    shop.serve({}, {"content": "sorry"}, {}, {}, {"status": 500}, concurrency=1, retry_seconds=0.0)
    found = shop.buy(shop.labelled_by(max_repeats=1))
    assert (found.answered, found.failed) == (3, 1)


def test_a_prompt_that_the_service_filters_stops_no_other(shop: Shop) -> None:
    body = json.dumps({"error": {"message": "filtered", "code": "content_filter"}})
    shop.serve({}, {"status": 400, "body": body}, concurrency=1)
    found = shop.buy()
    assert (found.answered, found.failed) == (2, 1)
    states = [one["state"] for one in ledger.entries(Journal.here().folder)]
    assert states.count("unknown:content filter") == 1


def test_an_overloaded_service_takes_nothing_from_the_budget(shop: Shop) -> None:
    busy = ({"status": status} for status in (502, 503, 529))
    shop.serve({}, *busy, concurrency=3, retry_seconds=0.0)
    with pytest.raises(LabelError, match="none of 3 requests was answered"):
        shop.buy()
    hint = summary(shop.paths.hints_store(DATASET)).bought.cost_usd
    assert spending.spent(shop.paths, Journal.here()).total_usd == pytest.approx(hint)


def test_answers_that_the_journal_s_disk_refuses_are_in_the_store(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve(concurrency=1)

    def full(*_: object) -> None:
        raise LabelError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(AnswerFile, "append", full)
        for _ in range(2):  # the hints are in their store, so rankings are next
            with pytest.raises(LabelError, match="no space left"):
                shop.buy()
    assert shop.stored() == 1
    assert spending.spent(shop.paths, Journal.here()).unknown_usd == 0
    assert shop.buy().answered == 2
    assert shop.sold == 4


def test_unreadable_hints_are_shown_and_bought_again_where_that_is_allowed(shop: Shop) -> None:
    shop.serve({"content": "Sorry, " + "no" * 200})
    with pytest.raises(LabelError) as error:
        shop.buy()
    shown = "Sorry, " + "no" * 96 + "n"
    assert f"the answer was '{shown}', and a hint answer is {{\"hints\": [" in str(error.value)
    assert hints.run(shop.labelled_by(max_repeats=1), shop.paths, DATASET).bought == 1


def test_a_second_labeller_on_one_store_says_so(shop: Shop) -> None:
    hints.run(shop.shipped, shop.paths, DATASET)
    with (
        held_elsewhere(labels_place(shop.paths, DATASET).lock) as holder,
        pytest.raises(LabelError, match=f"at work \\(process {holder.pid}\\)"),
    ):
        label.run(shop.shipped, shop.paths, DATASET)
    assert label.run(shop.shipped, shop.paths, DATASET).answered == 3


def test_two_labellers_of_one_project_do_not_spend_one_budget_at_once(shop: Shop) -> None:
    shop.serve()
    purse = Journal.here().folder / f"{project_identity(shop.paths.root)}.lock"
    with (
        held_elsewhere(purse) as holder,
        pytest.raises(LabelError, match=f"budget .* at work \\(process {holder.pid}\\)"),
    ):
        shop.buy()
    assert shop.stub.seen() == []
    assert shop.buy().answered == 3


class held_elsewhere(subprocess.Popen[str]):  # noqa: N801 - reads as the block it is
    """Another process that holds a lock during the block."""

    def __init__(self, path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from pipeline.labelling.stores import lock\n"
            "with lock.held(Path(sys.argv[1]), 'x'):\n"
            "    print('held', flush=True); sys.stdin.read()\n"
        )
        words = [sys.executable, "-c", code, str(path)]
        super().__init__(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.stdout is not None
        assert self.stdout.readline() == "held\n"


def test_only_titles_leave_the_machine(shop: Shop) -> None:
    shop.serve()
    shop.buy()
    texts = [json.loads(entry["body"]) for entry in shop.stub.seen()]
    allowed = {"model", "messages", "temperature", "max_tokens"}
    for body in texts:
        assert set(body) == allowed
        assert all(set(message) == {"role", "content"} for message in body["messages"])
        for word in ("session_id", "user", "item_id", "started", "tiny", "fpmc", "strong"):
            assert f'"{word}' not in body["messages"][1]["content"]
    ranking = texts[-1]["messages"][1]["content"]
    quoted = json.loads(ranking.splitlines()[1]), json.loads(ranking.splitlines()[4])
    assert {*quoted[0], *quoted[1].values()} <= set(TITLES)


def test_the_api_key_is_in_no_file(shop: Shop, empty_journal: Path) -> None:
    echo = {"content": f"your key is {API_KEY}"}
    quota = {"error": {"message": f"key {API_KEY} is empty", "code": "insufficient_quota"}}
    shop.serve({}, echo, {"status": 401, "body": json.dumps(quota)}, concurrency=1)
    with pytest.raises(LabelError) as error:
        shop.buy()
    assert API_KEY not in str(error.value)
    (part,) = shop.paths.labels_store(DATASET).glob("*.parquet")
    assert API_KEY not in str(Store(part.parent).read().rows())
    written = [p for folder in (shop.paths.root, empty_journal) for p in folder.rglob("*")]
    found = [p for p in written if p.is_file() and API_KEY.encode() in p.read_bytes()]
    assert found == []
