"""The stages that train: what they write, that they write it twice alike, and what they refuse."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline import files
from pipeline.errors import DataError, LabelError, PipelineError
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.halves import weighing_half
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks
from pipeline.recommenders.recipes import validation_ndcg
from pipeline.stages import baselines, difficulty, distill, hybrid, student, teacher
from pipeline.tables import CATALOG, DIFFICULTY, LABELLED, SESSIONS, TRAINING_LOG
from tests.distillation.test_pairs import labelled
from tests.recommenders.toys import N_ITEMS, SHIPPED, chain_sessions, training_params

CELL = Cell("chains", "fpmc", "strong", 3)
FRAME = chain_sessions(80, 30)


@pytest.fixture
def params() -> Params:
    quick: dict[str, Any] = {"evaluate_every": 5, "max_steps": 20, "batch": 64}
    lessons = {
        name: SHIPPED.distill.of(name).model_copy(update=quick) for name in ("published", "strong")
    }
    return SHIPPED.model_copy(
        update={
            "training": training_params(max_steps=40, evaluate_every=10),
            "distill": SHIPPED.distill.model_copy(update=lessons),
            "difficulty": SHIPPED.difficulty.model_copy(update={"candidates": 10}),
        }
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a project with the chains' sessions and catalogue."""
    paths, names = Paths(tmp_path), [str(item) for item in range(1, N_ITEMS + 1)]
    SESSIONS.write(FRAME, paths.sessions("chains"))
    rows = {"item_index": range(1, N_ITEMS + 1), "item_id": names, "title": names}
    counted = {"training_events": [1] * N_ITEMS}
    CATALOG.write(pl.DataFrame(rows | counted, CATALOG.columns), paths.sessions("chains"))
    return paths


def write_labels(paths: Paths, **outcomes: str) -> None:
    """Write rankings of ten sessions that begin with what follows in the chain."""
    items = FRAME["items"].to_list()[:10]
    ranked = {
        row: [(session[-2] + place) % N_ITEMS + 1 for place in range(6)]
        for row, session in enumerate(items)
    }
    LABELLED.write(labelled(ranked, **outcomes), paths.labelled(CELL))


