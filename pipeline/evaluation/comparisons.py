"""Which runs are compared, and what is said of each pair.

A family is everything compared in one study of one dataset: all backbones, recipes, settings,
pairs and both metrics. Its p values are corrected together (`multiple.holm`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import seeds
from pipeline.evaluation import signs, two_level
from pipeline.evaluation.metrics import Values
from pipeline.evaluation.multiple import holm
from pipeline.evaluation.power import needed
from pipeline.evaluation.runs import COUNTING, Arm, common_seeds

METRICS = ("ndcg@10", "recall@10")
SIGNIFICANT = 0.05
DRAWS_A_COMPARISON = 1_000
"""Random signs for each comparison of the family: 50 of them are below Holm's smallest bound."""
ROUGH_DRAWS = 10_000
"""Random signs at first: they show a p well above .05 as such, to a hundredth."""

ORDERED = ("exact", "paper_corrected", "rad_bc")
SELECTIONS = (*ORDERED, "random", "hardest", "easiest", *(f"{one}_easy_first" for one in ORDERED))
LISTS = ("llm_shuffled", "label_only", "teacher_order")
RIVALS = ("de", "ftd", "htd", "unkd", "dsl", "dllm2rec", "teacher_ranking")
WITHOUT_LIST = ("no_list", "control")
OF_A_DRAW = ("exact", "no_list", *LISTS, "dllm2rec", "exact_tuned")
"""Taught on the sessions of a draw of `exact`, or for as many steps as it took."""
OWN = ("student", "teacher", "hybrid", "exact", "distilled")
"""Compared with counting."""

AGAINST: dict[str, tuple[str, ...]] = {
    "popularity": (),
    "itemknn": (),
    "student": COUNTING[1:],
    **dict.fromkeys(("teacher", "hybrid"), ("student", *COUNTING[1:])),
    "itemknn_titles": ("itemknn",),
    **dict.fromkeys(WITHOUT_LIST, ("student",)),
    "random": ("student", *WITHOUT_LIST),
    **dict.fromkeys((*SELECTIONS[1:3], *SELECTIONS[4:]), ("student", *WITHOUT_LIST, "random")),
    **dict.fromkeys(LISTS, ("student", *WITHOUT_LIST, "random")),
    **dict.fromkeys(("exact", "distilled"), ("student", *COUNTING[1:], *WITHOUT_LIST)),
    **dict.fromkeys(RIVALS, ("student", "exact")),
    "exact_tuned": ("student", "exact", "teacher_ranking"),
}
AGAINST["exact"] += (*SELECTIONS[1:], *LISTS)
"""What a method is compared with, where that was run under the same backbone and recipe."""

OF_THE_SAME = ("shares", "counts", "correctness", "bytes")
"""Studies in which a setting is also compared with the same method without one."""
LENT: dict[str, tuple[str, ...]] = {
    "dimensions": COUNTING,
    "bytes": COUNTING,
    "labels": ("student", *WITHOUT_LIST),
    **dict.fromkeys(OF_THE_SAME[:3], ("student", *WITHOUT_LIST, "random")),
}
"""Methods that a study may take without a setting, its own first, then those of `table`: those on
which what it varies has no bearing."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two arms that are compared."""

    ours: Arm
    theirs: Arm

    @property
    def names(self) -> tuple[str, ...]:
        """What tells this pair from the others of a dataset."""
        return tuple(
            str(word)
            for of in (self.ours, self.theirs)
            for word in (of.study, *of.cell, of.method, *sorted(of.setting.items()))
        )

    def differences(self, metric: str) -> Values:
        """Return ours less theirs in each session under each common seed.  # R S."""
        common = common_seeds(self.ours, self.theirs)
        return self.ours.values(metric, common) - self.theirs.values(metric, common)


def pairs(arms: Sequence[Arm]) -> Iterator[Pair]:
    """Yield the pairs with a common seed, in the order of the arms."""
    for ours in arms:
        for theirs in _references(arms, ours):
            pair = None if theirs is None else _pair(ours, theirs)
            if pair is not None and common_seeds(pair.ours, pair.theirs):
                yield pair


def _pair(ours: Arm, theirs: Arm) -> Pair | None:
    """Return two arms; where a draw decides both, each with the draws that both have."""
    if not {ours.method, theirs.method} <= {*OF_A_DRAW}:
        return Pair(ours, theirs)
    common = {(run.seed, run.draw) for run in ours.runs}
    common &= {(run.seed, run.draw) for run in theirs.runs}
    both = ours.only(common), theirs.only(common)
    return None if both[0] is None or both[1] is None else Pair(both[0], both[1])


def _references(arms: Sequence[Arm], ours: Arm) -> Iterator[Arm | None]:
    """Yield the arms to compare one with, none for each method that is not there."""
    for method in AGAINST.get(ours.method, ("student", "exact")):
        there = _of_method(arms, ours, method)
        alike = [one for one in there if one.study == ours.study and one.setting == ours.setting]
        if alike or method in LENT.get(ours.study, ()):
            yield next(iter(alike), _bare(there, ours))
    if ours.study in OF_THE_SAME and ours.setting:
        there = _of_method(arms, ours, ours.method)
        own = _unpacked(there, ours) if ours.study == "bytes" else _bare(there, ours)
        yield None if own is None or _same(ours, own) else own


