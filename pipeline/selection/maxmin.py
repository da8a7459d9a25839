"""The max-min policy of ALKDRec (Du et al., AAAI 2025), solved exactly.

The game: we choose probabilities p over N sessions in the order of falling gain, g_s = s^-mu. An
adversary then says for which k_ef sessions the LLM's answer helps (worth g_s), for which k_si it is
similar to the teacher's (worth a g_s), and for which k_in it is wrong (costs b g_s). We want the p
whose worst case, max_p min_c sum_s p_s w_s, is best.

In y_s = p_s g_s the adversary can only pair large y with small weights: its answer is -b for the
k_in largest y, a for the next k_si and 1 for the rest. For y falling in s that is linear, so the
best y is one of the corners: a prefix of the ranks at one level. Hence

    p*_s ~ 1/g_s for s <= k*,   k* = argmax_k W(k) / sum_{j<=k} 1/g_j,
    W(k) = -b min(k, k_in) + a clip(k - k_in, 0, k_si) + max(k - k_in - k_si, 0).

Departure from the paper: its policy lowers the level beyond rank k_in + k_si by (a+b)/(1+b), which
is never better (2.6 % worse at its own setting). ``paper_corrected`` keeps that form, with the
misprinted sums H, G of its Definition 1 and the argmax of its Theorem 2 mended.

Everything is in logarithms of float64: s^10 leaves float32 at rank 7,132 and int64 at rank 79.
Values are in units of the smallest gain, g_N.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ParamsError
from pipeline.params.selection import SelectParams

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Game:
    """The assumptions about an LLM's answers for a pool of sessions."""

    sessions: int  # N
    effective: int  # k_ef
    incorrect: int  # k_in
    gain_power: float  # mu
    similar_ratio: float  # a
    incorrect_ratio: float  # b

    @classmethod
    def of(cls, sessions: int, params: SelectParams) -> "Game":
        """Return the game for a pool: k_ef is rounded down, k_in to the nearest."""
        return cls(
            sessions,
            math.floor(params.share_effective * sessions + 1e-9),  # 0.29 * 100 is 28.999...
            round(params.share_incorrect * sessions),
            params.gain_power,
            params.similar_ratio,
            params.incorrect_ratio,
        )

    @property
    def similar(self) -> int:
        """k_si: the sessions that are neither."""
        return self.sessions - self.effective - self.incorrect

    def log_costs(self) -> Floats:
        """Return log(g_N / g_s) of ranks 1..N, between mu log(1/N) and 0.  # N."""
        ranks = np.arange(1, self.sessions + 1, dtype=np.float64)
        return self.gain_power * np.log(ranks / self.sessions)


@dataclass(frozen=True)
class Policy:
    """A distribution over ranks 1..N and what it is worth."""

    log_probabilities: Floats  # N, -inf outside the support
    k_star: int
    """Last rank of the support."""
    value: float
    """Worst-case mean gain of a session drawn from it, in units of the smallest gain.

    Infinite where it is beyond float64."""

    @property
    def probabilities(self) -> Floats:
        """The distribution over ranks 1..N; sums to 1."""
        p: Floats = np.exp(self.log_probabilities)
        return p


def exact(game: Game) -> Policy:
    """Return the policy that attains the value of the game."""
    return _best_prefix(game)


def paper_corrected(game: Game) -> Policy:
    """Return the paper's two-level policy with its sums corrected.

    p ~ 1/(g^si + g^in) up to rank k_in + k_si and 1/(g^ef + g^in) beyond (Definition 1).
    """
    a, b = game.similar_ratio, game.incorrect_ratio
    return _best_prefix(game, second_level=(a + b) / (1 + b))


def _best_prefix(game: Game, second_level: float = 1.0) -> Policy:
    """Return the best of the prefixes 1..k, with a lower level beyond k_in + k_si.

    Raises:
        ParamsError: no prefix has a positive worst case, so the best advice is to label nothing.
    """
    boundary = game.incorrect + game.similar
    log_mass = game.log_costs()
    if second_level != 1:
        log_mass[boundary:] += np.log(second_level) if second_level > 0 else -np.inf
    log_total = np.logaddexp.accumulate(log_mass)  # log sum_{j<=k} (g_N/g_j) level_j
    payoff = _payoff(game, second_level)
    if not payoff.max(initial=0) > 0:
        raise ParamsError(
            f"params.yaml: select: with {game.effective:,} effective and {game.incorrect:,} "
            f"incorrect of {game.sessions:,} sessions the policy gains nothing in the worst case; "
            "lower share_incorrect or incorrect_ratio, or use policy random"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        log_value = np.where(payoff > 0, np.log(payoff) - log_total, -np.inf)
    k_star = int(np.argmax(log_value)) + 1  # two local maxima: never stop at the first
    log_mass[k_star:] = -np.inf
    log_mass -= log_total[k_star - 1]
    log_mass -= np.log(np.exp(log_mass[:k_star]).sum())  # rounding of a long running sum
    with np.errstate(over="ignore"):
        return Policy(log_mass, k_star, float(np.exp(log_value[k_star - 1])))


def _payoff(game: Game, second_level: float) -> Floats:
    """Return W(k) for k = 1..N, with the sessions beyond k_in + k_si at ``second_level``.  # N."""
    k = np.arange(1, game.sessions + 1, dtype=np.float64)
    boundary = game.incorrect + game.similar
    lost = game.incorrect_ratio * np.minimum(k, game.incorrect)
    similar = game.similar_ratio * np.clip(k - game.incorrect, 0, game.similar)
    return similar - lost + second_level * np.maximum(k - boundary, 0)


def worst_case(log_probabilities: Floats, game: Game) -> float:
    """Return min_c sum_s p_s w_s in units of the smallest gain, by sorting y_s = p_s g_s.

    Also right for inclusion probabilities, whose sum is the number drawn: the result is then the
    sum over the drawn sessions. What is beyond float64 is infinite.
    """
    log_y = log_probabilities - game.log_costs()
    cuts = [game.effective, game.effective + game.similar]
    log_y.partition([min(cut, len(log_y) - 1) for cut in cuts])
    parts = np.split(log_y, cuts)  # rising: effective ones first, then similar, incorrect last
    scale = max(0.0, float(log_y.max()))
    effective, similar, incorrect = (float(np.exp(part - scale).sum()) for part in parts)
    value = effective + game.similar_ratio * similar - game.incorrect_ratio * incorrect
    try:
        return value * math.exp(scale)
    except OverflowError:
        return math.copysign(math.inf, value)
