"""Recipes: their examples and losses, teacher and student, and the name of unfinished work."""

import re
from pathlib import Path

import polars as pl
import pytest
import torch

from pipeline import seeds
from pipeline.errors import DataError, ParamsError
from pipeline.params.backbones import RecipeChanges, RoleChanges
from pipeline.params.training import FitParams
from pipeline.paths import Cell
from pipeline.recommenders import recipes, training
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.recommenders.losses import in_batch_bpr, sampled_softmax, softmax_cross_entropy
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks
from pipeline.recommenders.recipes import (
    by_part,
    recipe_loss,
    train,
    train_role,
    training_folder,
    validation_ndcg,
)
from tests.recommenders.toys import (
    N_ITEMS,
    ROLE,
    batches,
    chain_parts,
    chain_sessions,
    fit_params,
    padded,
    training_params,
    untrained,
)

CPU = torch.device("cpu")
CELL = Cell("chains", "fpmc", "strong", 3)
SESSIONS = batches([1, 2, 3], [4, 5])


def test_published_meets_the_last_items_in_batch() -> None:
    fit = fit_params("published")
    model = untrained("fpmc", fit)
    queries = model.encode(padded([1, 2], [4]))
    expected = in_batch_bpr(queries, model.items.weight[[3, 5]])
    found = recipe_loss(model, SESSIONS, fit, 1)(torch.arange(2), 0)
    torch.testing.assert_close(found, expected)


def test_strong_meets_every_prefix_with_all_items_but_the_padding() -> None:
    fit = fit_params("strong")
    model = untrained("fpmc", fit)
    assert model.bias is not None
    torch.nn.init.normal_(model.bias)
    queries = model.encode(padded([1], [1, 2], [4]))
    expected = softmax_cross_entropy(
        queries, model.items.weight[1:], model.bias[1:], torch.tensor([2, 3, 5]) - 1
    )
    found = recipe_loss(model, SESSIONS, fit, 1)(torch.arange(3), 0)
    torch.testing.assert_close(found, expected)


def test_sampled_negatives_are_real_items_of_the_steps_own_draw() -> None:
    fit = fit_params("strong", loss="sampled_softmax", sampled_negatives=500)
    model = untrained("fpmc", fit)
    generator = seeds.torch_generator(1, "negatives", 7)
    drawn = torch.randint(1, N_ITEMS + 1, (500,), generator=generator)
    assert set(drawn.tolist()) == set(range(1, N_ITEMS + 1))
    queries = model.encode(padded([1], [1, 2], [4]))
    expected = sampled_softmax(model, queries, torch.tensor([2, 3, 5]), drawn)
    loss = recipe_loss(model, SESSIONS, fit, 1)
    torch.testing.assert_close(loss(torch.arange(3), 7), expected)
    assert loss(torch.arange(3), 8) != loss(torch.arange(3), 7)


@pytest.mark.parametrize("backbone", ["fpmc", "gru4rec"])
def test_sampled_softmax_learns_the_chains(backbone: str) -> None:
    fit = fit_params("strong", loss="sampled_softmax", sampled_negatives=16)
    model, parts = untrained(backbone, fit), chain_parts()
    train(model, parts, fit, ROLE, 1, "sampled")
    test = parts["test"]
    floor = target_ranks(
        Popularity.counted(parts["training"], N_ITEMS), test, test.examples("last")
    )
    assert ndcg_at_10(target_ranks(model, test, test.examples("last"))) > 0.6
    assert ndcg_at_10(floor) < 0.3


def test_offsets_learn_under_the_pairwise_loss_too() -> None:
    fit = fit_params("published", item_bias=True, max_steps=5, evaluate_every=1)
    model = untrained("fpmc", fit)
    train(model, chain_parts(), fit, ROLE, 1, "offsets")
    assert model.bias is not None
    assert model.bias[1:].any()


def test_a_sampled_loss_without_samples_is_refused() -> None:
    values = fit_params("strong").model_dump() | {"loss": "sampled_softmax"}
    with pytest.raises(ValueError, match="sampled_softmax needs sampled_negatives of at least 1"):
        FitParams.model_validate(values)


def test_validation_is_ndcg_of_the_last_items() -> None:
    model = untrained("fpmc", fit_params("strong"))
    ranks = target_ranks(model, SESSIONS, SESSIONS.examples("last"))
    assert validation_ndcg(model, SESSIONS)() == ndcg_at_10(ranks)


def test_a_training_without_a_validation_session_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="the validation part has no session"):
        validation_ndcg(untrained("fpmc", fit_params("strong")), batches())()


def test_parts_hold_their_sessions_in_order() -> None:
    frame = chain_sessions(3, 2)
    parts = by_part(frame, CPU)
    assert [len(parts[part]) for part in ("training", "validation", "test")] == [3, 2, 2]
    assert parts["validation"].items.tolist() == frame["items"][3:5].explode().to_list()


def test_the_trained_weights_are_those_of_the_best_row_of_the_log(tmp_path: Path) -> None:
    params = training_params(max_steps=60, evaluate_every=20)
    done = train_role("teacher", params, CELL, chain_sessions(), N_ITEMS, tmp_path)
    validation = chain_parts()["validation"]
    assert done.steps == 60
    assert done.log["best"].sum() == 1
    assert done.validation_ndcg == validation_ndcg(done.model, validation)()
    assert done.validation_ndcg == done.log["validation_ndcg"].max()
    assert not done.model.training
    assert list(tmp_path.iterdir()) == []  # a finished training leaves no checkpoint


