"""The real datasets, from their raw files to sessions, with the counts of docs/datasets.md."""

from pathlib import Path

import polars as pl
import pytest

from pipeline import tables
from pipeline.params import read_params
from pipeline.paths import Paths
from pipeline.stages import fetch, sessions

pytestmark = pytest.mark.realdata


def counts(data_home: Path, tmp_path: Path, project: Path, dataset: str) -> sessions.Summary:
    """Fetch a dataset from the data home and cut it with the shipped parameters."""
    params, paths = read_params(project / "params.yaml"), Paths(tmp_path)
    folder = params.dataset[dataset].folder or ""
    if not (data_home / folder).is_dir():
        pytest.skip(f"{data_home} has no {folder}, so {dataset} was not tested")
    fetch.run(params, paths, dataset)
    return sessions.run(params, paths, dataset)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("hetrec2011-ml", (12_323, 8_475, 112_034, 7_393, 2_465, 2_465)),
        ("amazon-games", (20_091, 26_138, 132_677, 12_054, 4_018, 4_019)),
    ],
)
def test_published_sessions_have_the_published_counts(
    data_home: Path, tmp_path: Path, project: Path, dataset: str, expected: tuple[int, ...]
) -> None:
    made = counts(data_home, tmp_path, project, dataset)
    parts = (made.training, made.validation, made.test)
    assert (made.sessions, made.items, made.kept_events, *parts) == expected
    assert made.dropped_events == 0


def test_seven_items_of_amazon_games_are_in_no_session(
    data_home: Path, tmp_path: Path, project: Path
) -> None:
    assert counts(data_home, tmp_path, project, "amazon-games").items_in_no_session == 7


@pytest.mark.parametrize(
    ("dataset", "rankings", "with_target", "outside"),
    [("hetrec2011-ml", 4_992, 2_639, 1), ("amazon-games", 5_359, 2_859, None)],
)
def test_published_rankings_are_of_training_sessions_and_name_the_target_as_published(
    data_home: Path,
    tmp_path: Path,
    project: Path,
    dataset: str,
    rankings: int,
    with_target: int,
    outside: int | None,
) -> None:
    summary = counts(data_home, tmp_path, project, dataset)
    folder = Paths(tmp_path).sessions(dataset)
    joined = tables.RECORDED_RANKINGS.read(folder).join(
        tables.SESSIONS.read(folder), on="session_id"
    )
    assert joined["part"].unique().to_list() == ["training"]
    named = pl.col("ranking").list.contains(pl.col("items").list.last())
    assert (len(joined), len(joined.filter(named))) == (rankings, with_target)
    assert summary.ranked_items_outside_the_catalogue == outside


@pytest.mark.parametrize(
    ("dataset", "events", "expected"),
    [
        ("movielens-100k", 100_000, (1_642, 1_486, 28_116)),
        ("movielens-1m", 1_000_209, (12_575, 3_498, 214_634)),
        ("lastfm", 438_436, (20_557, 12_380, 143_943)),
    ],
)
def test_raw_events_become_sessions(
    data_home: Path,
    tmp_path: Path,
    project: Path,
    dataset: str,
    events: int,
    expected: tuple[int, ...],
) -> None:
    made = counts(data_home, tmp_path, project, dataset)
    assert made.events == events == made.kept_events + made.dropped_events
    assert (made.sessions, made.items, made.kept_events) == expected
