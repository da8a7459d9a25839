"""The quality card: hand-worked figures, chance, position bias, and what is not known."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scipy.stats import binomtest
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli import app
from pipeline.errors import DataError
from pipeline.labelling.cases import asked
from pipeline.labelling.providers import similarity
from pipeline.labelling.providers.base import Context
from pipeline.labelling.quality import card, cards
from pipeline.labelling.quality.judged import Answers, answers_of, label_ranks, with_taken
from pipeline.labelling.rankings import Ranked, read_row
from pipeline.labelling.request import Answer, Case
from pipeline.labelling.stores.summary import summary
from pipeline.labelling.stores.table import frame, row
from pipeline.params import Params, read_params
from pipeline.paths import Paths, cells
from pipeline.stages import fetch, hints, label, labelled, sessions
from pipeline.tables import DIFFICULTY, LABEL_RANKS, SELECTED
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET, difficulty, selected

DRAWS = 200
USUAL: dict[str, Any] = {
    "session_id": 0,
    "outcome": "usable",
    "reading": "strict",
    "foreign": 0,
    "repeated": 0,
    "named": 25,
    "target_rank": 1,
    "offered": 50,
    "target_offered": True,
    "shown": list(range(1, 26)),
    "popularity_rank": None,
    "similarity_rank": None,
    "teacher_rank": None,
    "fold": -1,
    "agreement": None,
    "key": "",
    "answers": 1,
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "cost_usd": 0.001,
}


def ranks(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return the table `label_ranks` of rows that say what is unusual about them."""
    full = [{**USUAL, "session_id": n, "key": str(n), **changed} for n, changed in enumerate(rows)]
    return pl.DataFrame(full, schema=LABEL_RANKS.columns)


def random_labels(random: np.random.Generator, count: int) -> pl.DataFrame:
    """Return labels of somebody who orders 50 candidates by chance and names 25."""
    rows = []
    for _ in range(count):
        place = int(random.integers(1, 51))
        shown = (random.permutation(50)[:25] + 1).tolist()
        rows.append({"target_rank": place if place <= 25 else 0, "shown": shown})
    return ranks(*rows)


def found(table: pl.DataFrame) -> card.Card:
    return card.card(table, DRAWS, 1)


@pytest.mark.parametrize(
    ("measure", "named", "offered", "is_there", "expected"),
    [
        ("hit@1", 25, 50, True, 1 / 50),
        ("hit@10", 25, 50, True, 10 / 50),
        ("hit@25", 25, 50, True, 25 / 50),
        ("hit@5", 3, 10, True, 3 / 10),  # a short list has three places only
        ("hit@25", 7, 7, True, 1.0),  # all candidates are named
        ("hit@25", 25, 50, False, 0.0),  # nobody can hit what was not offered
        ("hit@25", 0, 50, True, 0.0),  # an answer without a name
        ("ndcg@10", 3, 10, True, (1 + 1 / math.log2(3) + 1 / 2) / 10),
    ],
)
def test_chance_by_hand(
    measure: str, named: int, offered: int, is_there: bool, expected: float
) -> None:
    found = card.chance(measure, named, offered, is_there)
    assert found.mean == pytest.approx(expected)
    assert sum(found.probabilities) == pytest.approx(1)


def test_chance_is_what_shuffling_gives() -> None:
    random = np.random.default_rng(1)
    places = np.array([random.permutation(12)[0] + 1 for _ in range(20_000)])
    hits = (places <= min(5, 8)).mean()
    assert card.chance("hit@5", 8, 12, True).mean == pytest.approx(hits, abs=0.01)


def test_hits_by_hand() -> None:
    """Places 1, 4, 12, 0 (not named) of four answers; the fifth session has no answer."""
    table = ranks(
        {"target_rank": 1},
        {"target_rank": 4},
        {"target_rank": 12},
        {"target_rank": 0, "target_offered": False},
        {"outcome": "missing", "target_rank": None, "offered": None, "target_offered": None},
    )
    shown = found(table)
    assert (shown["sessions"], shown["answered"]) == (5, 4)
    means = {name: of["mean"] for name, of in shown["labels"].items()}
    assert means == pytest.approx(
        {
            "hit@1": 1 / 4,
            "hit@5": 2 / 4,
            "hit@10": 2 / 4,
            "hit@25": 3 / 4,
            "ndcg@10": (1 + 1 / math.log2(5)) / 4,
        },
        abs=1e-6,
    )
    assert shown["target_offered"] == 0.75
    chance = shown["against"]["chance"]
    assert chance["hit@5"]["mean"] == pytest.approx(0.75 * 0.1)
    assert chance["hit@5"]["difference"]["mean"] == pytest.approx(0.5 - 0.075)


