"""Commands, one a stage in the data's order, and those that read what the stages made. No logic.

Each command imports what it needs inside, so that ``--help`` answers without loading torch.
"""

import atexit
import gc
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated

import typer

from pipeline.grid.cli import grid
from pipeline.labelling.cli import DatasetName, labels
from pipeline.project import named

app = typer.Typer(
    name="distilrec",
    help="Distil what an LLM knows about your items into a recommender small enough for a phone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

STAGES = "Stages, in the data's order (`dvc repro` runs them)"
RESULTS = "What came out"
BackboneName = Annotated[str, typer.Argument(help="fpmc, stamp, attenmixer, gru4rec or sasrec.")]
RecipeName = Annotated[str, typer.Argument(help="A name below `training.recipes`.")]
Seed = Annotated[int, typer.Argument(help="A whole number.", min=0)]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"distilrec {metadata.version('distilrec')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _run(stage: str, *cell: str | int) -> None:
    """Run one stage on a dataset, a cell or nothing, and print its counts in one line."""
    from pipeline import console  # noqa: PLC0415
    from pipeline.evaluation import seconds  # noqa: PLC0415
    from pipeline.paths import Cell  # noqa: PLC0415
    from pipeline.recommenders import distributed  # noqa: PLC0415

    distributed.refuse_team(stage)
    params, paths = named(*cell, made=stage not in ("teacher", "student"))
    run = import_module(f"pipeline.stages.{stage}").run
    started = time.perf_counter()
    if len(cell) == 4:
        counts = run(params, paths, Cell(str(cell[0]), str(cell[1]), str(cell[2]), int(cell[3])))
    else:
        counts = run(params, paths, *cell)
    if not distributed.started().first:
        return
    seconds.write(paths, stage, cell, time.perf_counter() - started)
    console.summary(" ".join([stage, *map(str, cell)]), counts)


def _dataset_stage(name: str, help_text: str) -> None:
    @app.command(name, help=help_text, rich_help_panel=STAGES)
    def stage(dataset: DatasetName) -> None:
        _run(name, dataset)


def _cell_stage(name: str, help_text: str) -> None:
    @app.command(name, help=help_text, rich_help_panel=STAGES)
    def stage(dataset: DatasetName, backbone: BackboneName, recipe: RecipeName, seed: Seed) -> None:
        _run(name, dataset, backbone, recipe, seed)


_dataset_stage("fetch", "Take the raw files from a folder, or download them.")
_dataset_stage("sessions", "Turn raw logs into sessions, a catalogue and three parts.")
_dataset_stage("baselines", "Count popularity and item co-occurrence.")
_cell_stage("teacher", "Train the conventional teacher.")
_cell_stage("student", "Train the small student.")
_cell_stage("difficulty", "Rank candidates and score how hard each training session is.")
_cell_stage("select", "Choose the sessions worth a prompt.")
_dataset_stage("hints", "Summarise each teacher's habits for the prompts (can cost).")
_dataset_stage("label", "Have the LLM rank the chosen sessions' candidates (can cost).")
_cell_stage("labelled", "Read rankings from the raw answers (free).")
_cell_stage("distill", "Fine-tune the student on the rankings; a control without them.")
_cell_stage("hybrid", "Put counts, titles and the student into one model.")
_cell_stage("evaluate", "Rank the test targets with every model.")


@app.command("report", help="Write reports/index.html.", rich_help_panel=STAGES)
def _report() -> None:
    _run("report")


@app.command("results", rich_help_panel=RESULTS)
def _results(
    as_json: Annotated[bool, typer.Option("--json", help="Rows of figures as JSON.")] = False,
) -> None:
    """Print the results table of the cells in `run`."""
    from pipeline.evaluation.show import show  # noqa: PLC0415
    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    paths = Paths(Path())
    show(paths, read_params(paths.params).run, as_json=as_json)


@app.command("recommend", rich_help_panel=RESULTS)
def _recommend(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DATASET BACKBONE RECIPE SEED] ITEM...",
            help="A cell (not with --from), then identifiers or titles, oldest first.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="distilled (without it), student, teacher, control, itemknn, popularity, ..."
        ),
    ] = None,
    exported: Annotated[
        Path | None,
        typer.Option("--from", help="A folder of `distilrec export`, in place of a cell."),
    ] = None,
    top: Annotated[int, typer.Option(help="How many items.", min=1)] = 10,
    catalog: Annotated[
        Path | None, typer.Option(help="Recommend from this file alone (item_id, title).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Recommend items after a session typed here."""
    if exported is not None:
        if model is not None:
            raise typer.BadParameter("--model names one of a cell's models; --from has one")
        from pipeline.export import runtime  # noqa: PLC0415 - loads no torch

        answer = runtime.ask(exported, words, top, catalog)
    else:
        cell, items = _cell_and_items(words)
        _, paths = named(*cell)  # before torch is loaded
        from pipeline.paths import Cell  # noqa: PLC0415
        from pipeline.recommenders import recommend  # noqa: PLC0415

        asked = model or "distilled"
        answer = recommend.ask(paths, Cell(*cell), asked, items, top, catalog)
    from pipeline.recommenders import answers  # noqa: PLC0415

    answers.show(answer, as_json=as_json)


def _cell_and_items(words: list[str]) -> tuple[tuple[str, str, str, int], list[str]]:
    """Return the cell that the first four words name, and the items after it."""
    if len(words) < 5:
        raise typer.BadParameter("give DATASET BACKBONE RECIPE SEED and at least one item")
    dataset, backbone, recipe, seed = words[:4]
    if not seed.isdecimal():
        raise typer.BadParameter(f"SEED: '{seed}' is not a whole number from 0")
    return (dataset, backbone, recipe, int(seed)), words[4:]


@app.command("export", rich_help_panel=RESULTS)
def _export(
    dataset: DatasetName,
    backbone: BackboneName,
    recipe: RecipeName,
    seed: Seed,
    model: Annotated[
        str, typer.Option(help="distilled, student, teacher or control.")
    ] = "distilled",
    to: Annotated[
        Path | None, typer.Option(help="A new or empty folder; models/exported/... without it.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Item tables in a byte a number.")] = False,
) -> None:
    """Write a model as an ONNX folder for a phone or a server.

    Needs the extra `serve`.
    """
    params, paths = named(dataset, backbone, recipe, seed)  # before torch is loaded
    from pipeline import console  # noqa: PLC0415
    from pipeline.export import exporting  # noqa: PLC0415
    from pipeline.paths import Cell  # noqa: PLC0415

    cell = Cell(dataset, backbone, recipe, seed)
    written = exporting.run(params, paths, cell, model, to, int8=int8)
    console.summary(f"export {cell.folder} {model}", written)


app.add_typer(labels, name="labels", rich_help_panel=RESULTS)
app.add_typer(grid, name="grid", rich_help_panel=RESULTS)


def main() -> None:
    """Run the command line; a user's error is one line and its exit status, which is mostly 1."""
    from pipeline.console import plain  # noqa: PLC0415
    from pipeline.errors import PipelineError  # noqa: PLC0415

    atexit.register(gc.freeze)  # else the last collection goes through all of torch: half a second
    try:
        app()
    except PipelineError as error:
        typer.echo(f"error: {plain(str(error))}", err=True)
        sys.exit(error.status)
