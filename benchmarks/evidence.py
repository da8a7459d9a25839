"""The tables of ``docs/evidence.md``, made from the figures of `distilrec grid paper`.

python -m benchmarks.evidence

The page says which tables it wants, each by a mark of words, and its end:

    <!-- grid: table hetrec2011-ml fpmc -->     methods beside the student, both recipes
    <!-- grid: exact hetrec2011-ml fpmc -->     `exact` minus all that is compared with it
    <!-- grid: labels hetrec2011-ml fpmc -->    any study: NDCG@10 by its settings
    <!-- grid: table hetrec2011-ml counting -->   what no backbone is in
    <!-- grid: answers hetrec2011-ml fpmc -->   the three sentences
    <!-- end of grid -->
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.evaluation.answers import answers, backbone_of
from pipeline.grid.tables import figure_of, seeds_of, settings_of
from pipeline.paths import Paths

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/evidence.md"
MARKED = re.compile(r"(<!-- grid: (.+?) -->\n).*?(<!-- end of grid -->)", re.DOTALL)
RECIPES = ("published", "strong")
METRIC = "ndcg@10"
Row = Mapping[str, Any]
Differences = dict[tuple[str, str, str], str]
"""By our method, theirs, and the recipe."""


def updated(text: str, content: Mapping[str, Any]) -> str:
    """Return a page with what stands between its marks made anew.

    Args:
        text: of the page.
        content: of a grid's ``figures.json``.

    Raises:
        ValueError: a mark asks for what the figures do not have.
    """

    def replaced(mark: re.Match[str]) -> str:
        kind, dataset, of = mark[2].split()
        found, backbone = content["datasets"][dataset], "" if of == "counting" else of
        if kind == "answers":
            there = answers(found) if backbone_of(found) == backbone else []
            said = [f"- {one.text}" for one in there]
            if not said:
                raise ValueError(f"{mark[2]}: the grid has no figures of it")
            return "\n".join([mark[1].rstrip(), *said, mark[3]])
        makers = {"table": methods if backbone else counting, "exact": exact}
        rows = makers[kind](found, backbone) if kind in makers else study(found, backbone, kind)
        if len(rows) == 1:
            raise ValueError(f"{mark[2]}: the grid has no figures of it")
        return mark[1] + markdown(rows) + "\n" + mark[3]

    return MARKED.sub(replaced, text)


def counting(found: Mapping[str, Any], backbone: str) -> list[list[str]]:
    """Return the rows of the models that count."""
    rows = [["model", "R@10", "N@10", "kB"]]
    for one in found["models"]:
        if is_of(one, "table", backbone):
            figures = (with_half(one["metrics"][metric]) for metric in ("recall@10", METRIC))
            rows.append([one["method"], *figures, f"{one['bytes'] / 1000:,.0f}"])
    return rows


def methods(found: Mapping[str, Any], backbone: str) -> list[list[str]]:
    """Return the rows of a backbone's methods, their difference to the student beside them."""
    head = [f"{one} {what}" for one in RECIPES for what in ("R@10", "N@10", "minus student")]
    rows, told = [["method", "seeds", *head]], differences(found, backbone)
    models = [one for one in found["models"] if is_of(one, "table", backbone)]
    for method in dict.fromkeys(one["method"] for one in models):
        same = {one["recipe"]: one for one in models if one["method"] == method}
        cells = [cell for recipe in RECIPES for cell in _shown(same.get(recipe), told)]
        seeds = _seeds(same[one] for one in RECIPES if one in same)
        rows.append([method, seeds, *cells])
    return rows


def _shown(model: Row | None, told: Differences) -> list[str]:
    if model is None:
        return ["", "", ""]
    figures = [with_half(model["metrics"][metric]) for metric in ("recall@10", METRIC)]
    return [*figures, told.get((model["method"], "student", model["recipe"]), "")]


def exact(found: Mapping[str, Any], backbone: str) -> list[list[str]]:
    """Return the rows of what is compared with `exact`, and by how much `exact` is better."""
    told = differences(found, backbone)
    others = dict.fromkeys(theirs for ours, theirs, _ in told if ours == "exact")
    return [
        ["exact minus", *(f"{one} N@10" for one in RECIPES)],
        *([one, *(told.get(("exact", one, recipe), "") for recipe in RECIPES)] for one in others),
    ]


def differences(found: Mapping[str, Any], backbone: str) -> Differences:
    """Return the main table's differences with their intervals, in bold if they may be called so.

    Each is there from both sides: rivals are compared with `exact`, and `exact` with selections.
    """
    told: Differences = {}
    for one in found["comparisons"]:
        if is_of(one, "table", backbone) and one["metric"] == METRIC:
            ours, theirs, recipe = one["ours"], one["theirs"], one["recipe"]
            for sign, pair in ((1, (ours, theirs)), (-1, (theirs, ours))):
                low, high = sorted((sign * one["low"], sign * one["high"]))
                text = f"{signed(sign * one['difference'])} ({signed(low)} to {signed(high)})"
                told[*pair, recipe] = text if one["verdict"].startswith("not") else f"**{text}**"
    return told


def study(found: Mapping[str, Any], backbone: str, name: str) -> list[list[str]]:
    """Return NDCG@10 of a study: a row a setting, a column a recipe and method."""
    models = [one for one in found["models"] if is_of(one, name, backbone)]
    columns = list(dict.fromkeys((one["recipe"], one["method"]) for one in models))
    rows = [[name, "seeds", *(f"{recipe} {method}".strip() for recipe, method in columns)]]
    for setting in dict.fromkeys(map(setting_of, models)):
        same = {(m["recipe"], m["method"]): m for m in models if setting_of(m) == setting}
        cells = [with_half(same[one]["metrics"][METRIC]) if one in same else "" for one in columns]
        rows.append([setting, _seeds(same.values()), *cells])
    return rows


def is_of(row: Row, name: str, backbone: str) -> bool:
    """Return whether a row of figures is of a study and a backbone."""
    return (row["study"], row["backbone"]) == (name, backbone)


def setting_of(model: Row) -> str:
    """Return what a study varied, in words."""
    return ", ".join(settings_of(model)).replace("_", " ")


def with_half(metric: Mapping[str, float | None]) -> str:
    """Return a mean and half of its 95 % interval."""
    return " ± ".join(filter(None, figure_of(metric)))


def signed(value: float) -> str:
    """Return a difference with its sign; no difference has no minus."""
    return f"{value + 0.0:+.4f}".replace("0.", ".", 1)


def _seeds(models: Iterable[Row]) -> str:
    """Return how many seeds and draws, of each model where they differ."""
    return " / ".join(dict.fromkeys(map(seeds_of, models)))


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first row is its head."""
    lines = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Put the figures of the grid `paper` into the page."""
    content = files.read_json(Paths(ROOT).grid_figures("paper"))
    files.write_bytes(PAGE, updated(PAGE.read_text(encoding="utf-8"), content).encode())


if __name__ == "__main__":
    main()