def test_an_answer_that_could_not_be_read_is_a_miss_and_not_a_gap() -> None:
    refused = {"outcome": "refused", "named": 0, "target_rank": 0, "shown": []}
    shown = found(ranks({}, refused))
    assert shown["labels"]["hit@1"]["mean"] == 0.5
    assert shown["outcomes"] == {
        "usable": 1, "too_short": 0, "refused": 1, "truncated": 0, "missing": 0,
    }  # fmt: skip
    assert shown["form"]["empty"] == 1


def test_another_order_is_compared_on_the_sessions_that_both_know() -> None:
    table = ranks(
        {"target_rank": 1, "teacher_rank": 2, "fold": 0},
        {"target_rank": 0, "teacher_rank": 1, "fold": 1},
        {"target_rank": 1, "teacher_rank": None, "fold": 1},
    )
    teacher = found(table)["against"]["teacher"]
    assert teacher["sessions"] == 2
    assert teacher["hit@1"]["mean"] == 0.5
    assert teacher["hit@1"]["difference"]["mean"] == 0
    assert teacher["hit@5"]["difference"]["mean"] == -0.5


def test_why_there_is_no_comparison_is_said() -> None:
    seen = found(ranks({"fold": -1}))["against"]
    assert (
        seen["teacher"]["why"]
        == "this teacher has seen the sessions; difficulty.folds: 5 makes others"
    )
    assert seen["similarity"]["why"] == "it made these labels"
    others = found(ranks({"fold": 2}))["against"]["teacher"]["why"]
    assert others == "these answers are about other candidates than the teacher's"
    unknown = found(ranks({"offered": None, "target_offered": None, "shown": None}))
    assert {one["why"] for one in unknown["against"].values()} == {"what was offered is not known"}
    assert unknown["position"] is None
    assert unknown["target_offered"] is None


def test_a_labeller_that_copies_the_order_shown_has_correlation_1() -> None:
    position = found(ranks(*[{}] * 4))["position"]
    assert (position["order"]["mean"], position["order"]["high"]) == (1.0, 1.0)
    assert position["first"]["mean"] == 0.0
    assert position["named"]["mean"] == pytest.approx(12 / 49, abs=1e-6)  # places 1 to 25 of 50


def test_position_bias_by_hand() -> None:
    """Of 5 shown the last, then the second is named: first (5-1)/4, named (3.5-1)/4, τ -1."""
    position = found(ranks({"offered": 5, "named": 2, "shown": [5, 2]}))["position"]
    assert position["first"]["mean"] == 1.0
    assert position["named"]["mean"] == 0.625
    assert position["order"]["mean"] == -1.0


def test_a_fair_labeller_s_intervals_cover_what_is_fair_about_95_times_in_100() -> None:
    random, covered = np.random.default_rng(2), {"first": 0, "named": 0, "order": 0}
    for _ in range(60):
        position = found(random_labels(random, 60))["position"]
        for name, fair in (("first", 0.5), ("named", 0.5), ("order", 0.0)):
            covered[name] += position[name]["low"] <= fair <= position[name]["high"]
            assert abs(position[name]["mean"] - fair) < 0.2
    assert all(count >= 52 for count in covered.values()), covered


def test_a_random_labeller_s_interval_covers_chance_about_95_times_in_100() -> None:
    random, covered = np.random.default_rng(3), 0
    for world in range(200):
        table = random_labels(random, 100)
        difference = card.values(table["target_rank"], "hit@10") - card.theirs(
            table, "chance", "hit@10"
        )
        of = card.interval(difference, 500, world)
        assert of is not None
        covered += of["low"] <= 0 <= of["high"]
    assert 0.90 <= covered / 200 <= 0.99


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(random: Any) -> None:
    table = random_labels(np.random.default_rng(4), 30)
    places = list(range(len(table)))
    random.shuffle(places)
    assert found(table[places]) == found(table)


def test_cost_by_hand_with_a_further_try() -> None:
    twice = {"answers": 2, "prompt_tokens": 200, "completion_tokens": 90, "cost_usd": 0.003}
    refused = {"outcome": "refused", "target_rank": 0, "prompt_tokens": None}
    cost = found(ranks({}, twice, refused))["cost"]
    assert (cost["answers"], cost["prompt_tokens"], cost["completion_tokens"]) == (4, 300, 190)
    assert cost["usd"] == pytest.approx(0.005)
    assert cost["usd_per_label"] == pytest.approx(0.005 / 3, abs=1e-6)
    assert cost["usd_per_useful_label"] == pytest.approx(0.0025)


