"""The training loop: what is kept, when it stops, and that what was cut off ends the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import Tensor, nn

from pipeline.paths import Cell
from pipeline.recommenders import checkpoint
from pipeline.recommenders.recipes import Trained, recipe_loss, train, train_role
from pipeline.recommenders.training import (
    Schedule,
    batch_of,
    fit,
    set_weights,
    weights_of,
)
from pipeline.tables import TRAINING_LOG
from tests.recommenders.toys import (
    N_ITEMS,
    ROLE,
    chain_parts,
    chain_sessions,
    fit_params,
    training_params,
    untrained,
)

SCHEDULE = Schedule(
    batch=4,
    learning_rate=0.1,
    weight_decay=0.0,
    average=0.0,
    evaluate_every=2,
    patience=3,
    max_steps=20,
)


class Line(nn.Module):
    """One weight that a loss pushes up by the learning rate a step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def loss(self, rows: Tensor, step: int) -> Tensor:
        """Return a loss of slope -1."""
        return -self.weight.sum()


def figures(*values: float) -> Callable[[], float]:
    """Return a validation that gives one value after the other."""
    left = iter(values)
    return lambda: next(left)


def run(figure: Callable[[], float], **changes: Any) -> tuple[Line, pl.DataFrame]:
    """Train the line with a schedule of its own."""
    model = Line()
    schedule = Schedule(**{**SCHEDULE.__dict__, **changes})
    return model, fit(model, 10, model.loss, figure, schedule, 1, "line")


def test_the_best_weights_are_kept_and_not_the_last() -> None:
    model, log = run(figures(0.1, 0.3, 0.5, 0.4, 0.4, 0.5))
    assert log["step"].to_list() == [0, 2, 4, 6, 8, 10]
    assert log["best"].to_list() == [False, False, True, False, False, False]
    assert model.weight.item() == pytest.approx(0.4, abs=1e-5)  # four steps of 0.1
    assert not model.training


def test_weights_from_before_the_first_step_stay_if_nothing_helps() -> None:
    model, log = run(figures(0.5, 0.4, 0.5, 0.3))
    assert log["best"].to_list() == [True, False, False, False]
    assert model.weight.item() == 0


def test_patience_counts_evaluations_since_the_best() -> None:
    _, log = run(figures(0, 0, 0, 1, 0, 0, 2, 0, 0, 0), patience=3)
    assert log["step"].to_list() == list(range(0, 20, 2))
    _, log = run(figures(1, 0), patience=1)
    assert log["step"].to_list() == [0, 2]


def test_the_last_step_ends_the_training() -> None:
    figure = figures(*range(100))
    model, log = run(figure, max_steps=7)
    assert log["step"].to_list() == [0, 2, 4, 6]
    assert model.weight.item() == pytest.approx(0.6, abs=1e-5)


def test_the_speed_falls_to_zero_over_the_last_share_of_the_steps() -> None:
    model, _ = run(figures(0.1, 0.2, 0.3), max_steps=4, settle=0.5)
    # 0.1, 0.1, 0.1 (two steps of the half are left) and 0.05 (one of two)
    torch.testing.assert_close(model.weight.detach(), torch.tensor([0.35]))


def test_the_log_is_the_table_with_mean_losses_between_evaluations() -> None:
    _, log = run(figures(0, 1, 2), max_steps=4)
    assert dict(log.schema) == TRAINING_LOG.columns
    assert log["loss"][0] is None
    assert log["loss"].to_list()[1:] == pytest.approx([-0.05, -0.25], abs=1e-5)
    assert log["validation_ndcg"].to_list() == [0, 1, 2]


def test_the_running_mean_is_what_is_validated_and_kept() -> None:
    seen: list[float] = []
    model = Line()

    def figure() -> float:
        seen.append(model.weight.item())
        return float(len(seen))

    schedule = Schedule(**{**SCHEDULE.__dict__, "average": 0.9, "max_steps": 4})
    fit(model, 10, model.loss, figure, schedule, 1, "mean")
    mean, expected = 0.0, [0.0]
    for step, weight in enumerate([0.1, 0.2, 0.3, 0.4]):
        memory = min(0.9, (1 + step) / (10 + step))
        mean = memory * mean + (1 - memory) * weight
        expected += [mean] if step % 2 else []
    assert seen == pytest.approx(expected, abs=1e-5)
    assert model.weight.item() == pytest.approx(mean, abs=1e-5)


def test_steps_go_on_from_the_weights_and_not_from_their_mean() -> None:
    seen: list[float] = []

    class Watched(Line):
        def loss(self, rows: Tensor, step: int) -> Tensor:
            seen.append(self.weight.item())
            return super().loss(rows, step)

    model = Watched()
    schedule = Schedule(**{**SCHEDULE.__dict__, "average": 0.9, "max_steps": 4})
    fit(model, 10, model.loss, figures(*range(9)), schedule, 1, "mean")
    assert seen == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-5)


