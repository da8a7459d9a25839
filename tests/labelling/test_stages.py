"""The stages with labellers that cost nothing, and what a person sees of them."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli import app
from pipeline.errors import DataError, LabelError, ParamsError
from pipeline.labelling import overview
from pipeline.labelling.stores.summary import Bought, summary
from pipeline.params import Params
from pipeline.paths import Paths, cells
from pipeline.stages import hints, label, labelled
from pipeline.tables import HINTS, LABELLED, SELECTED
from tests.labelling.conftest import DATASET, selected


def with_label(params: Params, **change: Any) -> Params:
    return params.model_copy(update={"label": params.label.model_copy(update=change)})


def run(params: Params, paths: Paths) -> label.Summary:
    hints.run(params, paths, DATASET)
    return label.run(params, paths, DATASET)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_labeller_that_needs_no_hints_says_why_there_are_none(
    params: Params, paths: Paths
) -> None:
    found = hints.run(params, paths, DATASET)
    assert (found.cells, found.asked) == (1, 0)
    (row,) = HINTS.read(paths.hinted(DATASET)).iter_rows(named=True)
    assert (row["backbone"], row["recipe"], row["seed"], row["hints"]) == ("fpmc", "strong", 1, [])
    assert row["reason"] == "label.provider similarity needs none"
    assert paths.hints_store(DATASET).is_dir()
    expected = {"free": [], "paid": [], "bought": asdict(Bought())}
    assert files.read_json(paths.hint_parts(DATASET)) == expected


def test_offline_labels_go_the_whole_way(params: Params, paths: Paths) -> None:
    found = run(params, paths)
    assert (found.asked, found.answered, found.cost_usd) == (3, 3, 0.0)
    assert found.labeller == "similarity (offline stand-in, no LLM)"
    (cell,) = cells(params.run, DATASET)
    assert labelled.run(params, paths, cell).usable == 3
    table = LABELLED.read(paths.labelled(cell))
    assert table["session_id"].to_list() == [0, 2, 4]
    assert table["ranking"].list.len().to_list() == [3, 3, 3]
    assert summary(paths.labels_store(DATASET)).bought.count == 0


@pytest.mark.parametrize(("provider", "stand_in"), [("similarity", True), ("replay", False)])
def test_who_made_the_labels_stands_beside_the_names_of_the_parts(
    params: Params, paths: Paths, provider: str, stand_in: bool
) -> None:
    for _ in range(2):
        run(with_label(params, provider=provider), paths)
        made = files.read_json(paths.label_parts(DATASET))["labeller"]
        nobody = {"endpoint": None, "model": None}
        assert made == {"provider": provider, "offline_stand_in": stand_in, **nobody}


def test_offline_labels_are_equal_bytes_in_every_clone(
    params: Params, paths: Paths, tmp_path: Path
) -> None:
    run(params, paths)
    clone = Paths(tmp_path / "clone")
    shutil.copytree(paths.root / "data/sessions", clone.root / "data/sessions")
    shutil.copytree(paths.root / "data/selected", clone.root / "data/selected")
    run(params, clone)
    assert content(clone.labels_store(DATASET)) == content(paths.labels_store(DATASET))
    assert content(clone.root / "reports") == content(paths.root / "reports")


def test_what_was_tried_before_leaves_nothing_in_an_offline_store(
    params: Params, paths: Paths
) -> None:
    run(params, paths)
    clean = content(paths.labels_store(DATASET))
    run(with_label(params, ranking_length=4), paths)
    assert content(paths.labels_store(DATASET)) != clean
    run(params, paths)
    assert content(paths.labels_store(DATASET)) == clean


def test_an_offline_store_is_made_again_without_a_word(
    params: Params, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    run(params, paths)
    before = content(paths.labels_store(DATASET))
    shutil.rmtree(paths.labels_store(DATASET))
    run(params, paths)
    assert content(paths.labels_store(DATASET)) == before
    assert capsys.readouterr().err == ""


def test_replay_labels_what_was_recorded_and_counts_the_rest(params: Params, paths: Paths) -> None:
    replay = with_label(params, provider="replay", endpoint="recorded", model="published")
    found = run(replay, paths)
    assert (found.asked, found.answered, found.not_recorded) == (2, 2, 1)
    (cell,) = cells(params.run, DATASET)
    counts = labelled.run(replay, paths, cell)
    assert (counts.usable, counts.missing, counts.contain_target) == (2, 1, 2)
    rows = LABELLED.read(paths.labelled(cell)).rows()
    assert rows[0] == (0, [4, 5, 6, 7], "usable", "recorded", 0, 0, True)
    assert rows[1] == (2, [8, 1, 2], "usable", "recorded", 1, 1, True)
    assert rows[2] == (4, [], "missing", "none", 0, 0, None)


def test_replay_with_nothing_recorded_says_what_to_set(params: Params, paths: Paths) -> None:
    replay = with_label(params, provider="replay")
    (cell,) = cells(params.run, DATASET)
    SELECTED.write(selected((1, 3)), paths.selected(cell))
    hints.run(replay, paths, DATASET)
    with pytest.raises(LabelError, match=r"none of the 2 .* set select\.pool: recorded"):
        label.run(replay, paths, DATASET)


def test_a_ranking_below_the_minimum_is_too_short(params: Params, paths: Paths) -> None:
    strict = with_label(params, provider="replay", min_ranking=4)
    run(strict, paths)
    (cell,) = cells(params.run, DATASET)
    assert labelled.run(strict, paths, cell).too_short == 1
    assert LABELLED.read(paths.labelled(cell))["ranking"].list.len().to_list() == [4, 0, 0]


def test_an_unknown_labeller_is_answered_with_those_there_are(params: Params, paths: Paths) -> None:
    with pytest.raises(ParamsError, match="'oracle' is not one of openai_batch, openai_c"):
        hints.run(with_label(params, provider="oracle"), paths, DATASET)


@pytest.fixture
def folder(params: Params, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder with offline labels, and work in it."""
    run(params, paths)
    with (paths.root / "params.yaml").open("w") as stream:
        YAML().dump(json.loads(params.model_dump_json()), stream)
    monkeypatch.chdir(paths.root)
    return paths.root


