"""List the teacher's candidates for each training session and say how hard the session is.

Reads SESSIONS, CATALOG and the teacher; obeys ``difficulty`` (and the recipe, where ``folds`` asks
for teachers that have not seen the session); writes DIFFICULTY and ``summary.json``. ``compute``
says where it is computed.
"""

from dataclasses import asdict, dataclass

import numpy as np

from pipeline import files
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry, sharded
from pipeline.recommenders.crossfit import judge, judge_by_folds
from pipeline.selection.difficulty import difficulty
from pipeline.tables import CATALOG, DIFFICULTY, SESSIONS


@dataclass(frozen=True)
class Summary:
    """How many sessions, and how often the held-back item is among the candidates."""

    sessions: int
    share_of_candidate_lists_with_the_target: float
    share_of_targets_in_the_top_10: float


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Rank candidates and score the difficulty of a cell's training sessions."""
    sessions = SESSIONS.read(paths.sessions(cell.dataset))
    n_items = len(CATALOG.read(paths.sessions(cell.dataset)))

    with sharded.engine(params.compute) as over:
        if params.difficulty.folds:
            judged = judge_by_folds(
                params.training, params.difficulty, cell, sessions, n_items, paths.checkpoints, over
            )
        else:
            teacher = registry.load_neural(paths.teacher(cell))
            judged = judge(teacher, sessions, params.difficulty.candidates, over=over)
    table = judged.table(difficulty(judged.own_scores, judged.present))

    ranks = table["target_rank"].to_numpy()
    summary = Summary(
        len(table),
        float(np.mean(ranks <= judged.candidates.shape[1])),
        float(np.mean(ranks <= 10)),
    )
    DIFFICULTY.write(table, paths.difficulty(cell))
    files.write_json(paths.difficulty(cell) / "summary.json", asdict(summary))
    return summary
