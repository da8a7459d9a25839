"""Dynamic sparse learning: as many numbers as the student, zeros that stay, and a clean past."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.distillation import dsl
from pipeline.distillation.dsl import Sparse, living, matrices, numbers_of, share_at
from pipeline.distillation.material import Learned
from pipeline.distillation.rivals import learn
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from tests.distillation.materials import NARROW, material
from tests.distillation.test_student import lesson
from tests.recommenders.toys import N_ITEMS, OWN, ROLE, fit_params, untrained

BACKBONES = ["fpmc", "stamp", "attenmixer", "gru4rec", "sasrec"]


def nonzero(model: EmbeddingRecommender) -> int:
    return sum(int((weight != 0).sum()) for _, weight, _ in matrices(model))


def vectors(model: EmbeddingRecommender) -> int:
    return sum(weight.numel() for weight in model.parameters() if weight.dim() != 2)


def sparse(backbone: str = "fpmc", recipe: str = "strong") -> tuple[EmbeddingRecommender, Sparse]:
    model = untrained(backbone, fit_params(recipe))
    numbers = numbers_of(untrained(backbone, fit_params(recipe), NARROW))
    return model, Sparse(model, numbers, torch.Generator().manual_seed(1))


def learnt(
    recipe: str = "strong", steps: int = 30, backbone: str = "fpmc", **changes: Any
) -> Learned:
    """Return a sparse model after a short training, with exchanges in it."""
    made = lesson(recipe)
    fit = made.recipe.model_copy(update={"max_steps": steps, "evaluate_every": 10, **changes})
    short = type(made)(made.parts, fit, made.params, 1, "")
    return learn("dsl", material(backbone, recipe), 1.0, short)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_as_many_numbers_live_as_the_narrow_model_has(backbone: str, recipe: str) -> None:
    model, masks = sparse(backbone, recipe)
    narrow = untrained(backbone, fit_params(recipe), NARROW)
    padding = (1 if narrow.context is narrow.items else 2) * 8
    assert masks.numbers == sum(weight.numel() for weight in narrow.parameters()) - padding
    assert sum(int(mask.sum()) for mask in masks.masks.values()) == masks.numbers - vectors(model)
    for name, weight, padded in matrices(model):
        mask = masks.masks[name]
        assert mask[int(padded) :].any(1).all()
        assert not (padded and mask[0].any())
        assert not weight[~mask].any()


def test_the_density_by_hand() -> None:
    # fpmc, published: two tables of 40 x 16; the narrow model has two of 40 x 8: half of each
    model, masks = sparse(recipe="published")
    assert {name: int(mask.sum()) for name, mask in masks.masks.items()} == {
        "items.weight": 320,
        "context.weight": 320,
    }
    assert masks.index_bytes == 2 * 41 * 16 // 8
    assert masks.numbers == 640
    assert numbers_of(model) == 1280


def test_fewer_numbers_than_rows_are_refused() -> None:
    model = untrained("fpmc", fit_params("published"))
    assert sum(living(model, 80).values()) == 80
    with pytest.raises(ValueError, match="too few"):
        living(model, 79)


def test_the_share_falls_as_a_cosine() -> None:
    assert share_at(0) == 0.5
    assert share_at(500) == pytest.approx((0.5 + 0.005) / 2)
    assert share_at(1000) == pytest.approx(0.005)
    assert share_at(5000) == pytest.approx(0.005)


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_zeros_stay_zero_while_it_learns_and_when_it_is_loaded(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dsl, "EVERY", 4)
    result = learnt(recipe, average=0.9 if recipe == "strong" else 0.0)
    assert max(result.log["validation_ndcg"].to_list()) > result.log["validation_ndcg"][0]
    assert not result.log["best"][0]
    assert result.numbers == numbers_of(untrained("fpmc", fit_params(recipe), NARROW))
    assert nonzero(result.model) <= result.numbers - vectors(result.model)
    assert nonzero(result.model) > 0.8 * (result.numbers - vectors(result.model))
    assert result.built_as == "teacher"
    assert result.index_bytes == sum(
        -(-weight.numel() // 8) for _, weight, _ in matrices(result.model)
    )
    assert result.bytes == 4 * result.numbers + result.index_bytes
    for _, weight, padded in matrices(result.model):
        assert (weight[int(padded) :] != 0).any(1).all()
    registry.save_neural(
        tmp_path,
        result.model,
        registry.describe("fpmc", N_ITEMS, fit_params(recipe), ROLE, OWN.fpmc),
    )
    loaded = registry.load_neural(tmp_path)
    for (_, one, _), (_, other, _) in zip(matrices(loaded), matrices(result.model), strict=True):
        assert torch.equal(one, other)


def test_the_dead_are_zero_after_every_step_and_the_reborn_have_no_past() -> None:
    model, masks = sparse(recipe="published")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for step in range(1, 4):
        sum(weight.square().sum() + weight.sum() for weight in model.parameters()).backward()  # type: ignore[union-attr]
        optimizer.step()
        before = copy.deepcopy(masks.masks)
        assert any(weight[~before[name]].any() for name, weight, _ in matrices(model))
        masks.after_step(optimizer, 100 if step == 3 else step)
        for name, weight, _ in matrices(model):
            assert not weight[~masks.masks[name]].any()
            moment = optimizer.state[weight]["exp_avg"]
            if step == 3:
                born = masks.masks[name] & ~before[name]
                assert born.any()
                assert not moment[born].any()
                assert moment[before[name]].all()
                assert masks.masks[name].sum() == before[name].sum()
            else:
                assert torch.equal(masks.masks[name], before[name])
                assert moment[~before[name]].any()


def test_weights_without_a_gradient_are_exchanged_too() -> None:
    result = learnt(steps=101, backbone="attenmixer")  # four items ask no query of a fifth level
    assert result.log["step"][-1] == 100


def test_it_starts_from_scratch_and_leaves_teacher_and_student_alone() -> None:
    made = material()
    before = [
        weight.clone() for model in (made.teacher, made.student) for weight in model.parameters()
    ]
    result = learn("dsl", made, 1.0, lesson(max_steps=5))
    after = [weight for model in (made.teacher, made.student) for weight in model.parameters()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert result.log["validation_ndcg"][0] < 0.3
    assert result.model.items.embedding_dim == 16


def test_how_the_teacher_was_trained_must_be_said() -> None:
    with pytest.raises(ValueError, match=r"Material\.role"):
        learn("dsl", material(role=None), 1.0, lesson())