def content(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def figure(model: EmbeddingRecommender) -> float:
    validation = FRAME.filter(pl.col("part") == "validation")
    return validation_ndcg(model, SessionBatches.of(validation))()


def test_teacher_and_student_are_trained_and_saved(params: Params, paths: Paths) -> None:
    for stage, folder, width in (
        (teacher, paths.teacher(CELL), 16),
        (student, paths.student(CELL), 8),
    ):
        summary = stage.run(params, paths, CELL)
        model, log = registry.load_neural(folder), TRAINING_LOG.read(folder)
        assert set(content(folder)) == {"model.json", "weights.safetensors", "training_log.parquet"}
        assert model.items.weight.shape == (N_ITEMS + 1, width)
        assert figure(model) == summary.validation_ndcg == log["validation_ndcg"].max()
        assert summary.steps == log["step"][-1]
        assert summary.parameters == sum(weight.numel() for weight in model.parameters())
        assert summary.parameters == files.read_json(folder / "model.json")["parameters"]
    assert content(paths.checkpoints) == {}


def test_baselines_are_counted_and_saved(params: Params, paths: Paths) -> None:
    summary = baselines.run(params, paths, "chains")
    folder = paths.baselines("chains")
    assert set(content(folder)) == {
        f"{model}/{file}"
        for model in ("popularity", "itemknn", "itemknn_titles")
        for file in ("model.json", "weights.safetensors")
    }
    form = files.read_json(folder / "itemknn/model.json")["form"]
    assert form["decay"] == summary.decay
    assert form["candidate_power"] == summary.candidate_power
    assert summary.validation_ndcg > 0.5
    for model in ("popularity", "itemknn", "itemknn_titles"):
        assert registry.load(folder / model).n_items == N_ITEMS


@pytest.mark.parametrize("source", ["student", "distilled"])
def test_a_hybrid_holds_what_the_cell_s_student_and_counts_are_worth(
    source: str, params: Params, paths: Paths
) -> None:
    changes = {"student": source, "margin": 0.0}
    params = params.model_copy(update={"hybrid": params.hybrid.model_copy(update=changes)})
    baselines.run(params, paths, "chains")
    student.run(params, paths, CELL)
    if source == "distilled":
        write_labels(paths)
        distill.run(params, paths, CELL)
    summary = hybrid.run(params, paths, CELL)
    folder = paths.hybrid(CELL)
    assert set(content(folder)) == {"model.json", "weights.safetensors"}
    assert summary.bytes == sum(map(len, content(folder).values()))
    model, described = registry.load(folder), files.read_json(folder / "model.json")
    weights = {"counts": 1, "titles": summary.title_weight, "students": summary.student_weight}
    assert described["weights"] == weights
    assert len(described["students"]) == (1 if summary.student_weight else 0)
    weighs = SessionBatches.of(weighing_half(FRAME))
    found = ndcg_at_10(target_ranks(model, weighs, weighs.examples("last")))
    assert found == pytest.approx(summary.half_ndcg)
    assert summary.half_ndcg >= summary.without_student_ndcg


@pytest.mark.parametrize("folds", [0, 3])
def test_difficulty_lists_candidates_of_every_training_session(
    folds: int, params: Params, paths: Paths
) -> None:
    changed = params.difficulty.model_copy(update={"folds": folds})
    params = params.model_copy(update={"difficulty": changed})
    teacher.run(params, paths, CELL)
    summary = difficulty.run(params, paths, CELL)
    table = DIFFICULTY.read(paths.difficulty(CELL))
    assert len(table) == summary.sessions == 80
    assert table["fold"].unique().sort().to_list() == (list(range(folds)) if folds else [-1])
    assert table["difficulty"].is_between(-1, 0).all()
    items = dict(FRAME.select("session_id", "items").iter_rows())
    hits = 0
    for session, candidates, rank in table.select(
        "session_id", "candidates", "target_rank"
    ).iter_rows():
        *seen, target = items[session]
        assert len(set(candidates) - {*seen, 0}) == 10
        assert (target in candidates) == (rank <= 10)
        hits += target in candidates
    assert summary.share_of_candidate_lists_with_the_target == hits / 80
    assert files.read_json(paths.difficulty(CELL) / "summary.json")["sessions"] == 80


def test_a_student_is_distilled_beside_a_control_of_the_same_steps(
    params: Params, paths: Paths
) -> None:
    student.run(params, paths, CELL)
    write_labels(paths, s3="refused")
    summary = distill.run(params, paths, CELL)
    folders = {name: paths.distilled(CELL) / name for name in ("distilled", "control")}
    logs = {name: TRAINING_LOG.read(folder) for name, folder in folders.items()}
    assert summary.rankings == 9
    assert summary.steps == logs["distilled"]["step"][-1] == logs["control"]["step"][-1]
    before = figure(registry.load_neural(paths.student(CELL)))
    for name, found in (("distilled", summary.validation_ndcg), ("control", summary.control_ndcg)):
        assert logs[name]["validation_ndcg"][0] == before  # both begin as the student
        assert figure(registry.load_neural(folders[name])) == found >= before
        described = files.read_json(folders[name] / "model.json")
        assert described == files.read_json(paths.student(CELL) / "model.json")


def test_every_stage_writes_the_same_bytes_again(params: Params, paths: Paths) -> None:
    def make() -> dict[str, bytes]:
        baselines.run(params, paths, "chains")
        for stage in (teacher, student, difficulty):
            stage.run(params, paths, CELL)
        write_labels(paths)
        distill.run(params, paths, CELL)
        hybrid.run(params, paths, CELL)
        return content(paths.root)

    first = make()
    assert make() == first
    assert {name.split("/")[1] for name in first if name.startswith("models")} == {
        "baselines",
        "teacher",
        "student",
        "distilled",
        "hybrid",
    }


@pytest.mark.parametrize("outcome", ["refused", "missing"])
def test_without_a_usable_ranking_there_is_one_clear_line(
    outcome: str, params: Params, paths: Paths
) -> None:
    student.run(params, paths, CELL)
    write_labels(paths, **{f"s{row}": outcome for row in range(10)})
    with pytest.raises(LabelError, match="none of the rankings is usable") as caught:
        distill.run(params, paths, CELL)
    message = str(caught.value)
    assert "\n" not in message
    assert str(paths.labelled(CELL)) in message
    assert "distilrec labels status chains" in message
    assert not paths.distilled(CELL).exists()


@pytest.mark.parametrize("stage", [baselines, teacher, student, difficulty, distill, hybrid])
def test_what_is_not_there_is_one_line(stage: Any, params: Params, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not here; run `dvc repro`"):
        stage.run(params, Paths(tmp_path), "chains" if stage is baselines else CELL)


@pytest.mark.parametrize("stage", [difficulty, distill, hybrid])
def test_a_missing_model_is_one_line(stage: Any, params: Params, paths: Paths) -> None:
    write_labels(paths)
    with pytest.raises(PipelineError, match="no readable model") as caught:
        stage.run(params, paths, CELL)
    assert "\n" not in str(caught.value)
