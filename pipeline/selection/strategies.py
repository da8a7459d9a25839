"""The max-min policy's rivals: binary max-min (RAD-BC), random, hardest, easiest."""

from dataclasses import replace

import numpy as np

from pipeline.selection.maxmin import Floats, Game, Policy, exact


def rad_bc(game: Game) -> Policy:
    """Return the policy of the game with two kinds of answers, right and wrong.

    Effective and similar answers are worth the same, g; a wrong one costs b g (robust active
    distillation, Baykal et al. 2022, as the ablation of ALKDRec uses it). With proportional gains
    k* = argmax_k [sum_{j<=k} g/(g + b g) - k_in] / sum_{j<=k} 1/(g + b g) is the exact policy of
    the game without similar answers.
    """
    return exact(replace(game, effective=game.sessions - game.incorrect))


def uniform(sessions: int) -> Floats:
    """Return the log-probabilities of drawing any session alike.  # N."""
    return np.full(sessions, -np.log(sessions))


def ends(sessions: int, first: int, last: int) -> Floats:
    """Return the log-probabilities of drawing only ranks ``first + 1`` to ``last``.  # N."""
    log_p = np.full(sessions, -np.inf)
    log_p[first:last] = -np.log(last - first)
    return log_p