def test_no_session_at_all_has_no_figures(context: Context) -> None:
    table = label_ranks(Answers([], {}, []), context, {})
    assert table.schema == LABEL_RANKS.columns
    assert found(table)["sessions"] == 0


def test_labels_without_any_answer_have_no_figures() -> None:
    shown = found(ranks({"outcome": "missing", "target_rank": None, "offered": None}))
    assert set(shown["labels"].values()) == {None}
    assert shown["cost"]["usd_per_label"] is None
    assert shown["against"]["chance"] == {"sessions": 0, "why": "no answers"}


def answered(context: Context, responses: dict[int, list[str]]) -> Answers:
    """Return what an LLM's answers to the small dataset's sessions are read as, by session."""
    provider = similarity.make(context)
    items = dict(context.sessions.select("session_id", "items").iter_rows())
    cases = [Case(n, "training", tuple(items[n][:-1]), (4, 5, 6, 7, 8)) for n in responses]
    requests = asked(cases, provider).requests
    tries: list[dict[int, Ranked]] = []
    for repeat in range(max(map(len, responses.values()))):
        rows = {
            n: (replace(requests[n], repeat=repeat), texts[repeat])
            for n, texts in responses.items()
            if repeat < len(texts)
        }
        tries.append(
            {
                n: read_row(row(one, Answer(text, cost_usd=0.5)), one)
                for n, (one, text) in rows.items()
            }
        )
    return Answers(cases, tries[0], tries)


def paid(context: Context) -> Context:
    label = context.label.model_copy(update={"provider": "openai_compatible"})
    return replace(context, label=label)


def named(context: Context, session: int, *items: int) -> str:
    """Return an answer that names items of the candidates 4 to 8, or others as they are."""
    request = next(iter(answered(context, {session: ["{}"]}).tries[0].values()))
    labels = {raw: name for name, raw in request.offered.items()}
    ids = context.ids
    return json.dumps({"ranking": [labels.get(ids.get(item, ""), f"C{item}") for item in items]})


def test_a_repeat_and_a_foreign_name_take_up_their_place(context: Context) -> None:
    """Session 0 is 1 2 3 and holds 4 back; it is named after a repeat and a foreign one."""
    context = paid(context)
    text = named(context, 0, 5, 5, 99, 4)
    judged = label_ranks(answered(context, {0: [text]}), context, {0: -1})
    (one,) = judged.iter_rows(named=True)
    assert (one["named"], one["target_rank"]) == (2, 4)
    assert (one["repeated"], one["foreign"], one["outcome"]) == (1, 1, "usable")
    assert (one["offered"], one["target_offered"]) == (5, True)


def test_orders_of_others_by_hand(context: Context) -> None:
    """Events of 4 to 8 are equal but for one more of 8: the session's own event of 4 is not one."""
    more = pl.when(pl.col("item_index") == 8).then(2).otherwise("training_events")
    catalog = context.catalog.with_columns(training_events=more.cast(pl.UInt32))
    context = replace(paid(context), catalog=catalog)
    answers = answered(context, {0: [named(context, 0, 4, 5, 6)]})
    (one,) = label_ranks(answers, context, {0: 2}).iter_rows(named=True)
    assert one["popularity_rank"] == 5  # 8, then 5 6 7 with one event each, then 4 with none
    assert one["teacher_rank"] == 1  # the candidates' own order is the teacher's
    stand_in = similarity.make(context).order(answers.cases[0], ["d", "e", "f", "g", "h"])
    assert one["similarity_rank"] == stand_in.index("d") + 1
    assert [one["shown"][0], one["target_rank"]] == [
        list(answers.found[0].offered.values()).index("d") + 1,
        1,
    ]


def test_a_teacher_that_has_seen_the_session_or_proposed_others_has_no_rank(
    context: Context,
) -> None:
    context = paid(context)
    answers = answered(context, {0: [named(context, 0, 4, 5)]})
    for folds in ({0: -1}, {}):
        assert label_ranks(answers, context, folds)["teacher_rank"].to_list() == [None]
    (case,) = answers.cases
    others = replace(answers, cases=[replace(case, candidates=(4, 5, 6, 7, 3))])
    assert label_ranks(others, context, {0: 1})["teacher_rank"].to_list() == [None]


