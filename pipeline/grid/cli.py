"""The commands `distilrec grid ...`: run a grid, tell how far it is, show what came out. No logic.

Each command imports what it needs inside, so that ``--help`` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

grid = typer.Typer(
    help="Many models: rivals, selections, controls and studies.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Workers = Annotated[
    int | None, typer.Option(help="Processes, each with one thread; else one a core.", min=1)
]
Hours = Annotated[
    float,
    typer.Option(help="Bound of the plan; above it seeds, then methods, are left out.", min=0.01),
]
Models = Annotated[
    Path | None,
    typer.Option(help="Take over models and difficulty tables from this project's folder."),
]
Again = Annotated[bool, typer.Option("--again", help="Make again what other code has made.")]
Plan = Annotated[bool, typer.Option("--plan", help="Print units and hours, and stop.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only this; repeatable.")]
Backbones = Annotated[list[str] | None, typer.Option("--backbone", help="Only this; repeatable.")]
Recipes = Annotated[list[str] | None, typer.Option("--recipe", help="Only this; repeatable.")]
Studies = Annotated[list[str] | None, typer.Option("--study", help="Only this; repeatable.")]
Seeds = Annotated[int | None, typer.Option(help="Only the first so many.", min=1)]
GridName = Annotated[str, typer.Argument(help="paper or quick.")]
OneDataset = Annotated[str | None, typer.Option("--dataset", help="Else the first of the run.")]


@grid.command("paper")
def _paper(
    hours: Hours = 15.0,
    workers: Workers = None,
    models: Models = None,
    again: Again = False,
    plan: Plan = False,
    dataset: Datasets = None,
    backbone: Backbones = None,
    recipe: Recipes = None,
    study: Studies = None,
    seeds: Seeds = None,
) -> None:
    """The published datasets and rankings, with every method.

    Rivals, controls, selections and studies. Can be stopped at any time; what is finished is
    never made again.
    """
    from pipeline.grid.prepare import Asked  # noqa: PLC0415

    asked = Asked(
        tuple(dataset or ()), tuple(backbone or ()), tuple(recipe or ()), tuple(study or ()), seeds
    )
    _run("paper", hours, workers, models, again, plan, asked)


@grid.command("quick")
def _quick(
    dataset: OneDataset = None,
    hours: Hours = 15.0,
    workers: Workers = None,
    models: Models = None,
    again: Again = False,
    plan: Plan = False,
    study: Studies = None,
    seeds: Seeds = None,
) -> None:
    """One dataset, fpmc, few seeds, main methods: some minutes."""
    from pipeline.grid.prepare import Asked  # noqa: PLC0415

    datasets = (dataset,) if dataset else ()
    asked = Asked(datasets=datasets, studies=tuple(study or ()), seeds=seeds)
    _run("quick", hours, workers, models, again, plan, asked)


@grid.command("status")
def _status(name: GridName, dataset: OneDataset = None) -> None:
    """Tell how far a grid is, what failed, what other code made."""
    from pipeline.grid import show  # noqa: PLC0415
    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    paths = Paths(Path())
    show.status(name, read_params(paths.params), paths, dataset)


@grid.command("figures")
def _figures(name: GridName, dataset: OneDataset = None) -> None:
    """Write the figures of what is finished, while it runs too."""
    from pipeline.grid import show  # noqa: PLC0415
    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    paths = Paths(Path())
    show.write(name, read_params(paths.params), paths, dataset)


@grid.command("show")
def _show(
    name: GridName,
    study: Annotated[str, typer.Option(help="table, dimensions, labels, ...")] = "table",
    than: Annotated[str, typer.Option(help="The method to compare with.")] = "student",
    dataset: Datasets = None,
    backbone: Backbones = None,
    recipe: Recipes = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Print a grid's figures and what may be said of them."""
    from pipeline.grid import tables  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    only = (tuple(names or ()) for names in (dataset, backbone, recipe))
    choice = tables.Choice(study, than, *only)
    tables.show(name, choice, Paths(Path()), as_json=as_json)


def _run(
    name: str,
    hours: float,
    workers: int | None,
    models: Path | None,
    again: bool,
    plan: bool,
    asked: object,
) -> None:
    from pipeline import console  # noqa: PLC0415
    from pipeline.errors import DataError  # noqa: PLC0415
    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    paths = Paths(Path())
    params = read_params(paths.params)  # before torch is loaded
    from pipeline.grid import running  # noqa: PLC0415

    options = running.Options(hours, workers, models, again, plan, asked)  # type: ignore[arg-type]
    try:
        failed = running.run(name, params, paths, options)
    except KeyboardInterrupt:
        console.note(f"stopped; what is finished stays: `distilrec grid {name}` goes on")
        raise typer.Exit(130) from None
    except OSError as error:  # the disk is full, a folder is a file, ...
        raise DataError(f"{error}; what is finished stays, run the grid again") from error
    if failed:
        raise typer.Exit(1)
