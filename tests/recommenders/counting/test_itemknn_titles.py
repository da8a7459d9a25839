"""Counting with titles: shares of counts plus cosines of titles, chosen and stored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.params.training import CountingParams
from pipeline.recommenders import registry
from pipeline.recommenders.base import Recommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.counting.itemknn_titles import ItemKnnTitles
from pipeline.recommenders.counting.making import choose_itemknn, choose_titles, counting_within
from pipeline.recommenders.counting.packing import pack_texts
from pipeline.recommenders.ranking import ndcg_at_10, ranks_of_mixtures, target_ranks, top_items
from tests.recommenders.toys import SHIPPED, batches, padded

TEXTS = ["red car", "red bus", "blue bus", "blue van", "green van", "red van"]
TRAINING = batches([1, 2, 3], [2, 1, 3], [3, 4, 2], [1, 2])  # 5 and 6 are cold
VALIDATION = batches([1, 6], [3, 4], [2, 5])


def counting(**changes: object) -> CountingParams:
    shipped = SHIPPED.training.counting
    few = {"decay": (0.5,), "backward": (0.5,), "recency": (0.8,), "candidate_power": (0.25,)}
    return shipped.model_copy(update={**few, "title_weight": (0, 0.1, 0.5), **changes})


def chosen(
    texts: list[str] = TEXTS,
    training: SessionBatches = TRAINING,
    validation: SessionBatches = VALIDATION,
    **changes: object,
) -> tuple[ItemKnnTitles, float]:
    params = counting(**changes)
    knn, _ = choose_itemknn(training, validation, len(texts), params)
    return choose_titles(knn, training, validation, texts, params)


def scores(model: Recommender, *sessions: list[int]) -> torch.Tensor:
    return model.score(model.encode(padded(*sessions)), 1, model.n_items + 1)


@pytest.mark.parametrize("stored", ["pairs", "sessions"])
def test_scores_are_shares_of_counts_plus_weighed_cosines(stored: str) -> None:
    model, _ = chosen(stored=stored)
    weight = model.numbers["title_weight"]
    found = scores(model, [1, 2], [4])
    plain = scores(model.counts.counting, [1, 2], [4])
    cosines = scores(model.titles, [1, 2], [4])
    shares = plain / plain.sum(1, keepdim=True)
    assert weight > 0
    torch.testing.assert_close(found, shares + weight * cosines)
    assert scores(model.counts, [1, 2], [4]).sum(1).tolist() == pytest.approx([1, 1], abs=1e-6)


def test_counts_of_sessions_are_those_of_itemknn_exactly() -> None:
    knn, _ = choose_itemknn(TRAINING, VALIDATION, 6, counting())
    model, _ = chosen(stored="sessions", title_weight=(0,))
    assert np.array_equal(model.counts.counting.counts.toarray(), knn.counts.toarray())
    found, expected = scores(model, [1, 2], [4, 3]), scores(knn, [1, 2], [4, 3])
    torch.testing.assert_close(found, expected / expected.sum(1, keepdim=True))


def test_the_weight_with_the_best_validation_figure_is_kept_and_of_equal_ones_the_first() -> None:
    model, figure = chosen()
    examples = VALIDATION.examples("last")
    weights = counting().title_weight
    ranks = ranks_of_mixtures(
        [model.counts, model.titles], [(1, one) for one in weights], VALIDATION, examples
    )
    figures = [ndcg_at_10(row) for row in ranks]
    assert len(set(figures)) > 1
    assert figure == max(figures) == ndcg_at_10(target_ranks(model, VALIDATION, examples))
    assert model.numbers["title_weight"] == weights[figures.index(figure)]
    again, _ = chosen(title_weight=(0.3, 0.3001))
    assert again.numbers["title_weight"] == 0.3


def test_cold_items_are_scored_by_their_titles() -> None:
    model, _ = chosen(title_weight=(0.5,))
    found = scores(model, [1])
    assert found[0, 5] > 0  # 'red van' after 'red car'
    assert found[0, 4] == 0  # 'green van' shares nothing with it
    assert model.scorable().tolist() == [False, *[True] * 6]
    without, _ = chosen(title_weight=(0,))
    assert without.scorable().tolist() == [False, *[True] * 4, False, False]


def test_a_session_of_cold_items_without_a_title_is_no_number_nowhere() -> None:
    texts = [*TEXTS[:4], "", "red van"]
    model, _ = chosen(texts, title_weight=(0.5,))
    assert scores(model, [5]).tolist() == [[0] * 6]
    assert model.scorable().tolist()[5] is False
    assert scores(model, [5], [6], [5, 6]).isfinite().all()


@pytest.mark.parametrize("texts", [[""] * 6, ["one", "two", "three", "four", "five", "six"]])
def test_without_titles_that_say_anything_it_is_counting(texts: list[str]) -> None:
    model, figure = chosen(texts)
    plain, _ = chosen(TEXTS, title_weight=(0,))
    assert torch.equal(scores(model, [1, 2], [4]), scores(plain, [1, 2], [4]))
    assert model.scorable().tolist() == plain.scorable().tolist()
    assert figure == ndcg_at_10(target_ranks(plain, VALIDATION, VALIDATION.examples("last")))


def test_no_title_is_stored_where_titles_weigh_nothing() -> None:
    assert "titles" not in chosen([""] * 6)[0].tensors()
    assert "titles" not in chosen(title_weight=(0,))[0].tensors()
    assert "titles" in chosen(title_weight=(0.5,))[0].tensors()


def test_items_of_one_title_differ_by_their_counts_alone() -> None:
    model, _ = chosen(["car", "car", "car", "van", "van", "car"], title_weight=(0.5,))
    found = scores(model.titles, [1])[0]
    assert found[[0, 1, 2, 5]].tolist() == pytest.approx([1] * 4, abs=1e-6)
    best, _ = top_items(model, padded([1]), 5)
    assert best[0, 0] == 2  # most often beside item 1
    assert best[0, -1] in (4, 5)


@settings(max_examples=25, deadline=None)
@given(
    sessions=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=6), min_size=1, max_size=4),
    at=st.integers(2, 6),
)
def test_scores_of_ranges_are_scores_at_once(sessions: list[list[int]], at: int) -> None:
    queries = MODEL.encode(padded(*sessions))
    every = MODEL.score(queries, 1, 7)
    ranges = [MODEL.score(queries, *bounds) for bounds in ((1, at), (at, 7))]
    assert torch.equal(torch.cat(ranges, 1), every)
    assert every.isfinite().all()


MODEL = chosen(title_weight=(0.5,))[0]


@pytest.mark.parametrize("stored", ["pairs", "sessions"])
@pytest.mark.parametrize("weight", [0, 0.5])
def test_a_folder_scores_the_same_and_is_saved_to_the_same_bytes(
    stored: str, weight: float, tmp_path: Path
) -> None:
    model, _ = chosen(stored=stored, title_weight=(weight,))
    registry.save(tmp_path / "a", model.numbers, model.tensors())
    again = registry.load(tmp_path / "a")
    assert isinstance(again, ItemKnnTitles)
    assert torch.equal(scores(again, [1, 2], [4]), scores(model, [1, 2], [4]))
    registry.save(tmp_path / "b", again.numbers, again.tensors())
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_titles_of_another_catalogue_are_one_line(tmp_path: Path) -> None:
    tensors = {**MODEL.tensors(), "titles": pack_texts(TEXTS[:5])}
    registry.save(tmp_path, MODEL.numbers, tensors)
    with pytest.raises(DataError, match=r"no readable model \(5 titles of 6 items\)"):
        registry.load(tmp_path)


def test_packed_bytes_that_are_cut_are_one_line(tmp_path: Path) -> None:
    titles = MODEL.tensors()["titles"]
    registry.save(tmp_path, MODEL.numbers, {**MODEL.tensors(), "titles": titles[:-9]})
    with pytest.raises(DataError, match="no readable model"):
        registry.load(tmp_path)


@pytest.mark.parametrize("size", [2_600, 3_000, 10**6])
def test_counting_within_given_bytes_keeps_to_them_with_all_its_files(
    size: int, tmp_path: Path
) -> None:
    rows = torch.randint(1, 61, (200, 5), generator=torch.Generator().manual_seed(1)).tolist()
    training = batches(*rows)
    knn, _ = choose_itemknn(training, training, 60, counting())
    model = counting_within(knn, training, size)
    registry.save(tmp_path, model.numbers, model.tensors())
    stored = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert stored <= size
    kept, all_pairs = model.counts.counting.counts.nnz, knn.counts.nnz
    assert (kept == all_pairs) == (size == 10**6)
    assert kept > 0
