"""Rows of the benchmark of compact models: means, aims that follow from rivals, bytes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.compact import reading, rows
from benchmarks.compact.parts import hybrids
from benchmarks.compact.world import BYTES, FILMS, GAMES, SEEDS
from benchmarks.record import COLUMNS
from pipeline.paths import Paths
from pipeline.tables import RANKS, SESSIONS
from tests.recommenders.toys import sessions_frame

HITS = {"itemknn/0": 1, "itemknn_titles/0": 2, "student and titles/11": 3}
HITS |= {"hybrid/11": 4, "hybrid/12": 2, "counting in 2,091,040 bytes/0": 1}
"""Of ten targets, those that a model put first; the others are 11th."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    paths = Paths(tmp_path)
    for module in (reading, rows):
        monkeypatch.setattr(module, "PATHS", paths)
    frames = []
    for name, hits in HITS.items():
        kind, number = name.rsplit("/", maxsplit=1)
        folder = tmp_path / "made" / GAMES / kind.replace(" ", "_") / number
        if kind.startswith("itemknn"):
            folder = paths.baselines(GAMES) / kind
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(bytes(100 * hits))
        (folder / "model.json").write_bytes(bytes(7))
        ranks = [1] * hits + [11] * (10 - hits)
        columns = {"model": name, "session_id": range(10), "target": 1, "rank": ranks}
        frames.append(pl.DataFrame({**columns, "cold": False}).cast(pl.Schema(RANKS.columns)))
    RANKS.write(pl.concat(frames), tmp_path / "ranks" / GAMES)
    parts = ["training"] * 2 + ["test"]
    SESSIONS.write(sessions_frame([[1, 2, 3], [9, 4], [5, 1]], parts), paths.sessions(GAMES))
    return tmp_path


def test_rows_are_means_with_deviations_bytes_and_aims_of_the_same_run(world: Path) -> None:
    found = {row["name"]: row for row in rows.rows(GAMES)}
    assert all(set(row) == set(COLUMNS) for row in found.values())
    hybrid = found[f"{GAMES}, hybrid: recall@10"]
    assert hybrid["value"] == pytest.approx(0.3)
    assert hybrid["unit"] == f"mean of 2 seeds, sd {np.std([0.4, 0.2], ddof=1):.4f}"
    assert hybrid["aim"] == ">= 0.2200"  # 1.1 times counting with titles
    assert found[f"{GAMES}, itemknn: ndcg@10"]["unit"] == "one model"
    assert found[f"{GAMES}, hybrid: bytes"]["value"] == 407
    assert found[f"{GAMES}, hybrid: bytes"]["aim"] == f"<= {BYTES[GAMES]}"
    gain = found[f"{GAMES}, hybrid minus itemknn_titles: ndcg@10"]
    assert gain["value"] == pytest.approx(0.1)
    low, high = map(float, gain["unit"].removeprefix("95 % over sessions: ").split(" to "))
    assert low <= 0.1 <= high
    rising = found[f"{GAMES}: steps within training sessions that rise in item index"]
    assert rising["value"] == pytest.approx(2 / 3)  # 1-2, 2-3, not 9-4; 3-9 is no step


@pytest.mark.parametrize("dataset", [FILMS, GAMES])
def test_every_seed_serves_alike_often(dataset: str) -> None:
    found = hybrids(dataset)
    assert len({(one.name, one.number) for one in found}) == len(found)
    by_name: dict[str, list[int]] = {}
    for one in found:
        by_name.setdefault(one.name, []).extend(one.seeds)
    for seeds in by_name.values():
        assert {seeds.count(seed) for seed in SEEDS} == {len(seeds) // len(SEEDS)}
