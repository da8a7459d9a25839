"""Train a cell's teacher.

Reads SESSIONS and CATALOG; obeys ``training.shared``, the recipe's ``fit`` and ``teacher``, and the
backbone's section; writes ``models/teacher/<cell>``: weights, configuration and training log.
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
    """Train and save the teacher of a cell."""
    sessions = SESSIONS.read(paths.sessions(cell.dataset))
    n_items = len(CATALOG.read(paths.sessions(cell.dataset)))

    with distributed.team() as team:
        trained = train_role(
            "teacher", params.training, cell, sessions, n_items, paths.checkpoints, team
        )

    if team.first:
        trained.save(paths.teacher(cell))
    numbers = sum(weight.numel() for weight in trained.model.parameters())
    return Summary(trained.steps, trained.validation_ndcg, numbers)
