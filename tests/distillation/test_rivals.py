"""The common loop: every rival on every backbone, what weight 0 is, and what is kept."""

import math
from dataclasses import replace

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import Tensor, nn

from pipeline.distillation import rivals as subject
from pipeline.distillation.material import Knowledge, Learned, Material
from pipeline.distillation.pairs import Pairs
from pipeline.distillation.rivals import RIVALS, WEIGHTS, learn, weights_tried
from pipeline.distillation.student import Lesson, continue_training
from pipeline.recommenders.recipes import validation_ndcg
from pipeline.recommenders.training import weights_of
from tests.distillation.materials import material, student, untaught
from tests.distillation.test_pairs import pairs_of
from tests.distillation.test_student import lesson
from tests.recommenders.toys import chain_parts, fit_params

TWO_TABLES, ONE_TABLE = ("fpmc", "published"), ("attenmixer", "strong")
"""Two tables without offsets, one with them; vectors as they are stored, and of length 1."""
OTHERS = [("stamp", "published"), ("gru4rec", "strong"), ("sasrec", "strong")]
ADDED = [name for name in RIVALS if name != "dsl"]
LISTS = ("teacher_ranking", "exact_tuned")


def short(recipe: str, steps: int = 3, seed: int = 1) -> Lesson:
    few = {"max_steps": steps, "evaluate_every": 1}
    course = lesson(recipe, seed, patience=99, **few)
    return replace(course, recipe=fit_params(recipe, **few))  # `dsl` goes by the recipe's own


def test_the_rivals_have_their_names() -> None:
    names = ["de", "ftd", "htd", "unkd", "dsl", "dllm2rec", "teacher_ranking", "exact_tuned"]
    assert list(RIVALS) == names
    assert [len(weights_tried(name)) for name in names] == [5, 5, 5, 5, 1, 5, 5, 5]
    assert weights_tried("de") == WEIGHTS


@pytest.mark.parametrize(
    ("name", "backbone", "recipe"),
    [(name, *cell) for name in RIVALS for cell in (TWO_TABLES, ONE_TABLE)]
    + [(name, *cell) for name in ("ftd", "dsl") for cell in OTHERS],
)  # what a rival asks of a backbone is what ftd asks: vectors; dsl has masks for all its matrices
def test_every_rival_teaches_models_of_every_form(name: str, backbone: str, recipe: str) -> None:
    course = short(recipe)
    made = untaught(backbone, recipe)
    result = learn(name, made, 1.0, course)
    losses = result.log["loss"].to_list()[1:]
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    assert max(result.log["validation_ndcg"].to_list()) == pytest.approx(
        validation_ndcg(result.model, chain_parts()["validation"])()
    )
    assert not result.model.training
    assert not result.model.items.weight[0].any()
    assert not result.model.context.weight[0].any()
    if name != "dsl":
        assert result.model is made.student
        start = untaught(backbone, recipe).student
        alone = continue_training(start, 3, course)["loss"].to_list()[1:]
        assert losses[0] > alone[0]  # something is added,
        base = [one - two for one, two in zip(losses, alone, strict=True)]
        assert base[0] != pytest.approx(base[2], abs=1e-6)  # and it moves


@pytest.mark.parametrize("name", ADDED)
def test_without_weight_a_rival_is_the_control(name: str) -> None:
    control = student()
    expected = continue_training(control, 4, short("strong", 4))
    result = learn(name, material(), 0.0, short("strong", 4))
    assert_frame_equal(result.log, expected, check_exact=True)
    for one, other in zip(result.model.parameters(), control.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", list(RIVALS))
def test_equal_seeds_give_equal_models_and_others_do_not(name: str) -> None:
    def run(seed: int) -> Learned:
        return learn(name, material(), 0.1, short("strong", seed=seed))

    first, again, other = run(1), run(1), run(2)
    assert_frame_equal(first.log, again.log, check_exact=True)
    assert first.log["loss"].to_list() != other.log["loss"].to_list()
    for one, two in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)


class Spoiler(Knowledge):
    """Pulls the student's table apart, with a weight of its own."""

    def __init__(self, made: Material, _: Lesson) -> None:
        super().__init__(made.student)
        self.own = nn.Parameter(torch.ones(3))

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return what is smallest where every item is alike."""
        return self.own.square().sum() + 1e4 * (self.student.items.weight[1:] - 1).square().sum()


def spoilt() -> tuple[dict[str, Tensor], Learned]:
    made = material()
    before = weights_of(made.student)
    rival = subject._added("spoiler", Spoiler)
    return before, rival(made, 1.0, lesson(max_steps=20, patience=2))


def test_a_student_that_was_only_harmed_keeps_its_weights_alone() -> None:
    before, result = spoilt()
    assert result.log["best"].to_list() == [True, False, False]
    after = weights_of(result.model)
    assert list(after) == list(before)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert result.numbers == sum(weight.numel() for weight in before.values())


@pytest.mark.parametrize("name", ADDED)
def test_what_is_trained_along_is_thrown_away(name: str) -> None:
    result = learn(name, material(), 1.0, short("strong"))
    assert list(weights_of(result.model)) == list(weights_of(student()))
    assert result.built_as == "student"
    assert result.index_bytes == 0


def test_good_rankings_lift_a_student_through_the_common_loop() -> None:
    made = material()
    with torch.no_grad():
        for weight in made.student.parameters():
            weight.mul_(0.1)
    start = validation_ndcg(made.student, chain_parts()["validation"])()
    log: pl.DataFrame = learn("teacher_ranking", made, 1.0, lesson(max_steps=60)).log
    assert log["validation_ndcg"][0] == pytest.approx(start)
    assert max(log["validation_ndcg"].to_list()) > start


def test_the_llms_rankings_and_the_teachers_are_learnt_in_the_same_way() -> None:
    course = short("strong")
    teachers, llms = (learn(name, material(), 0.1, course) for name in LISTS)
    assert_frame_equal(teachers.log, llms.log, check_exact=True)


@pytest.mark.parametrize("name", [*LISTS, "dllm2rec"])
@pytest.mark.parametrize("pairs", [None, pairs_of([[1, 2, 3]], {0: []})])
def test_without_a_ranking_there_is_nothing_to_learn(name: str, pairs: Pairs | None) -> None:
    with pytest.raises(ValueError, match=r"Material\.pairs must hold some"):
        learn(name, material(pairs=pairs), 1.0, lesson())


def test_teacher_and_student_must_be_of_one_backbone() -> None:
    made = untaught("fpmc", "strong", teacher=untaught("stamp", "strong").teacher)
    with pytest.raises(ValueError, match="two backbones"):
        learn("ftd", made, 1.0, lesson())
