"""How good answers are, and rankings that are right as often as one likes.

The policy assumes how many answers are effective, similar or incorrect. Where a ranking and the
held-back target of its session are both known, so is the kind:

The ranking's items, and the target where it is not among them, are put in two orders: the LLM's
(a target that it did not name comes last), and that of a teacher that has not seen the session. In
each order the target's place has a weight in the loss (`distill.weights`: 3, 2, 1, and 0 beyond).
The answer is *effective* if the LLM's order gives the target more weight than the teacher's,
*incorrect* if it gives less, and *similar* if it gives the same. So an answer counts by what a
student would be taught about the one item that is known to be right.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
import torch

from pipeline.distillation.pairs import weight_at
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.tables import LABELLED

Kind = Literal["effective", "similar", "incorrect"]
Weights = Sequence[tuple[int, float]]
TOP = 5
"""Places that a correct ranking has the target in."""


def kind_of(llm: int, teacher: int, weights: Weights) -> Kind:
    """Return an answer's kind.

    Args:
        llm: the target's place in the LLM's order, from 1.
        teacher: its place in the teacher's order of the same items.
        weights: (last position, weight) in rising order, as in `distill.weights`.
    """
    ours, theirs = weight_at(llm, list(weights)), weight_at(teacher, list(weights))
    if ours == theirs:
        return "similar"
    return "effective" if ours > theirs else "incorrect"


def llm_place(ranking: Sequence[int], target: int) -> int:
    """Return the target's place in a ranking, after its last item where it was not named."""
    return ranking.index(target) + 1 if target in ranking else len(ranking) + 1


@torch.no_grad()
def teacher_places(
    teacher: EmbeddingRecommender, sessions: pl.DataFrame, rankings: Sequence[Sequence[int]]
) -> list[int]:
    """Return the target's place among each ranking's items and itself; ties count against it.

    Args:
        teacher: has not seen the sessions; in evaluation mode.
        sessions: with ``items``, the last of which is the target; in the order of the rankings.
        rankings: of each session.
    """
    batches = SessionBatches.of(sessions)
    queries = teacher.encode(batches.inputs(batches.examples("last"), teacher.max_length))
    places = []
    for row, (ranking, items) in enumerate(zip(rankings, sessions["items"].to_list(), strict=True)):
        target = items[-1]
        others = [item for item in ranking if item != target]
        scores = teacher.pair_scores(queries[row : row + 1], torch.tensor([[target, *others]]))[0]
        places.append(1 + int((scores[1:] >= scores[0]).sum()))
    return places


def kinds(
    teacher: EmbeddingRecommender, sessions: pl.DataFrame, labelled: pl.DataFrame, weights: Weights
) -> Counter[str]:
    """Return how many answers are of each kind.

    Args:
        teacher: has not seen the sessions.
        sessions: the table SESSIONS, or some of it.
        labelled: usable rankings; those of other sessions are left out.
        weights: `distill.weights`.
    """
    both = labelled.join(sessions, on="session_id").sort("session_id")
    rankings = both["ranking"].to_list()
    theirs = teacher_places(teacher, both, rankings)
    targets = both["items"].list.last().to_list()
    return Counter(
        kind_of(llm_place(ranking, target), place, weights)
        for ranking, target, place in zip(rankings, targets, theirs, strict=True)
    )


def with_correct(
    labelled: pl.DataFrame, sessions: pl.DataFrame, rate: float, generator: np.random.Generator
) -> pl.DataFrame:
    """Return the rankings with the target in the first five at a rate, and below them elsewhere.

    Each ranking keeps its items and their order but for the target, which takes the last one's
    place where it was not named. Which sessions are correct, and where the target then is, is drawn
    once for all rates: a session that is correct at a rate is so at every higher one.

    Args:
        labelled: usable rankings.
        sessions: the table SESSIONS.
        rate: share of correct rankings, 0 to 1; each session is so with this probability.
        generator: makes the draws, three a session in their order.
    """
    both = labelled.join(sessions.select("session_id", "items"), on="session_id")
    both = both.sort("session_id")
    draws = generator.random((len(both), 3))
    targets = both["items"].list.last().to_list()
    rankings = [
        _placed(ranking, target, correct=draw[0] < rate, places=(draw[1], draw[2]))
        for ranking, target, draw in zip(both["ranking"].to_list(), targets, draws, strict=True)
    ]
    changed = pl.Series("ranking", rankings, LABELLED.columns["ranking"])
    contained = [target in ranking for ranking, target in zip(rankings, targets, strict=True)]
    return both.with_columns(changed, contains_target=pl.Series(contained)).select(
        *LABELLED.columns
    )


def _placed(
    ranking: list[int], target: int, *, correct: bool, places: tuple[float, float]
) -> list[int]:
    """Return a ranking of the same length with the target where it should be."""
    length = len(ranking)
    others = [item for item in ranking if item != target][: length - 1]
    if correct:
        place = int(places[0] * min(TOP, length))
    elif length > TOP:
        place = TOP + int(places[1] * (length - TOP))
    else:
        return others
    return [*others[:place], target, *others[place:]]
