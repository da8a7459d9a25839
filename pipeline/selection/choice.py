"""From difficulties to the chosen sessions: ranks, policy, draw, and what the draw is worth."""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError, ParamsError
from pipeline.params.selection import SelectParams
from pipeline.selection import maxmin, sampling, strategies
from pipeline.selection.maxmin import Floats, Game, Policy
from pipeline.selection.sampling import Draw, Places

PREFIXES = 65  # lengths that are tried where the cap is active


@dataclass(frozen=True)
class Choice:
    """Chosen sessions by their places in the pool, and what the choice is worth.

    What a recorded list leaves unknown is none. Values are worst-case mean gains of a session, in
    units of the smallest gain.
    """

    places: Places  # n
    ranks: Places  # n, 1..N in the gain order
    inclusion: Floats | None = None  # n, each one's probability of being chosen
    k_star: int | None = None
    """Last rank of the policy's support; random, hardest and easiest have none."""
    prefix: int | None = None
    """Last rank that could be drawn: k_star, or more where the cap n p <= 1 is active."""
    value: float | None = None
    """What the policy promises."""
    worst_case: float | None = None
    """What the inclusion probabilities that were used keep; infinite: beyond float64."""


def by_rank(difficulty: Floats, gain_order: str, generator: np.random.Generator) -> Places:
    """Return the places of the pool in the gain order, rank 1 first.  # N.

    ``hard_first`` gives rank 1, the largest gain, to the largest difficulty. Equal difficulties
    are ordered by a random key: where there are any, places are shuffled before a stable sort.

    Raises:
        DataError: a difficulty is not a number.
    """
    faults = int(np.isnan(difficulty).sum())
    if faults:
        raise DataError(
            f"difficulty: {faults:,} of {len(difficulty):,} sessions have no number; "
            "the teacher's scores are not finite, train it again"
        )
    keys = -difficulty if gain_order == "hard_first" else difficulty
    order = np.argsort(keys)
    ordered = keys[order]
    if (ordered[1:] == ordered[:-1]).any():
        shuffled = generator.permutation(len(keys))
        order = shuffled[np.argsort(keys[shuffled], kind="stable")]
    return order


def choose(
    difficulty: Floats,
    params: SelectParams,
    ties: np.random.Generator,
    draws: np.random.Generator,
) -> Choice:
    """Choose ``params.count`` sessions of the pool.

    Args:
        difficulty: of each session of the pool; higher is harder.  # N
        params: policy, sampler, order and the game's assumptions.
        ties: orders sessions of equal difficulty.
        draws: makes the draw.

    Raises:
        DataError: the pool is smaller than ``params.count``.
        ParamsError: the assumptions leave nothing to gain, or the pool is too large for ``lp``.
    """
    pool = len(difficulty)
    require(pool, params.count, f"pool {params.pool}")
    game = Game.of(pool, params)
    order = by_rank(difficulty, params.gain_order, ties)
    policy, log_p = _policy(game, params)
    if params.policy == "exact" and params.sampler == "systematic":
        log_p = for_a_set(game, log_p, params.count)
    draw = _draw(log_p, params, draws)
    return Choice(
        order[draw.places],
        draw.places + 1,
        np.exp(draw.log_inclusion[draw.places]),
        policy.k_star if policy else None,
        _last_rank(draw.log_inclusion),
        policy.value if policy else None,
        maxmin.worst_case(draw.log_inclusion, game) / params.count,
    )


def require(pool: int, count: int, source: str) -> None:
    """Refuse to choose more sessions than there are.

    Raises:
        DataError: naming both numbers.
    """
    if pool < count:
        raise DataError(
            f"select.count is {count:,}, but only {pool:,} training sessions are in {source}; "
            "lower select.count in params.yaml"
        )


def for_a_set(game: Game, log_p: Floats, count: int) -> Floats:
    """Return the prefix whose inclusion probabilities are best for a set of ``count`` sessions.

    That is the exact policy itself as long as n p* stays below 1. Beyond, what the cap takes from
    the last ranks is better spent on a longer prefix, too: at 500 of 1,690 it lifts the worst case
    from -1.28 to 1.42, the value of the linear programme with the cap.

    Args:
        game: the assumptions.
        log_p: the exact policy.  # N
        count: n.
    """
    if count * np.exp(log_p.max()) <= 1:
        return log_p
    log_costs, ranks = game.log_costs(), np.arange(1, game.sessions + 1)
    k_star = _last_rank(log_p)
    lengths = np.linspace(max(k_star, min(count, game.sessions)), game.sessions, PREFIXES)
    prefixes = (np.where(ranks <= k, log_costs, -np.inf) for k in np.unique(lengths.astype(int)))
    return max(
        prefixes, key=lambda one: maxmin.worst_case(sampling.log_inclusion(one, count), game)
    )


def log_inclusion(sessions: int, params: SelectParams) -> Floats:
    """Return the log-probability with which each rank of a pool is among those drawn.  # N."""
    game = Game.of(sessions, params)
    _, log_p = _policy(game, params)
    if params.policy == "exact" and params.sampler == "systematic":
        log_p = for_a_set(game, log_p, params.count)
    return sampling.log_inclusion(log_p, params.count)


def _policy(game: Game, params: SelectParams) -> tuple[Policy | None, Floats]:
    """Return the game's policy, where there is one, and log-probabilities by rank."""
    n, count = game.sessions, params.count
    if params.policy == "random":
        return None, strategies.uniform(n)
    if params.policy in {"hardest", "easiest"}:
        from_rank_1 = (params.policy == "hardest") == (params.gain_order == "hard_first")
        first = 0 if from_rank_1 else n - count
        return None, strategies.ends(n, first, first + count)
    if params.policy == "lp":
        from pipeline.selection import lp  # noqa: PLC0415 - slow to load, and seldom needed

        if n > lp.LARGEST_POOL:
            raise ParamsError(
                f"params.yaml: select.policy lp is for at most {lp.LARGEST_POOL:,} sessions, "
                f"the pool has {n:,}; use exact, which has the same value"
            )
        if params.gain_power * np.log(n) > lp.LARGEST_LOG_GAIN:
            raise ParamsError(
                f"params.yaml: select.policy lp: gains of {n:,} sessions with gain_power "
                f"{params.gain_power:g} are beyond float64; lower it or use exact"
            )
        policy = lp.solve(lp.Gains.of(game), 1 / count if params.sampler == "systematic" else 1)
    else:
        policy = {
            "exact": maxmin.exact,
            "paper_corrected": maxmin.paper_corrected,
            "rad_bc": strategies.rad_bc,
        }[params.policy](game)
    return policy, policy.log_probabilities


def _last_rank(log_p: Floats) -> int:
    """Return the last rank with a probability above 0."""
    return len(log_p) - int(np.argmax(log_p[::-1] > -np.inf))


def _draw(log_p: Floats, params: SelectParams, generator: np.random.Generator) -> Draw:
    sampler = sampling.systematic if params.sampler == "systematic" else sampling.sequential
    return sampler(log_p, params.count, generator)
