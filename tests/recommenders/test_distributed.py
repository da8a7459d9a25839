"""Processes that share a batch take the step of one process, and two of them train by torchrun."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import DataError, ParamsError
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import distributed, recipes, training
from pipeline.recommenders.distributed import ALONE, Team
from pipeline.recommenders.recipes import recipe_loss, train_role, training_folder
from pipeline.stages import student
from pipeline.tables import CATALOG, SESSIONS, TRAINING_LOG
from tests.recommenders.toys import (
    N_ITEMS,
    SHIPPED,
    chain_parts,
    chain_sessions,
    fit_params,
    training_params,
    untrained,
)

CELL = Cell("chains", "fpmc", "strong", 3)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@given(st.integers(0, 600), st.integers(1, 9))
def test_shares_are_the_batch_cut_in_order_and_differ_by_one_row(count: int, size: int) -> None:
    rows = list(range(count))
    shares = [rows[Team(rank, size).share(count)] for rank in range(size)]
    assert list(chain(*shares)) == rows
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def gradients(loss: str, backbone: str, rows: int, team: Team) -> tuple[Tensor, dict[str, Tensor]]:
    """Return one process's part of a batch's loss, and its gradients."""
    fit = fit_params("strong", loss=loss, sampled_negatives=7)
    model = untrained(backbone, fit)
    sessions = chain_parts()["training"]
    value = recipe_loss(model, sessions, fit, 1, team)(torch.arange(rows), 0)
    value.backward()  # type: ignore[no-untyped-call]
    named = model.named_parameters()
    return value.detach(), {
        name: torch.zeros_like(one) if one.grad is None else one.grad for name, one in named
    }


@pytest.mark.parametrize("loss", ["in_batch_bpr", "softmax", "sampled_softmax"])
@pytest.mark.parametrize(("backbone", "rows", "size"), [
    ("fpmc", 12, 2), ("fpmc", 7, 3), ("fpmc", 2, 3), ("sasrec", 9, 2), ("gru4rec", 9, 2),
])  # fmt: skip
def test_gradients_of_shares_add_up_to_that_of_the_batch(
    loss: str, backbone: str, rows: int, size: int
) -> None:
    whole, expected = gradients(loss, backbone, rows, ALONE)
    parts = [gradients(loss, backbone, rows, Team(rank, size)) for rank in range(size)]
    torch.testing.assert_close(sum(value for value, _ in parts), whole)
    for name, gradient in expected.items():
        found = sum((named[name] for _, named in parts), torch.zeros(()))
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


class Three(nn.Module):
    """Weights with a gradient here, at another process, and at none."""

    def __init__(self) -> None:
        super().__init__()
        self.here = nn.Parameter(torch.zeros(2, 2))
        self.there = nn.Parameter(torch.zeros(3))
        self.nowhere = nn.Parameter(torch.zeros(1))


def test_gradients_are_added_and_what_has_none_anywhere_keeps_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def other(flat: Tensor) -> None:
        flat += torch.tensor([1.0, 1, 1, 1, 5, 6, 7, 0, 1, 1, 0])  # its gradients, which it has

    monkeypatch.setattr(torch.distributed, "all_reduce", other)
    model = Three()
    model.here.grad = torch.tensor([[1.0, 2], [3, 4]])
    Team(0, 2).add_up(model)
    assert model.here.grad.tolist() == [[2, 3], [4, 5]]
    assert model.there.grad is not None
    assert model.there.grad.tolist() == [5, 6, 7]
    assert model.nowhere.grad is None


def test_one_alone_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.distributed, "all_reduce")
    monkeypatch.delattr(torch.distributed, "broadcast")
    model = Three()
    ALONE.add_up(model)
    ALONE.refuse_different(7)
    assert (ALONE.total(0.5), ALONE.agreed(lambda: 0.25), ALONE.first) == (0.5, 0.25, True)


def test_processes_that_begin_at_different_steps_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.distributed, "broadcast", lambda told, **_: told.fill_(100.0))
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda _: None)
    Team(1, 2).refuse_different(100)
    with pytest.raises(DataError, match="process 1 goes on from step 0, another one does not"):
        Team(1, 2).refuse_different(0)


def test_only_training_may_have_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert distributed.started() == Team(1, 2)
    distributed.refuse_team("teacher")
    with pytest.raises(ParamsError, match="run `distilrec label` without it"):
        distributed.refuse_team("label")


def test_several_processes_train_on_the_processor(tmp_path: Path) -> None:
    shared = SHIPPED.training.shared.model_copy(update={"device": "cuda"})
    params = training_params().model_copy(update={"shared": shared})
    with pytest.raises(ParamsError, match="torchrun trains on the processor"):
        train_role("student", params, CELL, chain_sessions(), N_ITEMS, tmp_path, Team(0, 2))


def project(root: Path) -> tuple[Params, Paths]:
    """Write a project that trains a student on the chains in a moment."""
    dataset = {**SHIPPED.dataset, "chains": SHIPPED.dataset["tiny"]}
    quick = training_params(max_steps=60, evaluate_every=20)
    params = SHIPPED.model_copy(update={"training": quick, "dataset": dataset})
    paths, names = Paths(root), [str(item) for item in range(1, N_ITEMS + 1)]
    SESSIONS.write(chain_sessions(), paths.sessions("chains"))
    rows = {"item_index": range(1, N_ITEMS + 1), "item_id": names, "title": names}
    counted = {"training_events": [1] * N_ITEMS}
    CATALOG.write(pl.DataFrame(rows | counted, CATALOG.columns), paths.sessions("chains"))
    (root / "params.yaml").write_text(json.dumps(params.model_dump(mode="json")))  # is YAML, too
    return params, paths


def test_two_processes_train_the_model_of_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    params, alone = project(tmp_path / "one")
    _, together = project(tmp_path / "two")
    student.run(params, alone, CELL)

    words = ("-m", "pipeline", "student", *CELL.folder.split("/"))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*TORCHRUN, *words],
        cwd=together.root, env=environment, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    one, two = (load_file(at.student(CELL) / "weights.safetensors") for at in (alone, together))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-3, atol=1e-4)
    logs = [TRAINING_LOG.read(at.student(CELL)) for at in (alone, together)]
    assert logs[1]["step"].to_list() == logs[0]["step"].to_list() == [0, 20, 40, 60]
    for column, within in (("loss", 1e-4), ("validation_ndcg", 0.02)):
        first, second = (log[column].drop_nulls().to_list() for log in logs)
        assert second == pytest.approx(first, abs=within)
    assert logs[0]["validation_ndcg"][-1] > 0.5, "they learnt nothing that could differ"
    assert done.stderr.count("student chains fpmc strong 3:") == 1, "both processes reported"
    assert not list((together.root / ".cache/checkpoints").glob("*"))


def test_unfinished_work_of_one_process_is_not_that_of_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    names: list[str] = []

    def note(root: Path, *what: object) -> Path:
        names.append(training_folder(root, *what).name)
        return root / "one"

    monkeypatch.setattr(recipes, "training_folder", note)
    monkeypatch.setattr(training, "fit", lambda *_, **__: None)
    for team in (ALONE, Team(0, 2), Team(1, 2), Team(0, 3)):
        train_role("student", training_params(), CELL, chain_sessions(), N_ITEMS, tmp_path, team)
    assert names[1] == names[2]
    assert len(set(names)) == 3