def test_an_epoch_takes_each_example_once_in_another_order_each_time() -> None:
    epochs = [torch.cat([batch_of(10, 4, 3 * e + b, 1) for b in range(3)]) for e in range(3)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(10))
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3
    assert [len(batch_of(10, 4, step, 1)) for step in range(4)] == [4, 4, 2, 4]
    assert batch_of(3, 100, 5, 1).sort().values.tolist() == [0, 1, 2]


def test_a_batch_depends_on_the_seed_and_the_steps_number_alone() -> None:
    forwards = [batch_of(50, 7, step, 1).tolist() for step in range(20)]
    backwards = [batch_of(50, 7, step, 1).tolist() for step in reversed(range(20))][::-1]
    assert forwards == backwards
    assert forwards != [batch_of(50, 7, step, 2).tolist() for step in range(20)]


def test_what_a_step_draws_depends_on_the_seed_and_its_number_alone() -> None:
    def draws(seed: int, before: int) -> list[float]:
        torch.rand(before)
        model, seen = Line(), []

        def loss(rows: Tensor, step: int) -> Tensor:
            seen.append(torch.rand(1).item())
            return model.loss(rows, step)

        fit(model, 10, loss, lambda: 0.0, SCHEDULE, seed, "draws")
        return seen

    assert draws(1, 0) == draws(1, 5) != draws(2, 0)
    assert len(set(draws(1, 0))) == len(draws(1, 0))


def test_a_training_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = torch.rand(1)
    run(lambda: 0.0)
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)


@pytest.mark.parametrize(
    "weights",
    [{}, {"weight": torch.zeros(2)}, {"other": torch.zeros(1)}, {"weight": torch.tensor(0)}],
)
def test_weights_of_another_form_are_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        set_weights(Line(), weights)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("loss", ["in_batch_bpr", "sampled_softmax"])
def test_threads_do_not_decide_the_order_in_which_gradients_are_added(loss: str) -> None:
    """Few items, many rows: where rows of one item were added as they come, bytes would differ."""
    fit = fit_params("published", loss=loss, sampled_negatives=2000, examples="all")
    model = untrained("fpmc", fit, ROLE.model_copy(update={"dimension": 100}))
    sessions, found = chain_parts()["training"], set()
    for _ in range(10):
        model.zero_grad()
        recipe_loss(model, sessions, fit, 1)(torch.arange(960), 0).backward()  # type: ignore[no-untyped-call]
        assert model.items.weight.grad is not None
        found.add(model.items.weight.grad.numpy().tobytes())
    assert len(found) == 1


class PowerCutError(RuntimeError):
    """The machine went off in the middle."""


FIT = fit_params("strong", max_steps=24, evaluate_every=4, average=0.9)
DROPPING = ROLE.model_copy(update={"dropout": 0.3, "weight_decay": 0.01, "patience": 50})


def train_chains(
    folder: Path | None, figure_of: Callable[[int], float] | None = None
) -> tuple[dict[str, Tensor], pl.DataFrame]:
    """Train a model on the chains; ``figure_of`` sees the number of each evaluation."""
    model = untrained("sasrec", FIT, DROPPING)
    if figure_of is None:
        log = train(model, chain_parts(), FIT, DROPPING, 5, "cut", folder)
        return weights_of(model), log
    calls = iter(range(100))
    with pytest.MonkeyPatch.context() as patch:
        from pipeline.recommenders import recipes  # noqa: PLC0415

        whole = recipes.validation_ndcg

        def cutting(*arguments: Any) -> Callable[[], float]:
            figure = whole(*arguments)
            return lambda: figure_of(next(calls)) or figure()

        patch.setattr(recipes, "validation_ndcg", cutting)
        log = train(model, chain_parts(), FIT, DROPPING, 5, "cut", folder)
    return weights_of(model), log


def assert_equal_endings(
    found: tuple[dict[str, Tensor], pl.DataFrame], expected: tuple[dict[str, Tensor], pl.DataFrame]
) -> None:
    assert_frame_equal(found[1], expected[1], check_exact=True)
    assert found[0].keys() == expected[0].keys()
    for name, weight in expected[0].items():
        assert torch.equal(found[0][name], weight), name


@pytest.fixture(scope="module")
def uncut() -> tuple[dict[str, Tensor], pl.DataFrame]:
    return train_chains(None)


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)


def cut_at(*numbers: int) -> Callable[[int], float]:
    def figure_of(number: int) -> float:
        if number in numbers:
            raise PowerCutError
        return 0.0

    return figure_of


@pytest.mark.usefixtures("always_due")
@pytest.mark.parametrize("evaluations", [[1], [2], [5], [3, 2, 1]])
def test_a_training_that_was_cut_off_ends_with_the_same_bytes(
    evaluations: Sequence[int], tmp_path: Path, uncut: tuple[dict[str, Tensor], pl.DataFrame]
) -> None:
    folder = tmp_path / "unfinished"
    for number in evaluations:
        with pytest.raises(PowerCutError):
            train_chains(folder, cut_at(number))
    assert folder.exists() == (evaluations != [1])  # nothing was evaluated before the cut
    assert_equal_endings(train_chains(folder), uncut)
    assert not folder.exists()


