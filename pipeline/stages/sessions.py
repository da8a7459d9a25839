"""Raw logs to sessions.

Reads: `data/raw/<dataset>`. Writes: the tables `sessions`, `catalog`, `dropped`,
`recorded_rankings`, `recorded_selections`. Parameters: `dataset.<name>`, `sessions`.
"""

from dataclasses import dataclass

from pipeline import console, tables
from pipeline.errors import DataError
from pipeline.interactions.readers import read_source
from pipeline.interactions.recorded import Recorded, recorded
from pipeline.interactions.sessions import Made, make_sessions
from pipeline.interactions.source import Source
from pipeline.interactions.splitting import PARTS
from pipeline.params import Params
from pipeline.params.selection import SelectParams
from pipeline.paths import Paths


@dataclass(frozen=True)
class Summary:
    """What came in and what came out."""

    events: int
    kept_events: int
    dropped_events: int
    sessions: int
    training: int
    validation: int
    test: int
    items: int
    items_in_no_session: int | None
    recorded_rankings: int | None
    ranked_items_outside_the_catalogue: int | None


def run(params: Params, paths: Paths, dataset: str) -> Summary:
    """Cut, filter and split one dataset's events."""
    source = _source(params, paths, dataset)

    made = make_sessions(source, params.sessions)
    published = recorded(source, made)

    folder = paths.sessions(dataset)
    tables.SESSIONS.write(made.sessions, folder)
    tables.CATALOG.write(made.catalog, folder)
    tables.DROPPED.write(made.dropped, folder)
    tables.RECORDED_RANKINGS.write(published.rankings, folder)
    tables.RECORDED_SELECTIONS.write(published.selections, folder)
    summary = _summary(made, published)
    _note_a_large_count(dataset, summary.training, params.select)
    return summary


def _source(params: Params, paths: Paths, dataset: str) -> Source:
    """Return what the raw files say; an error adds how a corrected source gets here."""
    about = params.dataset_of(dataset)
    try:
        return read_source(about, paths.raw(dataset))
    except DataError as error:
        entry = f"correct dataset.{dataset}.log in params.yaml, or " if about.log else ""
        raise DataError(
            f"{error}; {entry}correct the source (this is a copy) and run `dvc repro -f "
            f"fetch@{dataset}` (or `distilrec fetch {dataset}`)"
        ) from None


def _note_a_large_count(dataset: str, training: int, select: SelectParams) -> None:
    # Only a line: the tables do not depend on the section `select`. The stage that obeys it runs
    # after the teachers were trained, which is late to learn of this.
    if select.pool == "all" and training < select.count:
        console.note(
            f"sessions {dataset}: {training:,} training sessions are fewer than select.count "
            f"({select.count:,}); lower it in params.yaml before `dvc repro`"
        )


def _summary(made: Made, published: Recorded) -> Summary:
    parts = dict(made.sessions["part"].value_counts().iter_rows())
    dropped = int(made.dropped["events"].sum())
    return Summary(
        made.events,
        made.events - dropped,
        dropped,
        len(made.sessions),
        **{part: parts[part] for part in PARTS},
        items=len(made.catalog),
        items_in_no_session=(len(made.catalog) - made.sessions["items"].explode().n_unique())
        or None,
        recorded_rankings=len(published.rankings) or None,
        ranked_items_outside_the_catalogue=published.outside or None,
    )
