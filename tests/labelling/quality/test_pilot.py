"""The pilot: what it buys, what it says, and whom it refuses to compare with."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.cases import asked, context_of
from pipeline.labelling.providers import provider_of, similarity
from pipeline.labelling.providers.base import Context
from pipeline.labelling.quality import card, cards, pilot
from pipeline.labelling.quality.judged import Answers, label_ranks
from pipeline.labelling.rankings import read_row
from pipeline.labelling.request import Answer, Case
from pipeline.labelling.stores import table
from pipeline.params import Params
from pipeline.params.selection import DifficultyParams
from pipeline.paths import Cell, Paths, cells
from pipeline.recommenders.crossfit import Judged, judge, judge_by_folds
from pipeline.recommenders.recipes import train_role
from pipeline.stages import hints, label
from pipeline.tables import CATALOG, DIFFICULTY, SELECTED, SESSIONS, Table
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET, difficulty, selected, sessions
from tests.labelling.quality.test_card import random_labels, ranks
from tests.recommenders.toys import N_ITEMS, sessions_frame, training_params

EVERY = (0, 1, 2, 3, 4)
DRAWS = 400


def select(params: Params, paths: Paths, fold: int = 0) -> None:
    """Select all five training sessions, with the candidates of a teacher of that fold."""
    for cell in cells(params.run, DATASET):
        SELECTED.write(selected(EVERY), paths.selected(cell))
    judge_anew(params, paths, fold)


def judge_anew(params: Params, paths: Paths, fold: int, *, other: bool = False) -> None:
    """Write the table `difficulty` of a teacher of that fold, in the same or another order."""
    folds = difficulty().with_columns(fold=pl.lit(fold, pl.Int32))
    if other:
        folds = folds.with_columns(pl.col("candidates").list.reverse())
    for cell in cells(params.run, DATASET):
        DIFFICULTY.write(folds, paths.difficulty(cell))


def said(table: pl.DataFrame, order: str, seed: int = 1) -> dict[str, Any]:
    """Return the verdict on labels."""
    return pilot.verdict(table, order, card.card(table, DRAWS, seed), DRAWS, seed)


def about_rankings(shop: Shop) -> int:
    """Return how many rankings the service was paid for."""
    bodies = [json.loads(entry["body"]) for entry in shop.stub.seen() if entry.get("paid")]
    return sum("C1" in body["messages"][-1]["content"] for body in bodies)


def drawn(params: Params, paths: Paths) -> list[str]:
    """Return the subjects of the selection in the order in which pilots take them."""
    context = context_of(params, paths, DATASET)
    found = pilot.selection(params, paths, context, provider_of(context))
    return [one.request.subject_id for one in found]


def test_what_a_pilot_bought_serves_a_larger_one_and_label(shop: Shop, paths: Paths) -> None:
    params = shop.serve()
    select(params, paths)
    hints.run(params, paths, DATASET)
    assert about_rankings(shop) == 0

    first = pilot.pilot(params, paths, DATASET, 2)
    assert (first["drawn"], first["selected"], first["rehearsal"]) == (2, 5, False)
    assert (first["bought"]["made"], about_rankings(shop)) == (2, 2)
    again = pilot.pilot(params, paths, DATASET, 2)
    assert (again["bought"]["stored"], again["bought"]["made"], about_rankings(shop)) == (2, 0, 2)
    assert again["verdicts"] == first["verdicts"]

    larger = pilot.pilot(params, paths, DATASET, 4)
    assert (larger["bought"]["stored"], larger["bought"]["made"]) == (2, 2)
    bought = label.run(params, paths, DATASET)
    assert (bought.here, bought.answered, about_rankings(shop)) == (4, 1, 5)
    assert len(set(shop.stub.paid())) == shop.sold


def test_a_pilot_draws_by_what_is_shown_and_not_by_numbers_or_other_sessions(
    params: Params, paths: Paths
) -> None:
    hints.run(params, paths, DATASET)
    select(params, paths)
    every = drawn(params, paths)
    (cell,) = cells(params.run, DATASET)
    SELECTED.write(selected((1, 3, 4)), paths.selected(cell))
    fewer = drawn(params, paths)
    assert fewer == [one for one in every if one in fewer]

    other = sessions().with_columns(session_id=pl.col("session_id").replace({1: 3, 3: 1}))
    SESSIONS.write(other, paths.sessions(DATASET))
    renamed = selected((1, 3, 4)).with_columns(
        session_id=pl.col("session_id").replace({1: 3, 3: 1})
    )
    SELECTED.write(renamed, paths.selected(cell))
    assert drawn(params, paths) == fewer


def test_another_seed_draws_another_part(params: Params, paths: Paths) -> None:
    hints.run(params, paths, DATASET)
    select(params, paths)
    orders = set()
    for seed in range(6):
        label = params.label.model_copy(update={"seed": seed})
        orders.add(tuple(drawn(params.model_copy(update={"label": label}), paths)))
    assert len(orders) > 1


def test_a_pilot_passes_the_gate_before_anything_is_sent(shop: Shop, paths: Paths) -> None:
    params = shop.serve()
    select(params, paths)
    hints.run(params, paths, DATASET)
    with pytest.raises(SpendRefused, match="none of them was sent"):
        pilot.pilot(shop.allowed(max_new_requests=1), paths, DATASET, 2)
    assert about_rankings(shop) == 0


def test_a_pilot_of_more_than_is_selected_is_refused(shop: Shop, paths: Paths) -> None:
    params = shop.serve()
    select(params, paths)
    hints.run(params, paths, DATASET)
    with pytest.raises(LabelError, match="a pilot of 6: only 5 selected sessions can be asked"):
        pilot.pilot(params, paths, DATASET, 6)
    assert about_rankings(shop) == 0


def test_a_pilot_of_a_selection_of_other_parameters_is_refused(shop: Shop, paths: Paths) -> None:
    params = shop.serve()
    select(params, paths)
    hints.run(params, paths, DATASET)
    (cell,) = cells(params.run, DATASET)
    (paths.selected(cell) / "policy.json").write_text('{"policy": "exact", "count": 5}')
    with pytest.raises(LabelError, match=r"count 5, params.yaml says 500: run `dvc repro select"):
        pilot.pilot(params, paths, DATASET, 2)
    assert about_rankings(shop) == 0
    five = params.model_copy(update={"select": params.select.model_copy(update={"count": 5})})
    assert pilot.pilot(five, paths, DATASET, 2)["bought"]["made"] == 2


def test_without_hints_a_pilot_is_refused_as_labels_are(shop: Shop, paths: Paths) -> None:
    params = shop.serve()
    select(params, paths)
    hints.run(shop.shipped, paths, DATASET)  # the offline labeller's: none
    with pytest.raises(LabelError, match="no hints for fpmc/strong/1; run `distilrec hints tiny`"):
        pilot.pilot(params, paths, DATASET, 2)


def test_a_teacher_that_has_seen_the_sessions_is_refused_before_money_is_spent(
    shop: Shop, paths: Paths
) -> None:
    params = shop.serve()
    select(params, paths, fold=-1)
    hints.run(params, paths, DATASET)
    with pytest.raises(LabelError, match=r"nothing was bought; set difficulty\.folds: 5 .* --with"):
        pilot.pilot(params, paths, DATASET, 2)
    assert about_rankings(shop) == 0
    found = pilot.pilot(params, paths, DATASET, 2, teacher=False)
    assert [one["against"] for one in found["verdicts"]] == ["chance"]
    assert about_rankings(shop) == 2


def test_a_selection_older_than_its_teacher_is_not_compared_with_it(
    shop: Shop, paths: Paths
) -> None:
    """`dvc repro difficulty` alone leaves in `selected` the order of a teacher that had seen it."""
    params = shop.serve()
    select(params, paths, fold=-1)
    judge_anew(params, paths, fold=0, other=True)
    hints.run(params, paths, DATASET)
    with pytest.raises(LabelError, match=r"another one is in data/difficulty since; nothing was"):
        pilot.pilot(params, paths, DATASET, 2)
    assert about_rankings(shop) == 0
    found = pilot.pilot(params, paths, DATASET, 2, teacher=False)
    assert (found["card"]["answered"], found["card"]["against"]["teacher"]["sessions"]) == (2, 0)
    (cell,) = cells(params.run, DATASET)
    assert set(cards.folds_of(paths, cell).values()) == {-1}
    select(params, paths)
    assert set(cards.folds_of(paths, cell).values()) == {0}


def test_a_rehearsal_costs_and_keeps_nothing(params: Params, paths: Paths) -> None:
    hints.run(params, paths, DATASET)
    label.run(params, paths, DATASET)
    select(params, paths)
    before = {one: one.read_bytes() for one in paths.root.rglob("*") if one.is_file()}
    found = pilot.pilot(params, paths, DATASET, 4)
    assert {one: one.read_bytes() for one in paths.root.rglob("*") if one.is_file()} == before
    assert (found["rehearsal"], found["bought"], found["card"]["answered"]) == (True, None, 4)
    assert [one["sessions"] for one in found["verdicts"]] == [4, 4]


def test_a_rehearsal_with_a_teacher_that_has_seen_the_sessions_says_so(
    params: Params, paths: Paths
) -> None:
    hints.run(params, paths, DATASET)
    select(params, paths, fold=-1)
    chance, teacher = pilot.pilot(params, paths, DATASET, 5)["verdicts"]
    assert chance["sessions"] == 5
    assert (teacher["verdict"], teacher["why"]) == ("not known", card.SEEN)


def test_recorded_rankings_are_compared_with_nobody(params: Params, paths: Paths) -> None:
    replay = params.label.model_copy(update={"provider": "replay"})
    params = params.model_copy(update={"label": replay})
    hints.run(params, paths, DATASET)
    select(params, paths)
    found = pilot.pilot(params, paths, DATASET, 2)
    assert (found["drawn"], found["selected"]) == (2, 2)
    assert {one["why"] for one in found["verdicts"]} == {card.NO_OFFER}


@pytest.mark.parametrize("count", [10, 30])
def test_a_random_labeller_is_seldom_told_from_chance(count: int) -> None:
    """Not more than about 5 times in 100, also where an interval alone would be too narrow."""
    random = np.random.default_rng(count)
    told = [said(random_labels(random, count), "chance", seed)["verdict"] for seed in range(120)]
    assert sum(one != "not enough data to tell" for one in told) <= 14


def test_a_random_labeller_is_seldom_told_from_a_random_teacher() -> None:
    random, wrong = np.random.default_rng(7), 0
    for seed in range(60):
        places = pl.Series("teacher_rank", random.integers(1, 51, 25), dtype=pl.Int32)
        table = random_labels(random, 25).with_columns(places, fold=pl.lit(1, pl.Int32))
        wrong += said(table, "teacher", seed)["verdict"] != "not enough data to tell"
    assert wrong <= 9


def test_a_good_labeller_is_told_from_chance_and_from_a_worse_teacher() -> None:
    table = ranks(*[{"target_rank": n % 4 + 1, "teacher_rank": 20, "fold": 0} for n in range(30)])
    chance, teacher = said(table, "chance"), said(table, "teacher")
    assert (chance["verdict"], teacher["verdict"]) == ("better", "better")
    assert teacher["theirs"] == 0.0
    assert teacher["difference"]["low"] > 0
    assert teacher["p"] < 0.01


def test_a_bad_labeller_is_worse_than_a_good_teacher() -> None:
    table = ranks(*[{"target_rank": 0, "teacher_rank": 1, "fold": 0}] * 12)
    assert said(table, "teacher")["verdict"] == "worse"


def test_three_lucky_answers_are_not_enough_data() -> None:
    """Resampling three equal differences finds no other one; what was not seen may be there."""
    table = ranks(*[{"target_rank": 1, "teacher_rank": 2, "fold": 0}] * 3)
    found = said(table, "teacher")
    assert found["difference"]["low"] < 0 < found["difference"]["mean"]
    assert found["p"] == pytest.approx(2 / 8, abs=0.05)
    assert found["verdict"] == "not enough data to tell"


def test_how_many_labels_are_needed_by_hand() -> None:
    """Differences 1, 0 and -1 in 3, 6 and 1 of 10 sessions: mean .2, sd .632, (2.8 * 3.16)²."""
    rows = [(1, 0)] * 3 + [(1, 1)] * 6 + [(0, 1)]
    table = ranks(*[{"target_rank": a, "teacher_rank": b, "fold": 0} for a, b in rows])
    found = said(table, "teacher")
    assert found["verdict"] == "not enough data to tell"
    assert found["labels_needed"] == 79


NOISE = Cell("noise", "fpmc", "published", 1)


def noise_sessions() -> pl.DataFrame:
    """Return sessions without any order.

    Validation holds copies of the training sessions, so that training goes on to remember them.
    """
    random = np.random.default_rng(5)
    items = [(random.permutation(N_ITEMS)[:6] + 1).tolist() for _ in range(60)]
    return sessions_frame(items * 2, ["training"] * 60 + ["validation"] * 60)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Judged]:
    """Return teachers' views of sessions without any order, by whether they have seen them."""
    frame = noise_sessions()
    training = training_params(max_steps=150, evaluate_every=50)
    root = tmp_path_factory.mktemp("noise")
    teacher = train_role("teacher", training, NOISE, frame, N_ITEMS, root / "all").model
    params = DifficultyParams(candidates=30, folds=3)
    folds = judge_by_folds(training, params, NOISE, frame, N_ITEMS, root / "folds")
    return {"seen": judge(teacher, frame, 30), "not seen": folds}


