"""A grid's figures as tables of a terminal, 80 columns wide."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from pipeline import console
from pipeline.errors import ParamsError
from pipeline.evaluation.comparisons import alike
from pipeline.grid import figures
from pipeline.grid.prepare import named
from pipeline.paths import Paths

VERDICTS = {"more": "more", "less": "less", "not enough data to tell": "not told"}
REVERSED = {"more": "less", "less": "more"}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """What is printed: of a study, and only of the datasets, backbones and recipes named."""

    study: str = "table"
    than: str = "student"
    """The method that the others are compared with."""
    datasets: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()

    def of(self, models: list[Row]) -> list[Row]:
        """Return the models to be printed; those that count stand beside every backbone.

        Raises:
            ParamsError: there is none of a name that is asked for.
        """
        whole = ["these figures"]
        wanted = {
            "dataset": self.datasets,
            "study": (self.study,),
            "backbone": self.backbones,
            "recipe": self.recipes,
        }
        for key, asked in wanted.items():
            known = sorted({model[key] for model in models if model[key]})
            for name in asked:
                if name not in known:
                    raise ParamsError(
                        f"'{name}' is not a {key} of {', '.join(whole)}: {', '.join(known)}"
                    )
            models = [one for one in models if not asked or one[key] in {"", *asked}]
            whole += asked
        return models


def show(name: str, choice: Choice, project: Paths, *, as_json: bool) -> None:
    """Print a study's models, dataset by dataset.

    Args:
        name: of the grid.
        choice: what to print.
        project: where its figures are.
        as_json: print all its figures instead.

    Raises:
        DataError: the grid has no figures.
        ParamsError: it has none of that choice, or none compared with that method.
    """
    content = figures.read(project, named(name))
    if as_json:
        console.out.print(console.json_text(content), markup=False)
        return
    models = choice.of(
        [
            {**model, "dataset": dataset}
            for dataset, found in content["datasets"].items()
            for model in found["models"]
        ]
    )
    compared = compared_with(content, choice.study, {_place(one) for one in models})
    if choice.than not in compared:
        raise ParamsError(
            f"'{choice.than}' is compared with nothing in the study '{choice.study}' here: "
            f"{', '.join(compared)}"
        )
    for dataset, rows in groupby(models, itemgetter("dataset")):
        _show_dataset(dataset, list(rows), choice.than, content["datasets"][dataset])
    _say(content)


Place = tuple[str, str, str]
"""Dataset, backbone and recipe."""


def compared_with(content: Mapping[str, Any], study: str, places: Collection[Place]) -> list[str]:
    """Return the methods that others of a study are compared with in some places, by name."""
    rows = [
        {**row, "dataset": dataset}
        for dataset, one in content["datasets"].items()
        for row in one["comparisons"]
    ]
    here = [row for row in rows if row["study"] == study and _place(row) in places]
    return sorted({row[side] for row in here for side in ("ours", "theirs")})


def _place(row: Row) -> Place:
    return row["dataset"], row["backbone"], row["recipe"]


def _show_dataset(dataset: str, models: list[Row], than: str, found: Mapping[str, Any]) -> None:
    cells = dict.fromkeys((one["backbone"], one["recipe"]) for one in models)
    for backbone, recipe in cells:
        rows = [one for one in models if (one["backbone"], one["recipe"]) == (backbone, recipe)]
        words = " ".join(filter(None, (dataset, backbone or "counting", recipe)))
        console.table(
            ("method", "seeds", "R@10", "+-", "N@10", "+-", f"than {than}"),
            [_row(one, found["comparisons"], than) for one in rows],
            title=f"{words} ({found['sessions']['test']:,} test sessions)",
        )


def _row(model: Row, comparisons: list[Row], than: str) -> tuple[str, ...]:
    method = " ".join([model["method"], *settings_of(model)])
    numbers = [
        text for metric in ("recall@10", "ndcg@10") for text in figure_of(model["metrics"][metric])
    ]
    return method, seeds_of(model), *numbers, next(_verdicts(model, comparisons, than), "")


def settings_of(model: Row) -> list[str]:
    """Return what a study varied, each in words."""
    return [
        f"{name} {value if isinstance(value, str) else f'{value:g}'}"
        for name, value in model["setting"].items()
    ]


def seeds_of(model: Row) -> str:
    """Return how many seeds a model has, and draws under each if several; '' where it counts."""
    if not model["backbone"]:
        return ""
    return str(model["seeds"]) + (f"x{model['draws']}" if model["draws"] > 1 else "")


def figure_of(metric: Mapping[str, float | None]) -> tuple[str, str]:
    """Return a mean and half of its 95 % interval, '' where there is none."""
    low, high = metric["low"], metric["high"]
    half = "" if low is None or high is None else short((high - low) / 2)
    return short(metric["mean"] or 0.0), half


def short(value: float) -> str:
    """Return a share with four places and no leading zero."""
    return f"{value:.4f}".removeprefix("0")


def _verdicts(model: Row, comparisons: list[Row], than: str) -> Iterator[str]:
    """Yield what may be said of a model's NDCG@10 against another method's."""
    same = ("study", "backbone", "recipe", "setting")
    method, setting = model["method"], model["setting"]
    for one in comparisons:
        if one["metric"] != "ndcg@10" or any(one[key] != model[key] for key in same):
            continue
        verdict, difference = str(one["verdict"]), one["difference"]
        if (one["ours"], one["theirs"]) == (method, than):
            yield "the same" if alike(one) else f"{VERDICTS[verdict]} {difference:+.4f}"
        elif (one["ours"], one["theirs"], one["their_setting"]) == (than, method, setting):
            told = f"{VERDICTS[REVERSED.get(verdict, verdict)]} {0 - difference:+.4f}"  # no -0
            yield "the same" if alike(one) else told


def _say(content: Mapping[str, Any]) -> None:
    """Print what the figures are of."""
    finished = f"{content['finished']:,} of {content['planned']:,} models"
    whole = "complete" + (" as cut" if content["cut"] else "")
    if content["finished"] < content["planned"]:
        whole = "not complete"
    console.note(f"{content['grid']}: {whole}, {finished}")
    console.note("+- is half of the 95 % interval over seeds and sessions. Than: of NDCG@10, after")
    console.note("Holm's correction. Not told: not enough data to tell; the same: on every")
    console.note("session; empty: not compared here")
    if content["cut"]:
        console.note(content["cut"])
