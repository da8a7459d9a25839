"""Buying through the stages against the stub service, which counts what was paid for."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli import app
from pipeline.errors import DataError, LabelError, SpendRefused
from pipeline.labelling import ledger, lock, overview, store
from pipeline.labelling.cases import labels_place
from pipeline.labelling.journal import Journal
from pipeline.params import Params
from pipeline.paths import Paths, cells
from pipeline.stages import hints, label, labelled
from pipeline.tables import HINTS, LABELLED, SELECTED
from tests.labelling.buy_many import buyer, requests
from tests.labelling.conftest import DATASET, TITLES, StartStub, paying, selected

KEY = "sk-canary-77aa01"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_API_KEY", KEY)


def bought(params: Params, paths: Paths) -> label.Summary:
    """Run the stages that pay."""
    hints.run(params, paths, DATASET)
    return label.run(params, paths, DATASET)


def test_hints_and_rankings_are_bought_once(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = paying(params, stub.url)
    first, second = bought(paid, paths), bought(paid, paths)
    assert (first.asked, first.answered, first.here) == (3, 3, None)
    assert (second.asked, second.answered, second.here) == (3, None, 3)
    assert len(stub.paid()) == 1 + 3
    assert first.cost_usd > 0


def test_the_labels_are_read_into_rankings(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    paid = paying(params, start_stub().url)
    bought(paid, paths)
    (cell,) = cells(paid.run, DATASET)
    assert HINTS.read(paths.hinted(DATASET))["hints"].to_list() == [
        ["Series hold together.", "Recent items count most."]
    ]
    found = labelled.run(paid, paths, cell)
    assert (found.sessions, found.usable, found.missing) == (3, 3, None)
    table = LABELLED.read(paths.labelled(cell))
    assert table["reading"].to_list() == ["strict"] * 3
    assert [set(one) for one in table["ranking"]] == [
        {4, 5, 6, 7, 8},
        {1, 2, 3, 4, 8},
        {3, 4, 6, 7, 8},
    ]
    assert table["contains_target"].to_list() == [True, True, True]


def test_nothing_is_sent_before_the_gate(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    for change in ({"budget_usd": 0.0}, {"price_input": None}, {"max_new_requests": 0}):
        with pytest.raises(SpendRefused):
            hints.run(paying(params, stub.url, **change), paths, DATASET)
    assert stub.seen() == []
    assert Journal.here().files() == []


def test_a_lost_store_is_filled_from_the_journal(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = paying(params, stub.url)
    bought(paid, paths)
    for folder in (paths.labels_store(DATASET), paths.hints_store(DATASET)):
        shutil.rmtree(folder)
    paths.label_parts(DATASET).unlink()
    paths.hint_parts(DATASET).unlink()
    again = bought(paid, paths)
    assert (again.from_journal, again.answered) == (3, None)
    assert len(stub.paid()) == 4


def test_a_recorded_part_that_is_not_here_stops_with_the_command(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = paying(params, stub.url)
    bought(paid, paths)
    shutil.rmtree(paths.labels_store(DATASET))
    Journal.here().clear()
    with pytest.raises(LabelError, match="`dvc pull data/labels/tiny`"):
        label.run(paid, paths, DATASET)
    assert len(stub.paid()) == 4


def test_what_was_bought_stands_beside_the_names_of_the_parts(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    paid = paying(params, start_stub().url)
    run = bought(paid, paths)
    hint = files.read_json(paths.hint_parts(DATASET))["bought"]
    label_ = files.read_json(paths.label_parts(DATASET))["bought"]
    assert (hint["count"], label_["count"]) == (1, 3)
    assert hint["cost_usd"] > 0
    assert label_["cost_usd"] == pytest.approx(run.cost_usd)
    assert label_["prompt_tokens"] == run.prompt_tokens
    assert label_["seconds"] >= 0
    assert files.read_json(paths.label_parts(DATASET))["labeller"] == {
        "provider": "openai_compatible",
        "endpoint": "stub",
        "model": "stub-model",
        "offline_stand_in": False,
    }
    before = paths.label_parts(DATASET).read_bytes()
    bought(paid, paths)
    assert paths.label_parts(DATASET).read_bytes() == before


def test_a_renamed_dataset_pays_nothing_again(
    tmp_path: Path, params: Params, start_stub: StartStub
) -> None:
    stub = start_stub()
    buyer(tmp_path / "old", stub.url).obtain(requests(3))
    renamed = [replace(request, dataset="films") for request in requests(3)]
    found = buyer(tmp_path / "new", stub.url).obtain(renamed)
    assert (found.from_journal, found.made, len(stub.paid())) == (3, 0, 3)


def test_the_journal_is_cleared_only_of_what_a_store_has(
    params: Params, paths: Paths, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(paying(params, start_stub().url), paths)
    monkeypatch.chdir(paths.root)
    command = ["labels", "journal", "--clear"]
    shutil.move(paths.labels_store(DATASET), paths.root / "elsewhere")
    refused = CliRunner().invoke(app, command)
    assert "3 answers are in no store of this project" in str(refused.exception)
    assert Journal.here().read().height == 4
    shutil.move(paths.root / "elsewhere", paths.labels_store(DATASET))
    assert CliRunner().invoke(app, command).exit_code == 0
    assert Journal.here().files() == []


def test_the_journal_is_cleared_of_everything_on_request(
    tmp_path: Path, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer(tmp_path, start_stub().url).obtain(requests(2))
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["labels", "journal", "--clear", "--yes"]).exit_code == 0
    assert Journal.here().files() == []


def test_an_offline_run_keeps_the_names_of_paid_parts(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    bought(paying(params, start_stub().url), paths)
    names = files.read_json(paths.label_parts(DATASET))
    assert (len(names["paid"]), names["free"]) == (1, [])
    shutil.rmtree(paths.labels_store(DATASET))
    bought(params, paths)
    after = files.read_json(paths.label_parts(DATASET))
    assert (after["paid"], after["bought"]) == (names["paid"], names["bought"])
    assert len(after["free"]) == 1


def test_a_damaged_part_is_set_aside_before_anything_is_bought(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = paying(params, stub.url)
    bought(paid, paths)
    (part,) = paths.labels_store(DATASET).glob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(LabelError, match=part.name):
        label.run(paid, paths, DATASET)
    assert (paths.damaged / "data/labels/tiny" / part.name).exists()
    assert len(stub.paid()) == 4


def test_another_teacher_buys_nothing_under_session(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = paying(params, stub.url)
    bought(paid, paths)
    (cell,) = cells(paid.run, DATASET)
    other = paid.model_copy(update={"run": paid.run.model_copy(update={"seeds": (2,)})})
    (new,) = cells(other.run, DATASET)
    for folder in (paths.difficulty, paths.selected):
        shutil.copytree(folder(cell), folder(new))
    fewer = selected().with_columns(candidates=selected()["candidates"].list.head(4))
    SELECTED.write(fewer, paths.selected(new))
    again = bought(other, paths)
    assert (again.here, again.reused, again.answered) == (3, 3, None)
    assert len(stub.paid()) == 4
    assert labelled.run(other, paths, new).usable == 3
    strict = other.model_copy(update={"label": other.label.model_copy(update={"reuse": "request"})})
    assert bought(strict, paths).answered == 3


def test_an_offline_answer_never_serves_for_the_service(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    """Only `label.provider` was changed: endpoint and model of the service were there already."""
    stub = start_stub()
    paid = paying(params, stub.url)
    for provider in ("replay", "similarity"):
        label_there = paid.label.model_copy(update={"provider": provider})
        bought(paid.model_copy(update={"label": label_there}), paths)
    assert bought(paid, paths).answered == 3
    assert len(stub.paid()) == 4


def test_rankings_are_not_bought_without_hints(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    hints.run(params, paths, DATASET)
    with pytest.raises(LabelError, match=r"no hints for fpmc/strong/1; run `distilrec hints tiny`"):
        label.run(paying(params, stub.url), paths, DATASET)
    assert stub.seen() == []


def test_a_session_outside_training_is_never_sent(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    (cell,) = cells(params.run, DATASET)
    SELECTED.write(selected((0, 6)), paths.selected(cell))
    with pytest.raises(DataError, match=r"session 6 is in part 'test'.*`dvc repro select`"):
        bought(paying(params, stub.url), paths)
    assert len(stub.paid()) == 1  # the hints


def test_one_session_more_buys_one_answer(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    paid = paying(params, stub.url)
    bought(paid, paths)
    (cell,) = cells(paid.run, DATASET)
    SELECTED.write(selected((0, 1, 2, 4)), paths.selected(cell))
    assert bought(paid, paths).answered == 1
    assert len(list(paths.labels_store(DATASET).glob("*.parquet"))) == 2


def test_a_folder_of_a_dropped_cell_is_not_bought(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    (cell,) = cells(params.run, DATASET)
    dropped = replace(cell, backbone="stamp")
    SELECTED.write(selected((1, 3)), paths.selected(dropped))
    assert bought(paying(params, start_stub().url), paths).asked == 3


def test_retries_are_paid_for_once(params: Params, paths: Paths, start_stub: StartStub) -> None:
    faults = [{"status": 429, "headers": {"Retry-After": "0.1"}}, {"status": 408}]
    stub = start_stub({}, *faults)
    assert bought(paying(params, stub.url, concurrency=1), paths).answered == 3
    assert (len(stub.paid()), len(stub.seen())) == (4, 6)
    rows = store.Store(paths.labels_store(DATASET)).read(["attempts"])
    assert sorted(rows["attempts"]) == [1, 1, 3]


def test_a_failed_label_is_a_row_with_a_reason_and_no_gap(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({}, {"status": 500})
    paid = paying(params, stub.url, concurrency=1, retry_seconds=0.0)
    found = bought(paid, paths)
    assert (found.answered, found.failed) == (2, 1)
    states = [one["state"] for one in ledger.entries(Journal.here().folder)]
    assert states.count("unknown:http 500") == 1
    assert states.count("answered") == 3
    (cell,) = cells(paid.run, DATASET)
    assert labelled.run(paid, paths, cell).missing == 1
    assert bought(paid, paths).answered == 1


def test_a_service_that_answers_nothing_is_an_error_with_the_reason(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({"body": "<html>"})
    with pytest.raises(LabelError, match=r"none of 1 requests was answered \(1 x no message"):
        hints.run(paying(params, stub.url), paths, DATASET)
    last = list(ledger.entries(Journal.here().folder))[-1]
    assert (last["state"], last["detail"]) == ("unknown:no message in the reply", "<html>")
    status, _ = overview.status_rows(paths, DATASET)
    assert status["unknown_at_most_usd"] == round(last["at_most_usd"], 9) > 0


def test_a_reply_that_is_no_answer_is_kept_short_and_without_the_key(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({"body": f"{KEY} " + "x" * 5_000})
    with pytest.raises(LabelError, match="no message"):
        hints.run(paying(params, stub.url), paths, DATASET)
    detail = list(ledger.entries(Journal.here().folder))[-1]["detail"]
    assert detail.startswith("[key] xxx")
    assert len(detail) == 1_000


def test_what_was_answered_before_a_refusal_is_saved(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({}, {}, {"status": 401, "body": '{"error": {"message": "gone"}}'})
    paid = paying(params, stub.url, concurrency=1)
    with pytest.raises(LabelError, match="answered 401"):
        bought(paid, paths)
    assert store.summary(paths.labels_store(DATASET)).rows == 1
    assert len(files.read_json(paths.label_parts(DATASET))["paid"]) == 1
    assert bought(paid, paths).answered == 2


def test_a_budget_that_ends_on_the_way_saves_what_was_bought(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({}, {"usage": {"prompt_tokens": 1_400, "completion_tokens": 500}})
    paid = paying(params, stub.url, concurrency=1, budget_usd=0.0045)
    with pytest.raises(SpendRefused, match="is used up"):
        bought(paid, paths)
    assert store.summary(paths.labels_store(DATASET)).rows == 1


def test_an_answer_that_cannot_be_used_is_asked_again_as_often_as_allowed(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({}, {"content": "sorry"}, {}, {}, {"content": "sorry"})
    shipped = paying(params, stub.url, concurrency=1)
    paid = shipped.model_copy(update={"label": shipped.label.model_copy(update={"max_repeats": 2})})
    found = bought(paid, paths)
    assert (found.answered, len(stub.paid())) == (5, 6)
    (cell,) = cells(paid.run, DATASET)
    assert labelled.run(paid, paths, cell).usable == 3
    assert bought(paid, paths).answered is None


def allowing(params: Params, repeats: int) -> Params:
    label_ = params.label.model_copy(update={"max_repeats": repeats})
    return params.model_copy(update={"label": label_})


def test_unreadable_hints_are_shown_and_their_further_try_is_planned(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({"content": "Sorry, " + "no" * 200})
    paid = paying(params, stub.url)
    with pytest.raises(LabelError) as error:
        hints.run(paid, paths, DATASET)
    shown = "Sorry, " + "no" * 96 + "n"
    assert f"the answer was '{shown}', and a hint answer is {{\"hints\": [" in str(error.value)
    assert overview.plan_rows(paid, paths, DATASET)[0]["gate"] == "nothing to buy"
    again = allowing(paid, 1)
    row, _ = overview.plan_rows(again, paths, DATASET)
    assert (row["here"], row["missing"], row["of_these_further_tries"]) == (1, 1, 1)
    assert row["cost_usd"] > 0
    poor = allowing(paying(params, stub.url, budget_usd=0.0), 1)
    row, _ = overview.plan_rows(poor, paths, DATASET)
    assert "label_transport.budget_usd is 0; nothing was sent" in row["gate"]
    assert hints.run(again, paths, DATASET).bought == 1
    assert overview.plan_rows(again, paths, DATASET)[0]["gate"] == "nothing to buy"


def test_a_plan_counts_the_further_tries_of_rankings_in_store_or_journal(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub({}, {"content": "sorry"}, {"content": "sorry"})
    paid = paying(params, stub.url, concurrency=1)
    bought(paid, paths)
    again = allowing(paid, 2)
    _, row = overview.plan_rows(again, paths, DATASET)
    assert (row["here"], row["missing"], row["gate"]) == (3, 2, "would buy")
    assert row["missing_under_reuse_request"] == 2
    shutil.rmtree(paths.labels_store(DATASET))
    paths.label_parts(DATASET).unlink()
    _, row = overview.plan_rows(again, paths, DATASET)
    assert (row["in_journal"], row["missing"]) == (3, 2)
    assert label.run(again, paths, DATASET).answered == 2


def test_a_second_labeller_on_one_store_says_so(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    place = labels_place(paths, DATASET)
    code = (
        "import sys; from pathlib import Path; from pipeline.labelling import lock\n"
        "with lock.held(Path(sys.argv[1]), 'x'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(place.lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        hints.run(params, paths, DATASET)
        with pytest.raises(LabelError, match=f"at work \\(process {holder.pid}\\)"):
            label.run(params, paths, DATASET)
    finally:
        holder.communicate()
    with lock.held(place.lock, "x"):
        pass


def test_only_titles_leave_the_machine(params: Params, paths: Paths, start_stub: StartStub) -> None:
    stub = start_stub()
    bought(paying(params, stub.url), paths)
    texts = [json.loads(entry["body"]) for entry in stub.seen()]
    allowed = {"model", "messages", "temperature", "max_tokens"}
    for body in texts:
        assert set(body) == allowed
        assert all(set(message) == {"role", "content"} for message in body["messages"])
        for word in ("session_id", "user", "item_id", "started", "tiny", "fpmc", "strong"):
            assert f'"{word}' not in body["messages"][1]["content"]
    ranking = texts[-1]["messages"][1]["content"]
    quoted = json.loads(ranking.splitlines()[1]), json.loads(ranking.splitlines()[4])
    assert {*quoted[0], *quoted[1].values()} <= set(TITLES)


def test_the_api_key_is_in_no_file(
    params: Params, paths: Paths, start_stub: StartStub, tmp_path: Path, empty_journal: Path
) -> None:
    echo = {"content": f"your key is {KEY}"}
    quota = {"error": {"message": f"key {KEY} is empty", "code": "insufficient_quota"}}
    stub = start_stub({}, echo, {"status": 401, "body": json.dumps(quota)})
    with pytest.raises(LabelError) as error:
        bought(paying(params, stub.url, concurrency=1), paths)
    assert KEY not in str(error.value)
    (part,) = paths.labels_store(DATASET).glob("*.parquet")
    assert KEY not in str(store.Store(part.parent).read().rows())
    written = [p for folder in (paths.root, empty_journal) for p in folder.rglob("*")]
    found = [p for p in written if p.is_file() and KEY.encode() in p.read_bytes()]
    assert found == []


def test_a_plan_tells_the_price_and_the_stop_and_asks_nobody(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    frugal = paying(params, stub.url, budget_usd=0.0)
    for row, asked in zip(overview.plan_rows(frugal, paths, DATASET), (1, 3), strict=True):
        assert (row["asked"], row["missing"], row["here"]) == (asked, asked, 0)
        assert row["cost_usd"] > 0
        assert "label_transport.budget_usd is 0; nothing was sent" in row["gate"]
    assert stub.seen() == []


def test_a_plan_counts_what_is_reused_and_why(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    paid = paying(params, start_stub().url)
    bought(paid, paths)
    warmer = paid.model_copy(update={"label": paid.label.model_copy(update={"temperature": 1.0})})
    _, row = overview.plan_rows(warmer, paths, DATASET)
    assert (row["here"], row["missing"], row["reused"]) == (3, 0, 3)
    assert row["reused_although_changed"] == {"settings": 3}
    assert (row["missing_under_reuse_request"], row["gate"]) == (3, "nothing to buy")
    shutil.rmtree(paths.labels_store(DATASET))
    paths.label_parts(DATASET).unlink()
    _, row = overview.plan_rows(warmer, paths, DATASET)
    assert (row["here"], row["in_journal"]) == (0, 3)
    assert row["reused_although_changed"] == {"settings": 3}
