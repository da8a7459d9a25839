"""Who is better than whom: differences with intervals, and whether the data can tell."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from pipeline.evaluation.answers import answers, backbone_of
from pipeline.evaluation.comparisons import alike
from pipeline.report.groups import metric_name
from pipeline.report.names import setting_words
from pipeline.report.sources import Figures, Sources

STUDIES = {
    "table": "main comparison",
    "dimensions": "numbers an item",
    "labels": "number of labels",
    "shares": "assumed shares",
    "counts": "assumed numbers of answers",
    "correctness": "correct answers",
    "bytes": "stored forms",
}
CERTAIN = ("more", "less")
SAME = "the same on every session"
MAIN = "ndcg@10"
ADDED_TO = ("student", "no_list", "random", "llm_shuffled")
"""Beside which the rankings are judged: no ranking, as many steps, any sessions, any order."""


@dataclass(frozen=True)
class Line:
    """One comparison, each figure in words."""

    who: str
    metric: str
    difference: str
    interval: str
    lift: str
    p: str
    holm: str
    effect: str
    needed: str
    verdict: str
    kind: str
    """Class of the verdict: more, less or open."""


@dataclass(frozen=True)
class Comparisons:
    """The comparisons of one dataset, study, backbone and recipe."""

    name: str
    counts: str
    lines: list[Line]


def comparisons(sources: Sources) -> list[Comparisons]:
    """Return the comparisons that grids have made, in their order."""
    found: dict[str, list[Figures]] = defaultdict(list)
    for grid, figures in sources.grids.items():
        for dataset, of in figures["datasets"].items():
            for one in of["comparisons"]:
                place = sources.place(dataset, one)
                found[f"{place}: {STUDIES.get(one['study'], one['study'])} (grid {grid})"].append(
                    one
                )
    lines = {name: [_line(one) for one in of] for name, of in found.items()}
    return [Comparisons(name, _counts(of), of) for name, of in lines.items()]


def questions(sources: Sources) -> list[tuple[str, list[str]]]:
    """Return, by dataset, the sentences that answer what the project is for."""
    return [
        (f"{sources.named(dataset)} · {backbone_of(of)} (grid {grid})", [one.text for one in found])
        for grid, figures in sources.grids.items()
        for dataset, of in figures["datasets"].items()
        if (found := answers(of, "rankings"))
    ]


def headlines(sources: Sources) -> list[tuple[str, list[Line]]]:
    """Return, by place, what rankings of the sessions of ``exact`` add, and to what."""
    found: dict[str, list[Line]] = defaultdict(list)
    for grid, figures in sources.grids.items():
        for dataset, of in figures["datasets"].items():
            for one in of["comparisons"]:
                asked = (one["study"], one["ours"], one["metric"]) == ("table", "exact", MAIN)
                if asked and one["theirs"] in ADDED_TO:
                    found[f"{sources.place(dataset, one)} (grid {grid})"].append(_line(one))
    return list(found.items())


def _counts(of: list[Line]) -> str:
    counts = Counter(one.verdict for one in of)
    certain = ", ".join(f"{counts.pop(one, 0)} {one}" for one in CERTAIN)
    return ", ".join([certain, *(f"{count} {one}" for one, count in sorted(counts.items()))])


def _line(one: Figures) -> Line:
    lift, needed = one["lift"], one["sessions_needed"]
    ours, theirs = (
        _called(one["ours"], one["setting"]),
        _called(one["theirs"], one["their_setting"]),
    )
    return Line(
        who=f"{ours} − {theirs}",  # noqa: RUF001 - a minus sign
        metric=metric_name(one["metric"]),
        difference=f"{one['difference']:+.4f}",
        interval=f"{one['low']:+.4f} to {one['high']:+.4f}",
        lift="" if lift is None else f"{100 * lift:+.0f} %",
        p=probability(one["p"]),
        holm=probability(one["holm"]),
        effect="" if one["effect"] is None else f"{one['effect']:+.2f}",
        needed="" if needed is None else f"{needed:,}",
        verdict=SAME if alike(one) else one["verdict"],
        kind=one["verdict"] if one["verdict"] in CERTAIN else "open",
    )


def _called(method: str, setting: dict[str, float | str]) -> str:
    words = ", ".join(setting_words(setting))
    return f"{method} ({words})" if words else method


def probability(p: float) -> str:
    """Return a probability with as many digits as one can use."""
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")