def test_repeated_answers_are_compared_and_all_paid_for(context: Context) -> None:
    context = paid(context)
    first, second = named(context, 0, 4, 5, 6), named(context, 0, 4, 6, 5)
    answers = answered(context, {0: [first, second], 2: [named(context, 2, 8, 4)]})
    judged = label_ranks(answers, context, {})
    both = judged["agreement"].to_list()
    # p = .9: shared 1 of 1, 1 of 2, 3 of 3, and as at depth 3 beyond
    expected = (0.1 / 0.9) * (0.9 + 0.5 * 0.81 + 0.729) + 0.729
    assert both == [pytest.approx(expected), None]
    assert judged["answers"].to_list() == [2, 1]
    assert judged["cost_usd"].to_list() == [1.0, 0.5]
    assert found(judged)["agreement"]["sessions"] == 1


def test_an_answer_that_serves_two_sessions_is_paid_for_once(context: Context) -> None:
    """Session 1 shows what session 0 shows, so that one stored row serves both."""
    same = pl.when(pl.col("session_id") == 1).then(pl.lit([1, 2, 3, 8])).otherwise("items")
    twice = context.sessions.with_columns(items=same.cast(context.sessions.schema["items"]))
    context = replace(paid(context), sessions=twice)
    text = named(context, 0, 4, 5)
    answers = answered(context, {0: [text], 1: [text], 2: [named(context, 2, 8, 4)]})
    assert len({one.row["key"] for one in answers.found.values() if one.row}) == 2
    judged = label_ranks(answers, context, {})
    assert judged["answers"].to_list() == [1, 0, 1]
    assert judged["cost_usd"].to_list() == [0.5, 0.0, 0.5]
    cost = found(judged)["cost"]
    assert (cost["answers"], cost["usd"]) == (2, 1.0)
    both = with_taken(judged, [answers, answers])  # a second cell with the same answers
    assert both.equals(judged)


def test_answers_are_found_by_repeat_in_a_store_s_rows(context: Context) -> None:
    context = paid(context)
    provider = similarity.make(context)
    case = Case(0, "training", (1, 2, 3), (4, 5, 6, 7, 8))
    requests = asked([case], provider).requests
    rows = [
        row(replace(requests[0], repeat=repeat), Answer(text))
        for repeat, text in enumerate(("no idea", '{"ranking": ["C1", "C2", "C3"]}'))
    ]
    answers = answers_of([case], requests, frame(rows), context.label, "session")
    assert [len(one) for one in answers.tries] == [1, 1]
    assert answers.found[0].reading.ranking == ()  # max_repeats is 0: a further try does not serve
    (one,) = label_ranks(answers, context, {}).iter_rows(named=True)
    assert (one["outcome"], one["answers"], one["target_rank"]) == ("too_short", 2, 0)


def ready(params: Params, paths: Paths, fold: int = -1) -> None:
    """Label the small dataset with the offline stand-in."""
    for cell in cells(params.run, DATASET):
        table = difficulty().with_columns(fold=pl.lit(fold, pl.Int32))
        DIFFICULTY.write(table, paths.difficulty(cell))
    hints.run(params, paths, DATASET)
    label.run(params, paths, DATASET)


def test_the_stage_writes_the_table_and_the_card_made_from_it(params: Params, paths: Paths) -> None:
    ready(params, paths, fold=0)
    (cell,) = cells(params.run, DATASET)
    labelled.run(params, paths, cell)
    table = LABEL_RANKS.read(paths.label_ranks(cell))
    written = files.read_json(paths.card(cell))
    assert written == cards.card_of(table, params, DATASET)
    assert table["session_id"].to_list() == [0, 2, 4]
    assert written["labeller"]["offline_stand_in"] is True
    assert written["against"]["teacher"]["sessions"] == 3


