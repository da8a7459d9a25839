"""The quality card: what labels are worth, from the table `label_ranks` alone.

The measure is the held-back next item of each answered session: how often an answer names it among
its first k places, and its NDCG@10. A name that was dropped (a repeat, a foreign one) took up its
place. An answer that could not be read is a miss. What a random order would reach is exact: of n
candidates with the held-back one among them, a random list as long as the answer's L has it among
its first k with probability min(k, L) / n.

Candidates are shown in a shuffled order, so a labeller that looks at them alone names items from
all places alike, whatever it likes: position bias is a departure from that.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from pipeline import seeds
from pipeline.evaluation.agreement import kendall
from pipeline.evaluation.intervals import Chance, Interval, bootstrap
from pipeline.evaluation.metrics import Ranks, Values, ndcg, recall

Card = dict[str, Any]
CUTOFFS = (1, 5, 10, 25)
ALIKE = 1e-12
MAIN = "ndcg@10"
"""The figure that labels are judged by, as models are."""
MEASURES: dict[str, Callable[[Ranks], Values]] = {
    **{f"hit@{k}": partial(recall, k=k) for k in CUTOFFS},
    MAIN: partial(ndcg, k=10),
}
FAR = 2**31 - 1  # the rank of what was not named
ORDERS = ("chance", "popularity", "similarity", "teacher")
OUTCOMES = ("usable", "too_short", "refused", "truncated", "missing")
NO_OFFER = "what was offered is not known"
SEEN = "this teacher has seen the sessions; difficulty.folds: 5 makes others"
DECIMALS = 6


def card(ranks: pl.DataFrame, draws: int, seed: int) -> Card:
    """Return the card of answers; figures are null, or say why, where nothing is known.

    Args:
        ranks: the table `label_ranks`, of one cell or of several.
        draws: of each bootstrap.
        seed: of the draws.
    """
    ranks = ranks.sort("session_id", "key")
    answered = ranks.filter(pl.col("outcome") != "missing")
    found = {
        "sessions": len(ranks),
        "answered": len(answered),
        "outcomes": {name: int((ranks["outcome"] == name).sum()) for name in OUTCOMES},
        "form": _form(answered),
        "target_offered": _share(answered["target_offered"]),
        "labels": {
            name: interval(values(answered["target_rank"], name), draws, seed, name)
            for name in MEASURES
        },
        "against": {name: _against(answered, name, draws, seed) for name in ORDERS},
        "position": _position(answered, draws, seed),
        "agreement": _agreement(answered, draws, seed),
        "cost": _cost(answered),
    }
    rounded: Card = _rounded(found)
    return rounded


def values(rank: pl.Series, measure: str) -> Values:
    """Return each session's value of a measure from the place of its held-back item.  # S."""
    ranks = rank.to_numpy()
    return MEASURES[measure](np.where(ranks > 0, ranks, FAR))


def chance(measure: str, named: int, offered: int, target_offered: bool) -> Chance:
    """Return what a random list of `named` of the `offered` candidates is worth in a measure."""
    if not target_offered or not named:
        return Chance((0.0,), (1.0,))
    worth = MEASURES[measure](np.arange(1, named + 1))
    rest = 1 - named / offered
    return Chance((*worth.tolist(), 0.0), (*[1 / offered] * named, rest))


def comparable(answered: pl.DataFrame, order: str) -> pl.DataFrame:
    """Return the answers that can be compared with another order of the same candidates."""
    column = "offered" if order == "chance" else f"{order}_rank"
    return answered.filter(pl.col(column).is_not_null())


def theirs(answers: pl.DataFrame, order: str, measure: str) -> Values:
    """Return each session's value of another order; for chance its expectation.  # S."""
    if order != "chance":
        return values(answers[f"{order}_rank"], measure)
    return np.array([one.mean for one in chances(answers, measure)])


def chances(answers: pl.DataFrame, measure: str) -> list[Chance]:
    """Return each session's distribution of a measure if chance decides.  # S."""
    rows = answers.select("named", "offered", "target_offered").iter_rows()
    return [chance(measure, *row) for row in rows]


