"""Recorded rankings bring their own candidates, and none outside training is served."""

import asyncio
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import LabelError
from pipeline.labelling.cases import asked, context_of
from pipeline.labelling.parse import read_ranking
from pipeline.labelling.providers import replay
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Case
from pipeline.params import Params, read_params
from pipeline.paths import Paths
from pipeline.stages import fetch, sessions
from pipeline.tables import RECORDED_RANKINGS


def test_a_recorded_ranking_is_read_without_repeats_and_session_items(context: Context) -> None:
    provider = replay.make(context)
    request = provider.request(Case(2, "training", (5, 6, 7), (1, 2)))
    assert request is not None
    answer = asyncio.run(provider.answer(request))
    assert answer.response == '{"ranking":["h","h","e","a","b"]}'
    reading = read_ranking(answer.response, request.offered)
    assert reading.ranking == ("h", "a", "b")  # candidates of ours are not applied
    assert (reading.foreign, reading.repeated) == (1, 1)


def test_a_session_that_was_not_recorded_cannot_be_asked(context: Context) -> None:
    cases = [Case(n, "training", (1,), (2,)) for n in (0, 1, 2)]
    found = asked(cases, replay.make(context))
    assert (list(found.requests), found.missing) == ([0, 2], 1)


def test_a_recorded_ranking_outside_training_is_refused(context: Context) -> None:
    with pytest.raises(LabelError, match="session 6 of 'tiny' is in part 'test'"):
        replay.make(context).request(Case(6, "test", (1, 2, 3), ()))


def test_a_dataset_without_recorded_rankings_says_so(context: Context) -> None:
    none = Context(
        context.dataset, context.label, context.transport, context.catalog, context.sessions,
        RECORDED_RANKINGS.empty(),
    )  # fmt: skip
    with pytest.raises(LabelError, match="'tiny' has no recorded rankings"):
        replay.make(none).request(Case(0, "training", (1,), ()))


def test_ours_do_not_change_a_recorded_request(context: Context) -> None:
    provider = replay.make(context)
    one = provider.request(Case(0, "training", (1, 2, 3), (4, 5), ("hint",)))
    other = provider.request(Case(0, "training", (1, 2, 3), (7,)))
    assert one is not None
    assert other is not None
    assert one.key == other.key


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("dataset", "recorded"), [("hetrec2011-ml", 4_992), ("amazon-games", 5_359)]
)
def test_at_least_95_percent_of_the_published_items_are_kept(
    dataset: str, recorded: int, data_home: Path, project: Path, tmp_path: Path
) -> None:
    if not (data_home / "alkdrec-published" / dataset).is_dir():
        pytest.skip(f"{data_home} has no alkdrec-published/{dataset}, so it was not replayed")
    params, paths = read_params(project / "params.yaml"), Paths(tmp_path)
    fetch.run(params, paths, dataset)
    sessions.run(params, paths, dataset)
    kept, named, served = replayed(params, paths, dataset)
    assert served == recorded
    assert kept / named >= 0.95


def replayed(params: Params, paths: Paths, dataset: str) -> tuple[int, int, int]:
    """Return items kept, items recorded (in the catalogue, outside the session), sessions."""
    context = context_of(params, paths, dataset)
    provider = replay.make(context)
    rows = context.recorded.join(context.sessions, on="session_id").select(
        "session_id", "part", pl.col("items").list.slice(0, pl.col("items").list.len() - 1)
    )
    cases = [Case(session, part, tuple(items), ()) for session, part, items in rows.iter_rows()]
    rankings = dict(context.recorded.iter_rows())
    seen = {case.session_id: set(case.items) for case in cases}
    named = sum(
        item in context.ids and item not in seen[session]
        for session, ranking in rankings.items()
        for item in ranking
    )
    requests = asked(cases, provider).requests

    async def read() -> int:
        readings = [
            read_ranking((await provider.answer(one)).response, one.offered)
            for one in requests.values()
        ]
        return sum(len(reading.ranking) for reading in readings)

    return asyncio.run(read()), named, len(requests)
