"""What a teacher makes of training sessions: candidates, ranks of the held-back items, scores.

``judge_by_folds`` gives each session to a teacher that has not seen it. An in-sample teacher has
the held-back item among its ten best for 99 % of sessions, so whatever is compared with a teacher's
order on training sessions must use the folds.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import seeds
from pipeline.errors import DataError
from pipeline.params.selection import DifficultyParams
from pipeline.params.training import TrainingParams
from pipeline.paths import Cell
from pipeline.recommenders import ranking, sharded
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.recipes import train_role

SESSIONS_AT_ONCE = 4096
"""Sessions whose items' vectors are held at a time."""


@dataclass(frozen=True)
class Judged:
    """What was found for each session, in the order of ``session_id``."""

    session_id: pl.Series
    candidates: NDArray[np.int32]  # S K, best first, none of the session's own items
    target_rank: NDArray[np.int32]  # S
    own_scores: NDArray[np.float32]  # S L, scores of the session's items after that session
    present: NDArray[np.bool_]  # S L
    fold: NDArray[np.int32]  # S, -1 where the teacher has seen the session

    def table(self, difficulty: NDArray[np.float64]) -> pl.DataFrame:
        """Return the columns of DIFFICULTY."""
        return pl.DataFrame(
            {
                "session_id": self.session_id,
                "difficulty": difficulty,
                "candidates": pl.Series(self.candidates.tolist(), dtype=pl.List(pl.Int32)),
                "target_rank": self.target_rank,
                "fold": self.fold,
            }
        )


def judge(
    teacher: EmbeddingRecommender,
    sessions: pl.DataFrame,
    count: int,
    fold: int = -1,
    over: sharded.Over = sharded.here,
) -> Judged:
    """Return a teacher's view of the training sessions, their last items held back.

    Args:
        teacher: in evaluation mode, on the CPU.
        sessions: the table SESSIONS; only the training part is judged.
        count: candidates a session; fewer where the catalogue has no more.
        fold: what is written down about who judged.
        over: where the work is done.
    """
    chosen = sessions.filter(pl.col("part") == "training").sort("session_id")
    lengths = chosen["items"].list.len().to_numpy().astype(np.int64) - 1  # S, without the target
    longest = max(int(lengths.max()), 1) if len(chosen) else 1
    count = min(count, teacher.n_items - longest)
    items = chosen.select("items")
    rank = partial(_ranked, teacher, longest, count)
    ranked = over(rank, items, ranking.sessions_at_once(teacher.n_items))
    scored = over(partial(_scored, teacher, longest), items, SESSIONS_AT_ONCE)
    return Judged(
        session_id=chosen["session_id"],
        candidates=ranked["candidates"].to_numpy(),
        target_rank=ranked["target_rank"].to_numpy(),
        own_scores=scored["own_scores"].to_numpy(),
        present=np.arange(longest) >= longest - lengths[:, None],
        fold=np.full(len(chosen), fold, np.int32),
    )


def _ranked(
    teacher: EmbeddingRecommender, longest: int, count: int, sessions: pl.DataFrame
) -> pl.DataFrame:
    """Return the columns ``candidates`` (S K) and ``target_rank`` of sessions."""
    batches = SessionBatches.of(sessions)
    examples = batches.examples("last")
    candidates, _ = ranking.top_items(teacher, batches.inputs(examples, longest), count)
    ranks = ranking.target_ranks(teacher, batches, examples)
    return pl.DataFrame(
        {"candidates": candidates.numpy().astype(np.int32), "target_rank": ranks.numpy()}
    )


@torch.no_grad()
def _scored(teacher: EmbeddingRecommender, longest: int, sessions: pl.DataFrame) -> pl.DataFrame:
    """Return the column ``own_scores`` (S L): of each session's own items, padded on the left."""
    batches = SessionBatches.of(sessions)
    seen = batches.inputs(batches.examples("last"), longest)
    own = [_own_scores(teacher, chunk) for chunk in torch.split(seen, SESSIONS_AT_ONCE)]
    return pl.DataFrame({"own_scores": torch.cat(own).numpy()})


def _own_scores(teacher: EmbeddingRecommender, seen: Tensor) -> Tensor:
    return teacher.pair_scores(teacher.encode(seen[:, -teacher.max_length :]), seen)


def judge_by_folds(
    training: TrainingParams,
    params: DifficultyParams,
    cell: Cell,
    sessions: pl.DataFrame,
    n_items: int,
    root: Path,
    over: sharded.Over = sharded.here,
) -> Judged:
    """Return the view of teachers that were each trained without the sessions they judge.

    The training sessions are cut at random into ``params.folds`` parts of equal size; validation,
    which stops the training, is the same for all.

    Raises:
        DataError: there are fewer training sessions than parts.
    """
    chosen = sessions.filter(pl.col("part") == "training").sort("session_id")
    if len(chosen) < params.folds:
        raise DataError(
            f"difficulty.folds: {params.folds} parts of {len(chosen)} training sessions of "
            f"'{cell.dataset}' leave one empty; give fewer folds"
        )
    order = seeds.generator(cell.seed, "folds").permutation(len(chosen))
    fold_of = np.empty(len(chosen), np.int32)
    fold_of[order] = np.arange(len(chosen)) % params.folds
    parts = []
    for fold in range(params.folds):
        held_back = chosen.filter(pl.Series(fold_of == fold))
        others = sessions.join(held_back, on="session_id", how="anti")
        trained = train_role("teacher", training, cell, others, n_items, root)
        parts.append(judge(trained.model, held_back, params.candidates, fold, over))
    return _joined(parts)


def _joined(parts: list[Judged]) -> Judged:
    width = max(part.present.shape[1] for part in parts)
    count = min(part.candidates.shape[1] for part in parts)

    def wide(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.pad(values, ((0, 0), (width - values.shape[1], 0)))

    ids = pl.concat([part.session_id for part in parts])
    order = ids.arg_sort().to_numpy()

    def joined(columns: list[NDArray[np.generic]]) -> NDArray[np.generic]:
        ordered: NDArray[np.generic] = np.concatenate(columns)[order]
        return ordered

    return Judged(
        session_id=ids.sort(),
        candidates=joined([part.candidates[:, :count] for part in parts]),  # type: ignore[arg-type]
        target_rank=joined([part.target_rank for part in parts]),  # type: ignore[arg-type]
        own_scores=joined([wide(part.own_scores) for part in parts]),  # type: ignore[arg-type]
        present=joined([wide(part.present) for part in parts]),  # type: ignore[arg-type]
        fold=joined([part.fold for part in parts]),  # type: ignore[arg-type]
    )