def told(*words: str, code: int = 0) -> Any:
    """Return what a command says in JSON."""
    done = CliRunner().invoke(app, ["labels", *words, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_plan_tells_what_is_here_and_what_it_would_cost(folder: Path) -> None:
    ours, theirs = told("plan", DATASET)
    assert (ours["store"], theirs["store"]) == ("data/hints/tiny", "data/labels/tiny")
    assert (theirs["asked"], theirs["here"], theirs["missing"]) == (3, 3, 0)
    assert (theirs["gate"], theirs["cost_usd"]) == ("free", 0.0)


def test_status_counts_rows_and_dollars(folder: Path) -> None:
    _, labels = told("status", DATASET)
    assert (labels["parts"], labels["rows"], labels["answered"]) == (1, 3, 3)
    assert (labels["cost_usd"], labels["parts_not_here"]) == (0.0, 0)
    assert labels["labellers"] == {"offline:similarity": 3}


def test_show_puts_prompt_answer_and_titles_side_by_side(folder: Path) -> None:
    (shown,) = told("show", DATASET, "2")
    assert shown["session"] == ["Castle Duel", "Castle Duel: Gold Edition", "Lonely Planet Racer"]
    assert [message["role"] for message in shown["prompt"]] == ["system", "user"]
    assert json.loads(shown["answer"])["ranking"] == [one["label"] for one in shown["ranking"]]
    assert shown["ranking"][0]["title"] == "Racer Pro"
    text = CliRunner().invoke(app, ["labels", "show", DATASET, "2"]).stdout
    assert "Racer Pro" in text
    assert "── tiny/fpmc/strong/1" in text


def test_a_selection_from_other_sessions_is_told_from_today_s(params: Params, paths: Paths) -> None:
    hints.run(params, paths, DATASET)
    (cell,) = cells(params.run, DATASET)
    other = selected().with_columns(candidates=pl.lit([9], dtype=pl.List(pl.Int32)))
    SELECTED.write(other, paths.selected(cell))
    with pytest.raises(DataError, match=r"was made from other sessions .* run `dvc repro select`"):
        label.run(params, paths, DATASET)


def test_show_of_a_session_that_was_not_selected_says_so(folder: Path) -> None:
    done = CliRunner().invoke(app, ["labels", "show", DATASET, "3"])
    assert "session 3 of 'tiny' is in no selection of this run" in str(done.exception)
    assert "selected are 0, 2, 4 and 0 more" in str(done.exception)
    assert "`distilrec labels show tiny 0`" in str(done.exception)


def test_show_of_a_selected_session_without_a_recorded_answer_says_so(
    params: Params, paths: Paths
) -> None:
    replay = with_label(params, provider="replay")
    run(replay, paths)
    with pytest.raises(DataError, match=r"session 4 of 'tiny' is selected, but .* no recorded"):
        overview.shown_labels(replay, paths, DATASET, 4)
    with pytest.raises(DataError, match="session 3 of 'tiny' is in no selection"):
        overview.shown_labels(replay, paths, DATASET, 3)


def test_verify_names_each_part_and_fails_for_a_damaged_one(folder: Path) -> None:
    (row,) = told("verify", DATASET)
    assert row["state"] == "sound"
    (part,) = (folder / "data/labels/tiny").iterdir()
    part.write_bytes(part.read_bytes() + b"x")
    (row,) = told("verify", DATASET, code=1)
    assert (row["part"], row["state"]) == (part.name, "damaged")


def test_a_card_without_any_answer_fails(folder: Path) -> None:
    (card,) = told("card", DATASET)
    assert card["answered"] == 3
    (part,) = (folder / "data/labels/tiny").iterdir()
    part.unlink()
    (card,) = told("card", DATASET, code=1)
    assert card["answered"] == 0


def test_an_empty_journal_says_where_it_would_be(folder: Path, empty_journal: Path) -> None:
    assert told("journal") == []
    done = CliRunner().invoke(app, ["labels", "journal"])
    assert f"{empty_journal} holds no answers" in done.output.replace("\n", "")


def test_every_command_also_prints_for_reading(folder: Path) -> None:
    for words in (["plan", DATASET], ["status", DATASET], ["verify", DATASET]):
        done = CliRunner().invoke(app, ["labels", *words])
        assert done.exit_code == 0
        assert "data/labels/tiny" in done.stdout
