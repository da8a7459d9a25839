"""Fine-tuning on rankings: what is learnt, what is kept, and the control of the same steps."""

from typing import Any

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from pipeline import seeds
from pipeline.distillation import student as subject
from pipeline.distillation.losses import in_batch_pairwise, uniform_pairwise
from pipeline.distillation.pairs import Pairs
from pipeline.distillation.student import Lesson, continue_training, distil
from pipeline.params.distillation import DistillRecipeParams
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.recipes import recipe_loss, validation_ndcg
from pipeline.recommenders.training import batch_of, weights_of
from tests.distillation.test_pairs import labelled, pairs_of
from tests.recommenders.toys import (
    N_ITEMS,
    chain_parts,
    chain_sessions,
    fit_params,
    trained,
    untrained,
)


def lesson(recipe: str = "strong", seed: int = 1, **changes: Any) -> Lesson:
    """Return a short lesson on the chains."""
    values: dict[str, Any] = {
        "base_share": 0,
        "negatives": "uniform",
        "learning_rate": 0.02,
        "batch": 64,
        "evaluate_every": 10,
        "patience": 3,
        "max_steps": 60,
    }
    params = DistillRecipeParams.model_validate(values | changes)
    return Lesson(chain_parts(), fit_params(recipe), params, seed, "chains")


def rankings(count: int = 60, length: int = 5) -> pl.DataFrame:
    """Return rankings that begin with the item that follows in the chain."""
    items = chain_sessions()["items"].to_list()[:count]
    return labelled(
        {
            row: [(session[-2] + place) % N_ITEMS + 1 for place in range(length)]
            for row, session in enumerate(items)
        }
    )


def good_pairs() -> Pairs:
    return Pairs.of(chain_sessions(), rankings(), [(1, 3.0), (5, 1.0)])


def wrong_pairs() -> Pairs:
    """Return rankings that say the opposite of the chains."""
    items = chain_sessions()["items"].to_list()[:60]
    away = {row: [(session[-1] + 20) % N_ITEMS + 1] for row, session in enumerate(items)}
    return Pairs.of(chain_sessions(), labelled(away), [(5, 3.0)])


def fresh(backbone: str = "fpmc", recipe: str = "strong") -> EmbeddingRecommender:
    """Return a model that was trained on the chains, to be changed."""
    model = untrained(backbone, fit_params(recipe))
    model.load_state_dict(trained(backbone, recipe).model.state_dict())
    return model


@pytest.mark.parametrize("negatives", ["uniform", "in_batch"])
@pytest.mark.parametrize(("backbone", "recipe"), [("fpmc", "published"), ("stamp", "strong")])
def test_rankings_alone_teach_an_untrained_student(
    negatives: str, backbone: str, recipe: str
) -> None:
    model = untrained(backbone, fit_params(recipe))
    log = distil(model, good_pairs(), lesson(recipe, negatives=negatives, max_steps=100))
    figures = log["validation_ndcg"].to_list()
    assert figures[0] < 0.35
    assert max(figures) > figures[0] + 0.15
    assert validation_ndcg(model, chain_parts()["validation"])() == max(figures)


def test_the_student_keeps_its_weights_where_nothing_helps() -> None:
    model = fresh()
    before = weights_of(model)
    log = distil(model, wrong_pairs(), lesson())
    assert log["best"].to_list()[0]
    assert log["step"].to_list() == [0, 10, 20, 30]  # patience 3
    after = weights_of(model)
    assert all(torch.equal(before[name], after[name]) for name in before)


def undecided(recipe: str) -> EmbeddingRecommender:
    """Return a model whose scores lie close together, with offsets if the recipe has them."""
    model = untrained("fpmc", fit_params(recipe))
    if model.bias is not None:
        torch.nn.init.normal_(model.bias, generator=torch.Generator().manual_seed(1))
    return model


