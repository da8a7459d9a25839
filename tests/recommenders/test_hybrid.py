"""Counts, titles and students in one: scores, what is stored, and how the weights are chosen."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.params.distillation import HybridParams
from pipeline.recommenders import hybrid, registry
from pipeline.recommenders.base import Recommender
from pipeline.recommenders.compact.quantised import Quantised
from pipeline.recommenders.counting.itemknn_titles import ItemKnnTitles, titles_of
from pipeline.recommenders.counting.packing import pack_texts
from pipeline.recommenders.hybrid import Hybrid, StudentShares, mixed
from pipeline.recommenders.ranking import gains_at_10, target_ranks
from pipeline.recommenders.weights import Choice, choose_weights
from tests.recommenders.counting.test_itemknn_titles import chosen
from tests.recommenders.toys import N_ITEMS, SHIPPED, batches, chain_parts, padded, trained

TEXTS = [f"{('red', 'blue', 'green')[place % 3]} car {place // 8}" for place in range(N_ITEMS)]
ROWS = [[3], [5, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9], [40, 1, 39, 2]]
WEIGHTS = {"counts": 1.0, "titles": 0.1, "students": 2.0}


@lru_cache
def counting(stored: str = "pairs", weight: float = 0.1) -> ItemKnnTitles:
    """Return counts of the chains with titles of little use."""
    parts = chain_parts()
    return chosen(
        TEXTS, parts["training"], parts["validation"], stored=stored, title_weight=(weight,)
    )[0]


@lru_cache
def student(recipe: str) -> Quantised:
    done = trained("fpmc", recipe)
    model = registry.build(
        "fpmc",
        N_ITEMS,
        SHIPPED.training.recipes[recipe].fit.model_copy(
            update={"max_length": done.model.max_length}
        ),
        SHIPPED.training.recipes[recipe].student.model_copy(update={"dimension": 16}),
        SHIPPED.training.backbones.fpmc,
    )
    model.load_state_dict(done.model.state_dict())
    return Quantised.of(model.eval(), done.description, 8)


def made(stored: str = "pairs", recipes: Sequence[str] = ("strong",), **weights: float) -> Hybrid:
    tensors = {**counting(stored).tensors(), "titles": pack_texts(TEXTS)}
    students = [student(recipe) for recipe in recipes]
    return mixed(counting(stored).numbers, tensors, students, {**WEIGHTS, **weights})


def scores(model: Recommender, rows: Sequence[Sequence[int]] = ROWS) -> torch.Tensor:
    queries = model.encode(padded(*rows)[:, -model.max_length :])
    with torch.no_grad():
        return model.score(queries, 1, model.n_items + 1)


@pytest.mark.parametrize("recipes", [("strong",), ("strong", "published")])
def test_scores_are_the_sum_of_shares_cosines_and_mean_softmaxes(recipes: list[str]) -> None:
    softmaxes = [scores(student(recipe).model).softmax(1) for recipe in recipes]
    expected = (
        scores(counting().counts)
        + 0.1 * scores(counting().titles)
        + 2 * torch.stack(softmaxes).mean(0)
    )
    torch.testing.assert_close(scores(made(recipes=recipes)), expected)


@pytest.mark.parametrize("at_once", [1, 7, 40, 2**14])
def test_students_shares_sum_to_one_however_the_catalogue_is_gone_through(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hybrid, "RANGE", at_once)
    students = [student("strong").model, student("published").model]
    shares = StudentShares(students, np.array([0] + [1] * 30 + [0] * 10, np.float32))
    found = scores(shares)
    assert not found[:, 30:].any()  # never seen in training
    assert found.sum(1).tolist() == pytest.approx([1] * len(ROWS), abs=1e-5)
    assert shares.encode(padded(*ROWS)).shape == (len(ROWS), shares.width)


def test_scores_of_ranges_are_scores_at_once() -> None:
    model = made(recipes=("strong", "published"))
    queries = model.encode(padded(*ROWS))
    every = model.score(queries, 1, N_ITEMS + 1)
    for bounds in ((1, 2), (1, 11), (11, 41), (40, 41)):
        some = model.score(queries, *bounds)
        torch.testing.assert_close(some, every[:, bounds[0] - 1 : bounds[1] - 1])
    alone = torch.cat([scores(model, [row]) for row in ROWS])
    torch.testing.assert_close(alone, every)
    assert every.isfinite().all()


@pytest.mark.parametrize("stored", ["pairs", "sessions"])
def test_without_a_student_it_is_counting_with_titles_exactly(stored: str) -> None:
    model = made(stored, students=0.0)
    assert torch.equal(scores(model), scores(counting(stored)))
    assert set(model.tensors()) == set(counting(stored).tensors())
    assert model.numbers["students"] == []
    assert model.numbers["parameters"] == counting(stored).numbers["parameters"]


@pytest.mark.parametrize("stored", ["pairs", "sessions"])
@pytest.mark.parametrize("weights", [{}, {"students": 0.0}, {"counts": 0.0}, {"titles": 0.0}])
def test_a_folder_scores_the_same_and_is_saved_to_the_same_bytes(
    stored: str, weights: dict[str, float], tmp_path: Path
) -> None:
    model = made(stored, ("strong", "published"), **weights)
    registry.save(tmp_path / "a", model.numbers, model.tensors())
    again = registry.load(tmp_path / "a")
    assert isinstance(again, Hybrid)
    assert torch.equal(scores(again), scores(model))
    assert torch.equal(again.scorable(), model.scorable())
    registry.save(tmp_path / "b", again.numbers, again.tensors())
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_what_weighs_nothing_is_not_stored() -> None:
    stored = set(made("sessions", counts=0.0).tensors())
    assert not any(name.startswith(("sessions", "pairs")) for name in stored)
    assert {"popularity", "titles"} <= stored
    assert "titles" not in made(titles=0.0).tensors()


def test_cold_items_have_scores_by_their_titles() -> None:
    training = batches(*[[1, 2, 3], [2, 3, 4]] * 3)
    knn, _ = chosen(TEXTS, training, training, title_weight=(0.5,))
    tensors = {**knn.tensors(), "titles": pack_texts([*TEXTS[:-1], ""])}
    model = mixed(knn.numbers, tensors, [student("strong")], WEIGHTS)
    assert model.scorable().tolist() == [False, *[True] * 39, False]
    rows = [[40], [1], [40, 39]]
    found = scores(model, rows)
    assert found.isfinite().all()
    by_title = scores(titles_of(model.numbers, model.tensors()), rows)
    torch.testing.assert_close(found[:, 4:], 0.1 * by_title[:, 4:])  # 5 to 40 are cold
    assert found[1, 4:].any()


PARAMS = HybridParams(
    student="student", bits=8, student_weight=(0.5, 2), title_share=(0, 0.1), margin=1
)


def choice(margin: float = 1, training: int = 240, **changes: object) -> Choice:
    parts = chain_parts()
    few = parts["training"].offsets[training]
    seen = replace(
        parts["training"],
        items=parts["training"].items[:few],
        offsets=parts["training"].offsets[: training + 1],
    )
    knn, _ = chosen(TEXTS, seen, parts["validation"], title_weight=(0.1,))
    shares = StudentShares([student("strong").model], knn.counts.counting.popularity)
    titles = titles_of(knn.numbers, {"titles": pack_texts(TEXTS)})
    params = PARAMS.model_copy(update={"margin": margin, **changes})
    found = choose_weights(knn, titles, shares, parts["validation"], params)
    tensors = {**knn.tensors(), "titles": pack_texts(TEXTS)}
    weights = {"counts": 1, "titles": found.titles, "students": found.students}
    model = mixed(knn.numbers, tensors, [student("strong")], weights)
    ranks = target_ranks(model, parts["validation"], parts["validation"].examples("last"))
    assert found.ndcg == pytest.approx(float(gains_at_10(ranks).mean()))
    return found


def test_a_student_that_knows_more_than_the_counts_is_taken() -> None:
    found = choice(training=8)
    assert found.students in (0.5, 2)
    assert found.ndcg == pytest.approx(found.without + found.gain)
    assert found.gain > found.error


def test_a_student_that_gains_less_than_the_margin_is_left() -> None:
    found = choice(training=8, margin=1000)
    assert found.gain > 0
    assert (found.students, found.titles) == (0, 0.1)
    assert found.ndcg == found.without
    known = choice()
    assert known.students == 0
