"""What a teacher makes of training sessions, and teachers that have not seen them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.errors import DataError
from pipeline.params.selection import DifficultyParams
from pipeline.paths import Cell
from pipeline.recommenders import crossfit
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.crossfit import Judged, judge, judge_by_folds
from pipeline.recommenders.ranking import target_ranks
from pipeline.recommenders.recipes import Trained, train_role
from pipeline.selection.difficulty import difficulty
from pipeline.tables import DIFFICULTY
from tests.recommenders.toys import (
    N_ITEMS,
    chain_sessions,
    fit_params,
    padded,
    sessions_frame,
    trained,
    training_params,
    untrained,
)

CELL = Cell("chains", "fpmc", "strong", 3)
FRAME = sessions_frame(
    [[1, 2, 3], [9, 8, 7], [4, 5], [6, 7, 8, 9, 10, 11], [12, 13, 14]],
    ["training", "test", "training", "training", "validation"],
)


def test_training_sessions_alone_are_judged_and_their_last_items_held_back() -> None:
    judged = judge(untrained("fpmc", fit_params("strong")), FRAME, 5, fold=-1)
    assert judged.session_id.to_list() == [0, 2, 3]
    assert judged.present.sum(1).tolist() == [2, 1, 5]
    assert judged.fold.tolist() == [-1, -1, -1]
    assert judged.candidates.shape == (3, 5)


def test_scores_are_those_of_the_sessions_own_items_after_the_session() -> None:
    model = untrained("fpmc", fit_params("strong", max_length=3))
    judged = judge(model, FRAME, 5)
    with torch.no_grad():
        for row, session in enumerate([[1, 2], [4], [6, 7, 8, 9, 10]]):
            query = model.encode(padded(session[-3:]))  # the model looks at three items,
            expected = model.pair_scores(query, torch.tensor([session]))[0]  # all are judged
            found = judged.own_scores[row, -len(session) :]
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_candidates_are_the_best_items_without_the_sessions_own() -> None:
    model = trained("fpmc", "strong").model
    judged = judge(model, FRAME, 4)
    with torch.no_grad():
        for row, session in zip(judged.candidates, [[1, 2], [4], [6, 7, 8, 9, 10]], strict=True):
            scores = model.score(model.encode(padded(session)), 1, N_ITEMS + 1)[0]
            order = [item + 1 for item in scores.argsort(descending=True).tolist()]
            assert row.tolist() == [item for item in order if item not in session][:4]


def test_the_target_is_not_forced_among_the_candidates() -> None:
    model = untrained("fpmc", fit_params("strong"))
    assert model.bias is not None
    with torch.no_grad():
        model.bias[3] = -100  # the held-back item of session 0
        model.bias[5] = 100  # and of session 2
    judged = judge(model, FRAME, 10)
    assert 3 not in judged.candidates[0]
    assert judged.target_rank.tolist()[:2] == [N_ITEMS - 2, 1]
    assert judged.candidates[1, 0] == 5


def test_a_small_catalogue_offers_what_it_has() -> None:
    judged = judge(untrained("fpmc", fit_params("strong"), n_items=12), FRAME.head(4), 50)
    assert judged.candidates.shape == (3, 12 - 5)
    for row, session in zip(judged.candidates, [[1, 2], [4], [6, 7, 8, 9, 10]], strict=True):
        assert len(set(row.tolist()) - {*session, 0}) == 7


def test_ranks_are_true_ranks() -> None:
    model = trained("fpmc", "strong").model
    chosen = SessionBatches.of(FRAME.filter(pl.col("part") == "training"))
    expected = target_ranks(model, chosen, chosen.examples("last"))
    assert judge(model, FRAME, 5).target_rank.tolist() == expected.tolist()


def test_sessions_are_judged_in_the_order_of_their_numbers() -> None:
    model = trained("fpmc", "strong").model
    first, again = judge(model, FRAME, 5), judge(model, FRAME.reverse(), 5)
    assert again.session_id.to_list() == first.session_id.to_list()
    assert np.array_equal(again.candidates, first.candidates)
    assert np.array_equal(again.own_scores, first.own_scores)


def test_blocks_of_sessions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, frame = trained("sasrec", "strong").model, chain_sessions(40, 1)
    first = judge(model, frame, 5)
    monkeypatch.setattr(crossfit, "SESSIONS_AT_ONCE", 7)
    np.testing.assert_allclose(judge(model, frame, 5).own_scores, first.own_scores, atol=1e-5)


def test_a_judgement_is_the_table() -> None:
    judged = judge(trained("fpmc", "strong").model, FRAME, 5)
    table = judged.table(difficulty(judged.own_scores, judged.present))
    assert dict(table.schema) == DIFFICULTY.columns
    assert table["session_id"].to_list() == [0, 2, 3]
    assert table["difficulty"].is_between(-1, 0).all()


Seen = list[tuple[set[int], EmbeddingRecommender]]


def spied(
    monkeypatch: pytest.MonkeyPatch, frame: pl.DataFrame, folds: int, root: Path
) -> tuple[Judged, Seen, list[pl.DataFrame]]:
    """Judge by folds; return what was judged, and what each teacher saw."""
    seen: Seen = []
    given: list[pl.DataFrame] = []

    def spy(role: Any, params: Any, cell: Cell, sessions: pl.DataFrame, *rest: Any) -> Trained:
        assert role == "teacher"
        done = train_role(role, params, cell, sessions, *rest)
        training = sessions.filter(pl.col("part") == "training")
        seen.append((set(training["session_id"]), done.model))
        given.append(sessions)
        return done

    monkeypatch.setattr(crossfit, "train_role", spy)
    params = DifficultyParams(candidates=6, folds=folds)
    quick = training_params(max_steps=4, evaluate_every=2)
    judged = judge_by_folds(quick, params, CELL, frame, N_ITEMS, root)
    return judged, seen, given


def test_every_session_is_judged_once_by_a_teacher_that_has_not_seen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = chain_sessions(23, 5)
    judged, seen, given = spied(monkeypatch, frame, 4, tmp_path)
    training = frame.filter(pl.col("part") == "training")
    assert judged.session_id.to_list() == training["session_id"].to_list()
    assert sorted(np.bincount(judged.fold).tolist()) == [5, 6, 6, 6]
    for fold, (seen_by_teacher, teacher) in enumerate(seen):
        held_back = set(judged.session_id.filter(pl.Series(judged.fold == fold)))
        assert seen_by_teacher == set(training["session_id"]) - held_back
        alone = judge(teacher, training.filter(pl.col("session_id").is_in(list(held_back))), 6)
        rows = judged.fold == fold
        assert np.array_equal(judged.candidates[rows], alone.candidates)
        assert np.array_equal(judged.target_rank[rows], alone.target_rank)
        np.testing.assert_allclose(judged.own_scores[rows], alone.own_scores, atol=1e-6)
    for sessions in given:  # validation stops every training alike
        parts = dict(sessions["part"].value_counts().iter_rows())
        assert parts["validation"] == 5


def test_sessions_of_different_lengths_stay_with_their_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [[i, i + 1, *range(i + 2, i + 2 + i % 5), 40] for i in range(1, 13)]
    frame = sessions_frame(items + [[1, 2]] * 3, ["training"] * 12 + ["validation"] * 3)
    judged, seen, _ = spied(monkeypatch, frame, 5, tmp_path)
    assert judged.present.sum(1).tolist() == [len(session) - 1 for session in items]
    for row, session in enumerate(items):
        assert not set(judged.candidates[row].tolist()) & {*session[:-1], 0}
        teacher = seen[judged.fold[row]][1]
        with torch.no_grad():
            shown = torch.tensor([session[:-1]])
            expected = teacher.pair_scores(teacher.encode(shown), shown)[0]
        found = judged.own_scores[row][judged.present[row]]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_folds_are_drawn_from_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = chain_sessions(20, 5)
    first, _, _ = spied(monkeypatch, frame, 2, tmp_path)
    again, _, _ = spied(monkeypatch, frame, 2, tmp_path)
    assert np.array_equal(first.fold, again.fold)
    assert np.array_equal(first.own_scores, again.own_scores)
    assert first.fold.tolist() != sorted(first.fold.tolist())


def test_more_folds_than_sessions_are_answered_in_one_line(tmp_path: Path) -> None:
    params = DifficultyParams(candidates=6, folds=5)
    with pytest.raises(DataError, match=r"difficulty\.folds: 5 parts of 3 training sessions"):
        judge_by_folds(training_params(), params, CELL, FRAME, N_ITEMS, tmp_path)