@pytest.fixture
def folder(params: Params, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder with offline labels, and work in it."""
    ready(params, paths)
    with (paths.root / "params.yaml").open("w") as stream:
        YAML().dump(json.loads(params.model_dump_json()), stream)
    monkeypatch.chdir(paths.root)
    return paths.root


def test_the_command_shows_each_cell_and_prints_json(folder: Path) -> None:
    told = CliRunner().invoke(app, ["labels", "card", DATASET])
    assert told.exit_code == 0, told.output
    assert "── tiny/fpmc/strong/1: labels by similarity (offline stand-in, no LLM)" in told.stdout
    for words in ("hit at 25", "NDCG@10", "position bias", "not compared with teacher: this"):
        assert words in told.stdout
    (one,) = json.loads(CliRunner().invoke(app, ["labels", "card", DATASET, "--json"]).stdout)
    assert (one["of"], one["answered"]) == ("tiny/fpmc/strong/1", 3)


def test_a_session_of_several_cells_counts_once_in_the_card_of_all(
    params: Params, paths: Paths
) -> None:
    (first,) = cells(params.run, DATASET)
    run = params.run.model_copy(update={"seeds": (1, 2)})
    both = params.model_copy(update={"run": run})
    for cell in cells(run, DATASET):
        for at in (paths.selected, paths.difficulty):
            at(cell).mkdir(parents=True, exist_ok=True)
            for path in at(first).iterdir():
                (at(cell) / path.name).write_bytes(path.read_bytes())
    ready(both, paths)
    shown = cards.cards(both, paths, DATASET)
    assert [one["of"] for one in shown][-1] == "tiny, all cells"
    assert [one["sessions"] for one in shown] == [3, 3, 3]


@pytest.mark.parametrize(("reuse", "answers"), [("session", 3), ("request", 6)])
def test_the_card_of_all_costs_what_all_cells_bought(shop: Shop, reuse: str, answers: int) -> None:
    """The second cell's teacher proposes fewer candidates, and so asks other requests."""
    (first,) = cells(shop.serve().run, DATASET)
    run = shop.params.run.model_copy(update={"seeds": (1, 2)})
    both = shop.labelled_by(reuse=reuse).model_copy(update={"run": run})
    (_, second) = cells(run, DATASET)
    for at in (shop.paths.selected, shop.paths.difficulty):
        shutil.copytree(at(first), at(second))
    fewer = selected().with_columns(candidates=selected()["candidates"].list.head(4))
    SELECTED.write(fewer, shop.paths.selected(second))
    shop.buy(both)
    every = cards.cards(both, shop.paths, DATASET)[-1]
    cost = summary(shop.paths.labels_store(DATASET)).bought.cost_usd
    assert (every["sessions"], every["cost"]["answers"]) == (3, answers)
    assert every["cost"]["usd"] == pytest.approx(cost, abs=1e-6)


def test_recorded_rankings_are_judged_without_a_selection(params: Params, paths: Paths) -> None:
    """Session 0 records 4 5 6 7 and holds 4 back; session 2 records 8 8 5 1 2 and holds 8 back."""
    shown = cards.recorded_card(params, paths, DATASET)
    assert (shown["sessions"], shown["labels"]["hit@1"]["mean"]) == (2, 1.0)
    assert shown["form"]["repeats"] == 1
    assert shown["against"]["chance"]["why"] == "what was offered is not known"
    assert shown["labeller"]["provider"] == "replay"


def test_a_dataset_without_recorded_rankings_says_so(params: Params, paths: Paths) -> None:
    (paths.sessions(DATASET) / "recorded_rankings.parquet").unlink()
    with pytest.raises(DataError, match="data/sessions/tiny has no recorded rankings"):
        cards.recorded_card(params, paths, DATASET)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("dataset", "recorded", "at_25", "at_5"),
    [("hetrec2011-ml", 4_992, 52.9, 15.2), ("amazon-games", 5_359, 53.3, 20.2)],
)
def test_the_published_gpt_4_rankings_have_the_figures_that_are_known_of_them(
    dataset: str,
    recorded: int,
    at_25: float,
    at_5: float,
    data_home: Path,
    project: Path,
    tmp_path: Path,
) -> None:
    if not (data_home / "alkdrec-published" / dataset).is_dir():
        pytest.skip(f"{data_home} has no alkdrec-published/{dataset}, so it was not judged")
    params, paths = read_params(project / "params.yaml"), Paths(tmp_path)
    fetch.run(params, paths, dataset)
    sessions.run(params, paths, dataset)
    shown = cards.recorded_card(params, paths, dataset)
    assert shown["answered"] == recorded
    means = {name: round(100 * of["mean"], 1) for name, of in shown["labels"].items()}
    assert (means["hit@25"], means["hit@5"]) == (at_25, at_5)
    assert shown["position"] is None
    assert {one["sessions"] for one in shown["against"].values()} == {0}


def test_where_no_session_differs_the_interval_is_that_of_what_was_not_seen() -> None:
    misses, hits = card.interval(np.zeros(20), 500, 1), card.interval(np.ones(20), 500, 1)
    assert misses is not None
    assert hits is not None
    assert (misses["low"], hits["high"]) == (0.0, 1.0)
    bounds = binomtest(0, 20).proportion_ci(0.95, method="exact")
    assert misses["high"] == pytest.approx(bounds.high)
    assert hits["low"] == pytest.approx(1 - bounds.high)
    below = card.interval(np.full(20, -0.02), 500, 1, lowest=-1.0)
    assert below is not None
    assert below["low"] < -0.02 < 0 < below["high"]
