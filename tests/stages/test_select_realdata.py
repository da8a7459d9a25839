"""The selections and rankings published with the films are followed as they were published."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.params import Params, read_params
from pipeline.paths import Cell, Paths
from pipeline.stages import fetch, select, sessions
from pipeline.tables import DIFFICULTY, SELECTED, SESSIONS

CELL = Cell("hetrec2011-ml", "fpmc", "published", 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory, data_home: Path, project: Path) -> Paths:
    """Return a project with the published sessions and made-up difficulties."""
    if not (data_home / "alkdrec-published/hetrec2011-ml").is_dir():
        pytest.skip(f"{data_home} has no alkdrec-published/hetrec2011-ml")
    paths, params = Paths(tmp_path_factory.mktemp("films")), read_params(project / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILREC_DATA_HOME", str(data_home))
        fetch.run(params, paths, CELL.dataset)
        sessions.run(params, paths, CELL.dataset)
    training = SESSIONS.read(paths.sessions(CELL.dataset)).filter(part="training")
    n = len(training)
    rows = {
        "session_id": training["session_id"],
        "difficulty": np.random.default_rng(0).random(n),
        "candidates": [[1, 2, 3]] * n,
        "target_rank": [1] * n,
        "fold": [-1] * n,
    }
    DIFFICULTY.write(pl.DataFrame(rows, schema=DIFFICULTY.columns), paths.difficulty(CELL))
    return paths


def changed(project: Path, **changes: object) -> Params:
    shipped = read_params(project / "params.yaml")
    return shipped.model_copy(update={"select": shipped.select.model_copy(update=changes)})


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["alkdrec", "rad-bc", "random", "easiest", "hardest"])
def test_first_500_of_a_published_list_are_taken(
    name: str, paths: Paths, project: Path, data_home: Path
) -> None:
    select.run(changed(project, policy="recorded", recorded_list=name), paths, CELL)
    published = pl.read_parquet(
        data_home / "alkdrec-published/hetrec2011-ml/selected_sessions.parquet"
    ).filter(strategy=name)
    expected = published.sort("position")["session_id"].head(500).sort()
    assert SELECTED.read(paths.selected(CELL))["session_id"].to_list() == expected.to_list()


@pytest.mark.realdata
def test_recorded_pool_and_the_whole_pool_have_the_published_numbers(
    paths: Paths, project: Path
) -> None:
    assert select.run(changed(project, pool="recorded"), paths, CELL).pool == 4_991  # 1 is empty
    whole = select.run(changed(project), paths, CELL)
    assert (whole.pool, whole.k_star) == (7_393, 6_912)