def beside(teacher: Judged, context: Context, folds: Mapping[int, int]) -> pl.DataFrame:
    """Return the table of somebody who has the held-back item among ten, beside a teacher's order.

    Args:
        teacher: who proposed the candidates.
        context: of the sessions.
        folds: what is known of that teacher.
    """
    random, ids, provider = np.random.default_rng(6), context.ids, similarity.make(context)
    items = dict(context.sessions.select("session_id", "items").iter_rows())
    candidates = zip(teacher.session_id, teacher.candidates.tolist(), strict=True)
    cases = [Case(n, "training", tuple(items[n][:-1]), tuple(best)) for n, best in candidates]
    answers = {}
    for session, request in asked(cases, provider).requests.items():
        target = ids[items[session][-1]]
        others = [label for label, item in request.offered.items() if item != target]
        held_back = [label for label, item in request.offered.items() if item == target]
        place = int(random.integers(0, 10))
        text = json.dumps({"ranking": [*others[:place], *held_back, *others[place:9]]})
        answers[session] = read_row(table.row(request, Answer(text)), request)
    return label_ranks(Answers(cases, answers, [answers]), context, folds)


def test_a_teacher_that_memorised_would_beat_everything_and_is_therefore_refused(
    noise: Mapping[str, Judged], context: Context, tmp_path: Path
) -> None:
    """Nothing can be known of these sessions' ends, and yet the teacher has them: by heart."""
    seen, not_seen = noise["seen"], noise["not seen"]
    assert np.mean(seen.target_rank <= 3) > 0.9
    assert np.mean(not_seen.target_rank <= 10) < 0.6
    catalog = [(n, f"item {n}", f"Title {n}", 1) for n in range(1, N_ITEMS + 1)]
    context = replace(
        context,
        label=context.label.model_copy(update={"provider": "openai_compatible"}),
        catalog=pl.DataFrame(catalog, schema=CATALOG.columns, orient="row"),
        sessions=noise_sessions().select("session_id", "part", "items"),
    )
    every = seen.session_id.to_list()

    pretended = said(beside(seen, context, dict.fromkeys(every, 0)), "teacher")
    assert (pretended["verdict"], pretended["difference"]["mean"] < -0.3) == ("worse", True)
    honest = said(
        beside(not_seen, context, dict(zip(every, not_seen.fold, strict=True))), "teacher"
    )
    assert honest["verdict"] == "better"

    old = seen.table(np.zeros(len(every)))  # its list was selected from; then `difficulty` ran anew
    ranked = old.with_row_index("difficulty_rank", 1).with_columns(inclusion_probability=None)
    paths = Paths(tmp_path)
    SELECTED.write(_typed(ranked, SELECTED), paths.selected(NOISE))
    known = {}
    for name, judged in noise.items():
        DIFFICULTY.write(judged.table(np.zeros(len(every))), paths.difficulty(NOISE))
        known[name] = cards.folds_of(paths, NOISE)
    for folds in (dict.fromkeys(every, -1), known["seen"], known["not seen"]):
        refused = said(beside(seen, context, folds), "teacher")
        assert (refused["verdict"], refused["why"]) == ("not known", card.SEEN)


