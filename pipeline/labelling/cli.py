"""The commands `distilrec labels ...`: what is here, what it costs, what was answered. No logic.

Each command imports what it needs inside, so that ``--help`` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.project import named

DatasetName = Annotated[str, typer.Argument(help="A name below `dataset` in params.yaml.")]

labels = typer.Typer(
    help="Look at labels: what is here, what it costs, what was said. `pilot` alone buys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]


@labels.command("plan")
def _labels_plan(dataset: DatasetName, as_json: AsJson = False) -> None:
    """Tell what is here, what is missing, and its cost.

    Counts stores and journal, tokens, money and time at the limits; asks nobody.
    """
    from pipeline.labelling import display, planned  # noqa: PLC0415

    rows = planned.plan_rows(*named(dataset), dataset)
    display.show_rows(rows, "no store", as_json=as_json)


@labels.command("status")
def _labels_status(dataset: DatasetName, as_json: AsJson = False) -> None:
    """Tell what the stores hold, what it cost, and what failed."""
    from pipeline.labelling import display, overview  # noqa: PLC0415

    rows = overview.status_rows(*named(dataset), dataset)
    display.show_rows(rows, "no store", as_json=as_json)


@labels.command("show")
def _labels_show(
    dataset: DatasetName,
    session: Annotated[int, typer.Argument(help="A session_id.")],
    as_json: AsJson = False,
) -> None:
    """Show a session's prompt, answer and ranking, with titles."""
    from pipeline.labelling import display, overview  # noqa: PLC0415

    shown = overview.shown_labels(*named(dataset), dataset, session)
    display.show_labels(shown, as_json=as_json)


@labels.command("verify")
def _labels_verify(dataset: DatasetName, as_json: AsJson = False) -> None:
    """Check every part and every line of the journal.

    Exit status 1 if something is not whole.
    """
    from pipeline.labelling import display, overview  # noqa: PLC0415

    _, paths = named(dataset)
    rows = overview.verify_rows(paths, dataset)
    display.show_rows(rows, f"no parts of '{dataset}' are here", as_json=as_json)
    if any(row["state"] not in {"sound", "cut"} for row in rows):  # a crash cuts a last line
        raise typer.Exit(1)


@labels.command("journal")
def _labels_journal(
    clear: Annotated[bool, typer.Option("--clear", help="Delete its files.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --clear: also answers no store here has.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the journal's files, or clear them.

    They hold the paid answers of all projects of this user, outside the projects.
    """
    from pipeline.labelling import display, overview  # noqa: PLC0415
    from pipeline.labelling.stores.journal import Journal  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    if yes and not clear:
        raise typer.BadParameter("says more to --clear, and nothing alone", param_hint="--yes")
    rows = overview.journal_rows()
    display.show_rows(rows, f"{Journal.here().folder} holds no answers", as_json=as_json)
    if clear:
        deleted = overview.clear_journal(Paths(Path()), anyway=yes)
        typer.echo(
            f"deleted {deleted} {'file' if deleted == 1 else 'files'} of answers; the ledger was "
            "kept, so what was spent still counts",
            err=True,
        )


@labels.command("merge")
def _labels_merge(
    revision: Annotated[str, typer.Argument(help="A branch, tag or commit, as `origin/main`.")],
    as_json: AsJson = False,
) -> None:
    """Copy paid parts of another Git revision; buys nothing."""
    from pipeline.labelling import display  # noqa: PLC0415
    from pipeline.labelling.stores import merge  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    rows = merge.merge_rows(Paths(Path()), revision)
    display.show_rows(rows, "no stores", as_json=as_json)
    merge.refuse_missing(rows, revision)


@labels.command("card")
def _labels_card(
    dataset: DatasetName,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="All rankings recorded with the dataset instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what the labels are worth; buys nothing.

    Hits against chance and other orders, position bias, cost. Exit status 1 without any answer.
    """
    from pipeline.labelling.quality import card_display, cards  # noqa: PLC0415

    places = named(dataset)
    found = [cards.recorded_card(*places, dataset)] if recorded else cards.cards(*places, dataset)
    card_display.show_cards(found, as_json=as_json)
    if not any(card["answered"] for card in found):
        raise typer.Exit(1)


@labels.command("pilot")
def _labels_pilot(
    dataset: DatasetName,
    count: Annotated[int, typer.Argument(help="How many of the selected sessions.", min=2)],
    without_teacher: Annotated[
        bool, typer.Option("--without-teacher", help="Compare with chance alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Buy a few labels, and tell if they are worth the rest."""
    from pipeline.labelling.quality import pilot, pilot_display  # noqa: PLC0415

    found = pilot.pilot(*named(dataset), dataset, count, teacher=not without_teacher)
    pilot_display.show_pilot(found, as_json=as_json)


@labels.command("recover")
def _labels_recover(dataset: DatasetName, as_json: AsJson = False) -> None:
    """Put answers that the journal alone has into stores.

    Whether they are asked for today or not. Exit status 1 if recorded parts are lost after it.
    """
    from pipeline.labelling import display  # noqa: PLC0415
    from pipeline.labelling.stores import recover  # noqa: PLC0415

    _, paths = named(dataset)
    rows = recover.recover_rows(paths, dataset)
    display.show_rows(rows, "no store", as_json=as_json)
    recover.refuse_lost(rows)


@labels.command("export")
def _labels_export(
    dataset: DatasetName,
    file: Annotated[Path, typer.Argument(help="To write: *.parquet or *.jsonl.")],
    as_json: AsJson = False,
) -> None:
    """Write all rankings to one file, for use elsewhere."""
    from pipeline.labelling import display  # noqa: PLC0415
    from pipeline.labelling.stores import export  # noqa: PLC0415

    _, paths = named(dataset)
    display.show_rows(export.export(paths, dataset, file), "no labels", as_json=as_json)