def _of_method(arms: Sequence[Arm], ours: Arm, method: str) -> list[Arm]:
    """Return the arms of a method under the same backbone and recipe, or under none."""
    cells = [("", ""), ours.cell] if method in COUNTING else [ours.cell]
    return [one for one in arms if one.method == method and one.cell in cells]


def _same(ours: Arm, theirs: Arm) -> bool:
    """Return whether both are the same models: a study may vary what it varies to its own value."""
    both = [
        {(run.seed, run.draw, run.bytes, run.seconds): run.ranks for run in arm.runs}
        for arm in (ours, theirs)
    ]
    common = both[0].keys() & both[1].keys()
    return bool(common) and all(np.array_equal(both[0][key], both[1][key]) for key in common)


def _bare(there: Sequence[Arm], ours: Arm) -> Arm | None:
    """Return the arm without a setting: of the same study, else of `table`."""
    bare = [one for one in there if not one.setting and one.study in (ours.study, "table")]
    return min(bare, key=lambda one: one.study != ours.study, default=None)


def _unpacked(there: Sequence[Arm], ours: Arm) -> Arm | None:
    """Return the arm of the same width that is stored whole, that of `table` first."""
    whole = [
        one
        for one in there
        if one.study in ("table", "dimensions")
        and one.setting.keys() <= {"dimension"}
        and one.runs[0].dimension == ours.runs[0].dimension
    ]
    return min(whole, key=lambda one: one.study != "table", default=None)


def compared(arms: Sequence[Arm], draws: int, dataset: str) -> list[dict[str, Any]]:
    """Return a row for each pair and metric, corrected over the pairs of its study.

    Args:
        arms: of one dataset.
        draws: resampled means of an interval.
        dataset: its name, from which the draws are derived.
    """
    studies: dict[str, list[Pair]] = {}
    for pair in pairs(arms):
        studies.setdefault(pair.ours.study, []).append(pair)
    return [row for of in studies.values() for row in _family(of, draws, dataset)]


def _family(family: Sequence[Pair], draws: int, dataset: str) -> list[dict[str, Any]]:
    asked = [(pair, metric) for pair in family for metric in METRICS]
    differences = [pair.differences(metric) for pair, metric in asked]
    estimates = two_level.estimates(differences, draws, "evidence", dataset)
    drawn = DRAWS_A_COMPARISON * len(asked)
    rows = [
        _row(pair, metric, of, estimate, drawn, dataset)
        for (pair, metric), of, estimate in zip(asked, differences, estimates, strict=True)
    ]
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row |= {"holm": float(corrected), "verdict": verdict(row["difference"], corrected)}
    return rows


def _row(
    pair: Pair, metric: str, of: Values, estimate: two_level.Estimate, drawn: int, dataset: str
) -> dict[str, Any]:
    mean_of_seeds = of.mean(axis=0)  # S
    generator = seeds.generator(0, "evidence", dataset, "signs", *pair.names, metric)
    over_sessions = _over_sessions(mean_of_seeds, drawn, generator)
    over_seeds = estimate.p if len(of) > 1 else None
    more = needed(of)
    backbone, recipe = pair.ours.cell
    return {
        "study": pair.ours.study,
        "backbone": backbone,
        "recipe": recipe,
        "setting": dict(pair.ours.setting),
        "ours": pair.ours.method,
        "theirs": pair.theirs.method,
        "their_setting": dict(pair.theirs.setting),
        "metric": metric,
        "seeds": len(of),
        "draws": [pair.ours.draws, pair.theirs.draws],
        "difference": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "p_sessions": over_sessions,
        "p_seeds": over_seeds,
        "p": max(over_sessions, over_seeds or 0.0),
        "effect": effect(mean_of_seeds),
        "lift": _lift(estimate.mean, pair, metric),
        "sessions_needed": more.sessions,
        "seeds_needed": more.seeds,
    }


def _over_sessions(differences: Values, drawn: int, generator: np.random.Generator) -> float:
    """Return the test's p; with fewer draws where it is far from small.  # S."""
    rough = signs.randomisation(differences, min(drawn, ROUGH_DRAWS), generator)
    if rough > 2 * SIGNIFICANT:
        return rough
    return signs.randomisation(differences, drawn, generator)


def effect(differences: Values) -> float | None:
    """Return d_z, the mean of paired differences in units of their deviation over sessions.

    None: all are equal, or there is one.  # S
    """
    sd = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return float(differences.mean()) / sd if sd > 0 else None


def verdict(difference: float, corrected: float) -> str:
    """Return what may be said of ours against theirs: more, less, or that it cannot be told."""
    if corrected > SIGNIFICANT or difference == 0:
        return "not enough data to tell"
    return "more" if difference > 0 else "less"


def alike(row: Mapping[str, Any]) -> bool:
    """Return whether both of a comparison have the same result on every session."""
    return bool(row["difference"] == row["low"] == row["high"] == 0)


def _lift(difference: float, pair: Pair, metric: str) -> float | None:
    """Return the difference as a share of theirs; none where theirs is 0."""
    common = common_seeds(pair.ours, pair.theirs)
    theirs = float(np.mean(pair.theirs.values(metric, common)))
    return difference / theirs if theirs else None