def _typed(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(of) for name, of in table.columns.items())


@pytest.fixture
def folder(params: Params, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder with a selection, and work in it."""
    hints.run(params, paths, DATASET)
    select(params, paths)
    with (paths.root / "params.yaml").open("w") as stream:
        YAML().dump(json.loads(params.model_dump_json()), stream)
    monkeypatch.chdir(paths.root)
    return paths.root


def test_the_command_says_what_follows_and_that_it_is_a_rehearsal(folder: Path) -> None:
    told = CliRunner().invoke(app, ["labels", "pilot", DATASET, "5"])
    assert told.exit_code == 0, told.output
    assert "── tiny, pilot of 5: labels by similarity (offline stand-in, no LLM)" in told.stdout
    assert "a random order: NDCG@10" in told.stdout
    assert "the cross-fitted teacher's order" in told.stdout
    assert "A rehearsal, since this labeller costs nothing: 5 of 5 selected" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["labels", "pilot", DATASET, "5", "--json"]).stdout)
    assert [one["against"] for one in found["verdicts"]] == ["chance", "teacher"]


def test_the_command_tells_what_was_bought(
    shop: Shop, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = shop.serve()
    select(params, paths)
    hints.run(params, paths, DATASET)
    with (paths.root / "params.yaml").open("w") as stream:
        YAML().dump(json.loads(params.model_dump_json()), stream)
    monkeypatch.chdir(paths.root)
    told = CliRunner().invoke(app, ["labels", "pilot", DATASET, "3"])
    assert told.exit_code == 0, told.output
    assert "3 of 5 selected sessions: 0 were here, 3 bought for $0.00" in told.stdout
    assert "position bias" in told.stdout