@pytest.mark.usefixtures("always_due")
def test_a_resumed_training_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        train_chains(tmp_path / "unfinished", cut_at(4))  # after 4 of 6 evaluations of 4 steps
    seen: list[int] = []

    def count(number: int) -> float:
        seen.append(number)
        return 0.0

    train_chains(tmp_path / "unfinished", count)
    assert len(seen) == 3  # at steps 16, 20 and 24


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, always_due: None
) -> None:
    monkeypatch.chdir(tmp_path)
    train_chains(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("always_due")
def test_patience_is_remembered_across_a_cut(tmp_path: Path) -> None:
    def train_line(figure: Callable[[], float]) -> pl.DataFrame:
        model = Line()
        return fit(model, 10, model.loss, figure, SCHEDULE, 1, "line", tmp_path / "unfinished")

    def cut_after(*values: float) -> Callable[[], float]:
        left = iter(values)

        def figure() -> float:
            for value in left:
                return value
            raise PowerCutError

        return figure

    with pytest.raises(PowerCutError):
        train_line(cut_after(0.1, 0.5, 0.4, 0.3))
    log = train_line(figures(0.2, 9.9))
    assert log["validation_ndcg"].to_list() == [0.1, 0.5, 0.4, 0.3, 0.2]


@pytest.mark.usefixtures("always_due")
def test_a_training_that_diverges_can_be_cut_off_too(tmp_path: Path) -> None:
    def train_line(figure: Callable[[], float]) -> pl.DataFrame:
        model = Line()

        def loss(rows: Tensor, step: int) -> Tensor:
            return model.loss(rows, step) * (torch.nan if step >= 2 else 1)

        return fit(model, 10, loss, figure, SCHEDULE, 1, "line", tmp_path / "unfinished")

    with pytest.raises(StopIteration):
        train_line(figures(0.1, 0.2, 0.0))
    log = train_line(figures(0.0, 0.0))
    assert log["loss"].is_nan().to_list()[1:] == [False, True, True, True]
    assert log["best"].to_list() == [False, True, False, False, False]


def damage(folder: Path, how: str) -> None:
    weights, state = next(folder.glob("*.safetensors")), folder / "state.json"
    content = weights.read_bytes()
    match how:
        case "weights cut":
            weights.write_bytes(content[: len(content) // 2])
        case "weights changed":
            weights.write_bytes(content[:-100] + bytes(100))
        case "weights gone":
            weights.unlink()
        case "state cut":
            state.write_text(state.read_text()[:-40])
        case "state empty":
            state.write_text("")
        case "state changed":
            state.write_text(state.read_text().replace('"step\\": 8', '"step\\": 4'))
        case "state of another form":
            state.write_text('{"step": 8, "weights": "8.safetensors"}')


@pytest.mark.usefixtures("always_due")
@pytest.mark.parametrize(
    "how",
    ["weights cut", "weights changed", "weights gone", "state cut", "state empty", "state changed",
     "state of another form"],
)  # fmt: skip
def test_a_damaged_checkpoint_is_told_in_one_line_and_the_training_starts_anew(
    how: str,
    tmp_path: Path,
    uncut: tuple[dict[str, Tensor], pl.DataFrame],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "unfinished"
    with pytest.raises(PowerCutError):
        train_chains(folder, cut_at(3))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    damage(folder, how)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} != before
    assert_equal_endings(train_chains(folder), uncut)
    lines = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{folder}: unfinished training is damaged (")
    assert lines[0].endswith("); starts anew")
    assert not folder.exists()


PROGRAM = """
import itertools, os, signal, sys
from pathlib import Path
from pipeline import files
from pipeline.paths import Cell
from pipeline.recommenders import checkpoint
from tests.recommenders.test_training import train_teacher

writes, whole = itertools.count(1), files.write_json

def cutting(path, value):
    third = path.name == "state.json" and next(writes) == 3
    if third and sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    whole(path, value)
    if third:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.SECONDS_BETWEEN, files.write_json = 0.0, cutting
train_teacher(Path(sys.argv[1]))
"""


def train_teacher(root: Path) -> Trained:
    """Train a small teacher, with unfinished work below ``root``."""
    torch.set_num_threads(1)
    params = training_params(max_steps=24, evaluate_every=4, average=0.9, batch=16)
    cell = Cell("chains", "gru4rec", "strong", 3)
    return train_role("teacher", params, cell, chain_sessions(60, 10), N_ITEMS, root)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_a_killed_process_began_is_finished_by_the_next_with_the_same_bytes(
    moment: str, tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "unfinished"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(project)}
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root), moment], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (folder,) = root.iterdir()
    left = {path.name for path in folder.iterdir()}
    assert left == {"state.json", "8.safetensors", "12.safetensors"}
    train_teacher(root).save(tmp_path / "cut")
    assert list(root.iterdir()) == []  # found by its name, and removed
    train_teacher(tmp_path / "other").save(tmp_path / "uncut")
    names = ("weights.safetensors", "model.json", "training_log.parquet")
    for name in names:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "uncut" / name).read_bytes()
    assert "damaged" not in capsys.readouterr().err