def first_loss(model: EmbeddingRecommender, pairs: Pairs, recipe: str, **changes: Any) -> float:
    """Return the loss of the first step."""
    one = lesson(recipe, evaluate_every=1, max_steps=1, **changes)
    return float(distil(model, pairs, one)["loss"][1])


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_the_uniform_loss_is_that_of_drawn_negatives(recipe: str) -> None:
    pairs, model = good_pairs(), undecided(recipe)
    rows = batch_of(len(pairs), 64, 0, 1)
    drawn = pairs.negatives(rows, N_ITEMS, seeds.torch_generator(1, "negatives", 0))
    queries = model.encode(pairs.sessions[pairs.session[rows]])
    scores = model.score(queries, 1, N_ITEMS + 1)
    own, other = (scores.gather(1, item[:, None] - 1)[:, 0] for item in (pairs.item[rows], drawn))
    expected = uniform_pairwise(own, other, pairs.weight[rows]).item()
    assert first_loss(model, pairs, recipe) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_the_in_batch_loss_meets_the_other_rows_items(recipe: str) -> None:
    pairs, model = good_pairs(), undecided(recipe)
    rows = batch_of(len(pairs), 64, 0, 1)
    queries, items = model.encode(pairs.sessions[pairs.session[rows]]), pairs.item[rows]
    scores = model.score(queries, 1, N_ITEMS + 1)[:, items - 1]
    expected = in_batch_pairwise(scores, pairs.session[rows], items, pairs.weight[rows]).item()
    found = first_loss(model, pairs, recipe, negatives="in_batch")
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_a_share_of_the_base_loss_is_added(recipe: str) -> None:
    model, sessions = fresh(recipe=recipe), chain_parts()["training"]
    seed, fit = seeds.derive(1, "base"), fit_params(recipe)
    rows = batch_of(len(sessions.examples(fit.examples)), fit.batch, 0, seed)
    base = recipe_loss(model, sessions, fit, seed)(rows, 0).item()
    alone = first_loss(fresh(recipe=recipe), good_pairs(), recipe)
    found = first_loss(fresh(recipe=recipe), good_pairs(), recipe, base_share=0.5)
    assert base > 0
    assert found == pytest.approx(alone + 0.5 * base, abs=1e-5)


def test_without_a_share_the_training_sessions_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subject, "recipe_loss", refuse)
    distil(fresh(), good_pairs(), lesson(max_steps=10))
    with pytest.raises(AssertionError):
        distil(fresh(), good_pairs(), lesson(max_steps=10, base_share=1))


def test_a_share_of_the_base_loss_guards_against_forgetting() -> None:
    quick: dict[str, Any] = {"max_steps": 60, "patience": 99}
    alone = distil(fresh(), wrong_pairs(), lesson(**quick))["validation_ndcg"][-1]
    guarded = distil(fresh(), wrong_pairs(), lesson(**quick, base_share=5))["validation_ndcg"][-1]
    assert guarded > alone + 0.05


@pytest.mark.parametrize("recipe", ["published", "strong"])
@pytest.mark.parametrize("steps", [0, 10, 40])
def test_the_control_takes_the_same_steps_however_bad_they_are(recipe: str, steps: int) -> None:
    log = continue_training(fresh(recipe=recipe), steps, lesson(recipe, patience=1))
    assert log["step"].to_list() == list(range(0, steps + 1, 10))


def test_the_control_learns_from_the_sessions_alone() -> None:
    model = untrained("fpmc", fit_params("strong"))
    log = continue_training(model, 60, lesson())
    assert max(log["validation_ndcg"].to_list()) > 0.6
    batch = batch_of(240 * 4, 64, 0, 1)
    first = untrained("fpmc", fit_params("strong"))
    loss = recipe_loss(first, chain_parts()["training"], fit_params("strong"), 1)(batch, 0)
    one = continue_training(first, 1, lesson(evaluate_every=1))
    assert one["loss"][1] == pytest.approx(loss.item(), abs=1e-5)


def test_sessions_longer_than_the_model_looks_at_are_cut() -> None:
    long = [list(range(1, 31))]
    pairs = pairs_of(long, {0: [35, 36]})
    assert pairs.sessions.shape == (1, 29)
    model = untrained("sasrec", fit_params("published"))  # has ten places
    distil(model, pairs, lesson("published", max_steps=10))


def test_equal_seeds_give_equal_students_and_others_do_not() -> None:
    def run(seed: int) -> tuple[EmbeddingRecommender, pl.DataFrame]:
        model = fresh("stamp")
        never_best = lesson(seed=seed, max_steps=20, base_share=1)
        return model, distil(model, good_pairs(), never_best)

    (first, log), (again, log_again), (_, other) = run(1), run(1), run(2)
    assert_frame_equal(log, log_again, check_exact=True)
    assert log["loss"].to_list() != other["loss"].to_list()
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
