"""Train a cell's student.

Reads SESSIONS and CATALOG; obeys ``training.shared``, the recipe's ``fit`` and ``student``, and the
backbone's section; writes ``models/student/<cell>``: weights, configuration and training log.
Processes that ``torchrun`` started train it together.
"""

from dataclasses import dataclass

from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import distributed
from pipeline.recommenders.recipes import train_role
from pipeline.tables import CATALOG, SESSIONS


@dataclass(frozen=True)
class Summary:
    """How long it trained, how good it is on validation, how large it is."""

    steps: int
    validation_ndcg: float
    parameters: int


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Train and save the student of a cell."""
    sessions = SESSIONS.read(paths.sessions(cell.dataset))
    n_items = len(CATALOG.read(paths.sessions(cell.dataset)))

    with distributed.team() as team:
        trained = train_role(
            "student", params.training, cell, sessions, n_items, paths.checkpoints, team
        )

    if team.first:
        trained.save(paths.student(cell))
    numbers = sum(weight.numel() for weight in trained.model.parameters())
    return Summary(trained.steps, trained.validation_ndcg, numbers)