def interval(
    of: Values, draws: int, seed: int, *names: str, lowest: float = 0.0
) -> dict[str, float] | None:
    """Return the mean with its 95 % interval over sessions; none without any.

    A bootstrap interval; where all sessions are alike resampling finds nothing else, and the
    interval is that of what S sessions may not have shown yet (Clopper and Pearson 1934).

    Args:
        of: one a session, between `lowest` and 1.  # S
        draws: resampled means.
        seed: makes the draws, with `names`.
        names: what is drawn for.
        lowest: the least that a value can be.
    """
    if not len(of):
        return None
    if np.ptp(of) > ALIKE:
        return asdict(bootstrap(of, draws, seeds.generator(seed, "card", *names)))
    mean, unseen = float(of.mean()), 1 - 0.025 ** (1 / len(of))
    low, high = mean - unseen * (mean - lowest), mean + unseen * (1 - mean)
    return asdict(Interval(mean, low, high))


def why_not(answered: pl.DataFrame, order: str) -> str:
    """Return why none of the answers can be compared with an order."""
    if answered.is_empty():
        return "no answers"
    if answered["offered"].null_count() == len(answered):
        return NO_OFFER
    if order == "similarity":
        return "it made these labels"
    if (answered["fold"] == -1).any():
        return SEEN
    return "these answers are about other candidates than the teacher's"


def _against(answered: pl.DataFrame, order: str, draws: int, seed: int) -> Card:
    """Return another order's figures on the same sessions, and the differences to it."""
    same = comparable(answered, order)
    if same.is_empty():
        return {"sessions": 0, "why": why_not(answered, order)}
    found: Card = {"sessions": len(same)}
    for name in MEASURES:
        reached = theirs(same, order, name)
        difference = values(same["target_rank"], name) - reached
        found[name] = {
            "mean": float(reached.mean()),
            "difference": interval(difference, draws, seed, order, name, lowest=-1.0),
        }
    return found


def _form(answered: pl.DataFrame) -> Card:
    """Return how answers were read and what had to be mended."""
    readings = answered.group_by("reading").len().sort("reading")
    return {
        "readings": dict(readings.iter_rows()),
        "with_repeats": int((answered["repeated"] > 0).sum()),
        "with_foreign": int((answered["foreign"] > 0).sum()),
        "repeats": int(answered["repeated"].sum()),
        "foreign": int(answered["foreign"].sum()),
        "empty": int((answered["named"] == 0).sum()),
        "named_mean": _mean(answered["named"]),
    }


def _position(answered: pl.DataFrame, draws: int, seed: int) -> Card | None:
    """Return where named candidates were shown: 0 is the first place shown, 1 the last.

    `first` is the mean place shown of the candidate ranked first, `named` of all that were named;
    both are 0.5 without bias. `order` is the mean of Kendall's τ between place shown and place
    given: 1 where the order shown is copied, 0 without bias.
    """
    several = answered.filter((pl.col("offered") > 1) & (pl.col("named") > 0))
    if several.is_empty():
        return None
    scaled = several.select(
        first=(pl.col("shown").list.first() - 1) / (pl.col("offered") - 1),
        named=(pl.col("shown").list.mean() - 1) / (pl.col("offered") - 1),
    )
    orders = [kendall(shown) for shown in several["shown"].to_list()]
    return {
        "sessions": len(several),
        "first": interval(scaled["first"].to_numpy(), draws, seed, "first"),
        "named": interval(scaled["named"].to_numpy(), draws, seed, "named"),
        "order": interval(
            np.array([one for one in orders if one is not None]),
            draws,
            seed,
            "order",
            lowest=-1.0,
        ),
    }


def _agreement(answered: pl.DataFrame, draws: int, seed: int) -> Card | None:
    """Return the mean rank-biased overlap of a session's repeated answers."""
    known = answered["agreement"].drop_nulls().to_numpy()
    found = interval(known, draws, seed, "agreement")
    return {"sessions": len(known), "overlap": found} if found else None


def _cost(answered: pl.DataFrame) -> Card:
    """Return what the answers took, further tries included."""
    usable = int((answered["outcome"] == "usable").sum())
    dollars = float(answered["cost_usd"].sum())
    return {
        "answers": int(answered["answers"].sum()),
        "prompt_tokens": int(answered["prompt_tokens"].sum()),
        "completion_tokens": int(answered["completion_tokens"].sum()),
        "usd": dollars,
        "usd_per_label": dollars / len(answered) if len(answered) else None,
        "usd_per_useful_label": dollars / usable if usable else None,
    }


def _share(flags: pl.Series) -> float | None:
    known = flags.drop_nulls()
    return float(known.sum()) / len(known) if len(known) else None


def _mean(numbers: pl.Series) -> float | None:
    return float(numbers.sum()) / len(numbers) if len(numbers) else None


def _rounded(value: Any) -> Any:
    """Return the value with floats of few decimals: the file is in Git."""
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, DECIMALS) if isinstance(value, float) else value
