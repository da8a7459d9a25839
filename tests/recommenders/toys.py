"""Small sessions, recipes and models that the tests of training share."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from pipeline.params import read_params
from pipeline.params.backbones import BackboneParams, BackboneSection
from pipeline.params.training import (
    FitParams,
    RecipeParams,
    RoleParams,
    SharedTrainingParams,
    TrainingParams,
)
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.recipes import Trained, train
from pipeline.tables import SESSIONS

N_ITEMS = 40
SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml")
OWN = BackboneParams(
    **{
        name: own.model_copy(update={"recipes": {}} | ({"hidden": 16} if name == "gru4rec" else {}))
        for name, own in SHIPPED.training.backbones
    }
)
"""The backbones' shipped settings without a speed of their own; a smaller recurrent network."""

ROLE = RoleParams(dimension=16, learning_rate=0.02, weight_decay=0, dropout=0, patience=50)


def sessions_frame(items: Sequence[Sequence[int]], parts: Sequence[str]) -> pl.DataFrame:
    """Return the table SESSIONS without times."""
    nothing = [None] * len(items)
    rows = {"session_id": range(len(items)), "part": parts, "items": [list(row) for row in items]}
    return pl.DataFrame(rows | {"started_at": nothing, "ended_at": nothing}, SESSIONS.columns)


def batches(*items: Sequence[int]) -> SessionBatches:
    """Return sessions as they are typed."""
    return SessionBatches.of(sessions_frame(items, ["training"] * len(items)))


def chains(count: int, seed: int = 0, length: int = 5) -> list[list[int]]:
    """Return sessions in which item i is always followed by i + 1, and the last item by the first.

    Every item is as popular as any other.
    """
    starts = torch.randint(N_ITEMS, (count,), generator=torch.Generator().manual_seed(seed))
    return [[(start + place) % N_ITEMS + 1 for place in range(length)] for start in starts.tolist()]


def chain_sessions(training: int = 240, others: int = 60) -> pl.DataFrame:
    """Return chains in three parts."""
    parts = ["training"] * training + ["validation"] * others + ["test"] * others
    return sessions_frame(chains(len(parts)), parts)


@lru_cache
def chain_parts() -> dict[str, SessionBatches]:
    """Return the parts of `chain_sessions`."""
    frame = chain_sessions()
    names = ("training", "validation", "test")
    return {part: SessionBatches.of(frame.filter(pl.col("part") == part)) for part in names}


def fit_params(recipe: str, **changes: object) -> FitParams:
    """Return a shipped recipe's switches with a schedule for the chains."""
    quick = {"batch": 64, "max_steps": 150, "evaluate_every": 50, "average": 0.0}
    return SHIPPED.training.recipes[recipe].fit.model_copy(update=quick | changes)


def untrained(
    backbone: str, fit: FitParams, role: RoleParams = ROLE, seed: int = 1, n_items: int = N_ITEMS
) -> EmbeddingRecommender:
    """Return a model with drawn weights, in evaluation mode."""
    own: BackboneSection = getattr(OWN, backbone)
    model = registry.build(backbone, n_items, fit, role, own)
    model.initialise(torch.Generator().manual_seed(seed))
    return model.eval()


@lru_cache
def trained(backbone: str, recipe: str) -> Trained:
    """Return a model that was trained on the chains; nobody may change it."""
    fit = fit_params(recipe)
    own: BackboneSection = getattr(OWN, backbone)
    model = registry.build(backbone, N_ITEMS, fit, ROLE, own)
    log = train(model, chain_parts(), fit, ROLE, 7, f"{backbone} {recipe}")
    return Trained(model, registry.describe(backbone, N_ITEMS, fit, ROLE, own), log)


def training_params(**fit: object) -> TrainingParams:
    """Return parameters that train the chains' teacher and student in a moment."""
    small = ROLE.model_copy(update={"dimension": 8})
    recipes = {
        name: RecipeParams(fit=fit_params(name, **fit), teacher=ROLE, student=small)
        for name in SHIPPED.training.recipes
    }
    return SHIPPED.training.model_copy(
        update={
            "shared": SharedTrainingParams(device="cpu"),
            "recipes": recipes,
            "backbones": OWN,
        }
    )


def padded(*rows: Sequence[int], length: int | None = None) -> Tensor:
    """Return rows with zeros on their left."""
    width = length or max(map(len, rows))
    return torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])


class Fixed:
    """A recommender with the same scores, written down, for every session."""

    max_length = 3

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores, self.n_items = torch.tensor(scores), len(scores)
        self.asked: list[Tensor] = []

    def encode(self, sessions: Tensor) -> Tensor:
        """Note what was asked for."""
        self.asked.append(sessions)
        return torch.zeros(len(sessions), 1)

    def score(self, queries: Tensor, first: int, last: int) -> Tensor:
        """Return the scores of a range."""
        return self.scores[first - 1 : last - 1].repeat(len(queries), 1)
