"""What a teacher makes of training sessions: candidates, ranks of the held-back items, scores.

``judge_by_folds`` gives each session to a teacher that has not seen it. An in-sample teacher has
the held-back item among its ten best for 99 % of sessions, so whatever is compared with a teacher's
order on training sessions must use the folds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import seeds
from pipeline.errors import DataError
from pipeline.params import DifficultyParams, TrainingParams
from pipeline.paths import Cell
from pipeline.recommenders import ranking
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
    teacher: EmbeddingRecommender, sessions: pl.DataFrame, count: int, fold: int = -1
) -> Judged:
    """Return a teacher's view of the training sessions, their last items held back.

    Args:
        teacher: in evaluation mode, on the CPU.
        sessions: the table SESSIONS; only the training part is judged.
        count: candidates a session; fewer where the catalogue has no more.
        fold: what is written down about who judged.
    """
    chosen = sessions.filter(pl.col("part") == "training").sort("session_id")
    batches = SessionBatches.of(chosen)
    examples = batches.examples("last")
    longest = max(int(batches.offsets.diff().max()) - 1, 1) if len(chosen) else 1
    seen = batches.inputs(examples, longest)
    count = min(count, teacher.n_items - longest)
    candidates, _ = ranking.top_items(teacher, seen, count)
    with torch.no_grad():
        own = [_own_scores(teacher, chunk) for chunk in torch.split(seen, SESSIONS_AT_ONCE)]
    return Judged(
        session_id=chosen["session_id"],
        candidates=candidates.numpy().astype(np.int32),
        target_rank=ranking.target_ranks(teacher, batches, examples).numpy(),
        own_scores=torch.cat(own).numpy(),
        present=(seen > 0).numpy(),
        fold=np.full(len(chosen), fold, np.int32),
    )


def _own_scores(teacher: EmbeddingRecommender, seen: Tensor) -> Tensor:
    return teacher.pair_scores(teacher.encode(seen[:, -teacher.max_length :]), seen)


def judge_by_folds(
    training: TrainingParams,
    params: DifficultyParams,
    cell: Cell,
    sessions: pl.DataFrame,
    n_items: int,
    root: Path,
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
        parts.append(judge(trained.model, held_back, params.candidates, fold))
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