def test_teacher_and_student_differ_in_width_and_share_the_rest(tmp_path: Path) -> None:
    params = training_params(max_steps=2, evaluate_every=1)
    frame = chain_sessions(20, 10)
    teacher = train_role("teacher", params, CELL, frame, N_ITEMS, tmp_path)
    student = train_role("student", params, CELL, frame, N_ITEMS, tmp_path)
    assert teacher.model.items.weight.shape == (N_ITEMS + 1, 16)
    assert student.model.items.weight.shape == (N_ITEMS + 1, 8)
    assert teacher.description["fit"] == student.description["fit"]


def test_a_seed_is_another_model_and_the_dataset_s_name_is_not(tmp_path: Path) -> None:
    params, frame = training_params(max_steps=2, evaluate_every=1), chain_sessions(20, 10)

    def weights(cell: Cell) -> torch.Tensor:
        return train_role("student", params, cell, frame, N_ITEMS, tmp_path).model.items.weight

    first = weights(CELL)
    assert torch.equal(first, weights(Cell("other", "fpmc", "strong", 3)))
    assert not torch.equal(first, weights(Cell("chains", "fpmc", "strong", 4)))


def test_a_backbone_and_a_recipe_decide_what_is_built(tmp_path: Path) -> None:
    params, frame = training_params(max_steps=1, evaluate_every=1), chain_sessions(20, 10)
    for backbone in ("stamp", "sasrec"):
        for recipe in ("published", "strong"):
            cell = Cell("chains", backbone, recipe, 1)
            done = train_role("student", params, cell, frame, N_ITEMS, tmp_path)
            assert done.description["model"] == backbone
            assert (done.model.bias is None) == (recipe == "published")


def test_a_backbone_is_trained_as_it_wants_a_recipe(tmp_path: Path) -> None:
    params, frame = training_params(max_steps=2, evaluate_every=1), chain_sessions(20, 10)
    changes = RecipeChanges(student=RoleChanges(learning_rate=0.5))
    wanted = params.backbones.fpmc.model_copy(update={"recipes": {"strong": changes}})
    backbones = params.backbones.model_copy(update={"fpmc": wanted})
    changed = params.model_copy(update={"backbones": backbones})
    first = train_role("student", params, CELL, frame, N_ITEMS, tmp_path)
    other = train_role("student", changed, CELL, frame, N_ITEMS, tmp_path)
    assert not torch.equal(first.model.items.weight, other.model.items.weight)
    assert other.description["role"] == {**first.description["role"], "learning_rate": 0.5}
    assert other.description["backbone"] == first.description["backbone"] == {}


def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of unfinished trainings that each differ in one thing."""
    names: list[str] = []

    def note(root: Path, *what: object) -> Path:
        names.append(training_folder(root, *what).name)
        return root / "one"

    monkeypatch.setattr(recipes, "training_folder", note)
    monkeypatch.setattr(training, "fit", lambda *_, **__: None)
    frame, params = chain_sessions(20, 10), training_params()
    other = frame.with_columns(items=pl.col("items").list.reverse())
    moved = frame.with_columns(part=pl.lit("training"))
    slower = training_params(max_steps=7)
    for role, cell, given, sessions, n_items in (
        ("student", CELL, params, frame, N_ITEMS),
        ("teacher", CELL, params, frame, N_ITEMS),
        ("student", Cell("chains", "fpmc", "strong", 4), params, frame, N_ITEMS),
        ("student", Cell("chains", "fpmc", "published", 3), params, frame, N_ITEMS),
        ("student", Cell("chains", "stamp", "strong", 3), params, frame, N_ITEMS),
        ("student", CELL, slower, frame, N_ITEMS),
        ("student", CELL, params, other, N_ITEMS),
        ("student", CELL, params, moved, N_ITEMS),
        ("student", CELL, params, frame, N_ITEMS + 1),
    ):
        train_role(role, given, cell, sessions, n_items, tmp_path)  # type: ignore[arg-type]
    return names


def test_whatever_decides_a_training_names_its_unfinished_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = folders(tmp_path, monkeypatch)
    assert len(set(names)) == len(names) == 9
    assert all(re.fullmatch("[0-9a-f]{24}", name) for name in names)
    assert folders(tmp_path, monkeypatch) == names


def test_other_code_does_not_finish_what_this_code_began(monkeypatch: pytest.MonkeyPatch) -> None:
    before = training_folder(Path("root"), "a", 1)
    assert before == training_folder(Path("root"), "a", 1)
    assert before != training_folder(Path("root"), "a", 2)
    monkeypatch.setattr(recipes, "_code", lambda: "other")
    assert training_folder(Path("root"), "a", 1) != before


def test_a_device_that_is_not_here_stops_before_any_work(tmp_path: Path) -> None:
    params = training_params()
    shared = params.shared.model_copy(update={"device": "cuda"})
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(ParamsError, match="'cuda' is not here"):
        train_role("student", params.model_copy(update={"shared": shared}), CELL,
                   chain_sessions(20, 10), N_ITEMS, tmp_path)  # fmt: skip
