"""The same game as a linear programme, for gains that need not be proportional.

The adversary's assignment of sessions to the three kinds is a transport problem, so its minimum is
its dual: max sum_s u_s + sum_t k_t v_t with u_s + v_t <= p_s w_st. Joined to our choice of p that
is one programme of 2 N + 3 variables and 3 N rows. It is solved in y_s = p_s g_s, with the gains
divided by the smallest one, so that every coefficient lies in a range a solver can see.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, identity, kron

from pipeline.errors import ParamsError
from pipeline.selection.maxmin import Floats, Game, Policy

LARGEST_POOL = 30_000  # sessions; beyond it the solver takes many minutes
LARGEST_LOG_GAIN = 700.0  # in units of the smallest gain; exp(710) is beyond float64
TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Gains:
    """What a session is worth if its answer is effective, similar or incorrect (a loss)."""

    effective: Floats  # N, positive
    similar: Floats  # N
    incorrect: Floats  # N, counted negative
    counts: tuple[int, int, int]
    """How many sessions are of each kind."""

    @classmethod
    def of(cls, game: Game) -> "Gains":
        """Return the proportional gains of ``game``, in units of the smallest."""
        gain = np.exp(-game.log_costs())
        return cls(
            gain,
            game.similar_ratio * gain,
            game.incorrect_ratio * gain,
            (game.effective, game.similar, game.incorrect),
        )

    def weights(self) -> Floats:
        """Return the worth of each session under each kind.  # N 3."""
        return np.stack([self.effective, self.similar, -self.incorrect], axis=1)


def solve(gains: Gains, largest: float = 1.0) -> Policy:
    """Return the policy that attains the value of the game, by HiGHS.

    Args:
        gains: of each session.
        largest: bound of a session's probability; 1/n makes the policy the best for sets of n.

    Raises:
        ParamsError: the solver finds no solution.
    """
    n = len(gains.effective)
    smallest = gains.effective.min()
    per_y = gains.weights() / gains.effective[:, None]  # worth of one unit of y_s  # N 3
    no_more_than_worth = hstack(
        [
            csr_array((-per_y.ravel(), (np.arange(3 * n), np.repeat(np.arange(n), 3)))),
            kron(identity(n), np.ones((3, 1))),  # u_s
            kron(np.ones((n, 1)), identity(3)),  # v_t
        ],
        format="csr",
    )
    sums_to_one = np.concatenate([smallest / gains.effective, np.zeros(n + 3)])[None, :]
    free = [(None, None)] * (n + 3)
    found = linprog(
        -np.concatenate([np.zeros(n), np.ones(n), gains.counts]),
        A_ub=no_more_than_worth,
        b_ub=np.zeros(3 * n),
        A_eq=csr_array(sums_to_one),
        b_eq=[1.0],
        bounds=[(0, most) for most in largest * gains.effective / smallest] + free,
        method="highs",
        options=TIGHT,
    )
    if found.status != 0:
        why = " ".join(str(found.message).split())
        raise ParamsError(
            f"params.yaml: select.policy lp: no solution for {n:,} sessions ({why}); use exact"
        )
    p = np.maximum(found.x[:n], 0) / gains.effective
    p /= p.sum()
    with np.errstate(divide="ignore"):
        return Policy(np.log(p), int(np.flatnonzero(p)[-1]) + 1, -found.fun)
