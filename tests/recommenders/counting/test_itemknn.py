"""Item co-occurrence: counts and scores of two sessions by hand, and how its form is chosen."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.params.training import CountingParams
from pipeline.recommenders import registry
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.counting.itemknn import Form, ItemKnn, count_pairs, popularity_of
from pipeline.recommenders.counting.making import choose_itemknn
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks, top_items
from tests.recommenders.toys import N_ITEMS, batches, chain_parts, padded

TWO = batches([1, 2, 3], [2, 1, 4])
PLAIN = Form(decay=0.5, recency=1, session_power=0, candidate_power=0)


def counts(sessions: SessionBatches, n_items: int, decay: float, neighbours: int = 0) -> np.ndarray:
    return np.asarray(count_pairs(sessions, n_items, decay, neighbours).toarray())


def scores(model: ItemKnn, *sessions: list[int]) -> list[list[float]]:
    queries = model.encode(padded(*sessions))
    return [[round(value, 5) for value in row] for row in model.score(queries, 1, 5).tolist()]


def test_backward_pairs_weigh_what_they_are_told() -> None:
    # (2, 1) of session 1 and (1, 2) of session 2 are backward: each way 1 forward + 1 backward
    found = np.asarray(count_pairs(TWO, 4, 0.5, 0, backward=0.25).toarray())
    assert found.tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1.25, 0.5, 1],
        [0, 1.25, 0, 1, 0.5],
        [0, 0.125, 0.25, 0, 0],
        [0, 0.25, 0.125, 0, 0],
    ]


def test_counts_of_two_sessions_by_hand() -> None:
    # session 1: (1,2) and (2,3) one apart, (1,3) two apart; session 2: (2,1), (1,4); (2,4)
    assert counts(TWO, 4, 0.5).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 2, 0.5, 1],
        [0, 2, 0, 1, 0.5],
        [0, 0.5, 1, 0, 0],
        [0, 1, 0.5, 0, 0],
    ]


def test_decay_of_one_counts_sessions() -> None:
    assert counts(TWO, 4, 1)[1].tolist() == [0, 0, 2, 1, 1]


def test_items_of_two_sessions_are_no_pair() -> None:
    assert counts(batches([1, 2], [3, 4]), 4, 1).nonzero()[0].tolist() == [1, 2, 3, 4]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=6), min_size=1, max_size=5),
    decay=st.sampled_from([1.0, 0.5, 0.25]),
)
def test_counts_are_those_of_two_loops(rows: list[list[int]], decay: float) -> None:
    expected = np.zeros((7, 7))
    for row in rows:
        for i, first in enumerate(row):
            for j, other in enumerate(row):
                if first != other:
                    expected[first, other] += decay ** (abs(i - j) - 1)
    np.testing.assert_allclose(counts(batches(*rows), 6, decay), expected, rtol=1e-6)


def test_only_the_largest_counts_are_kept_and_of_equal_ones_the_first() -> None:
    assert counts(TWO, 4, 0.5, neighbours=1).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 2, 0, 0],
        [0, 2, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
    ]
    assert counts(batches([3, 1], [3, 2], [3, 4]), 4, 1, neighbours=2)[3].tolist() == [
        0,
        1,
        1,
        0,
        0,
    ]
    assert np.array_equal(counts(TWO, 4, 0.5, neighbours=9), counts(TWO, 4, 0.5))


def test_scores_add_the_counts_of_the_sessions_items() -> None:
    model = ItemKnn(count_pairs(TWO, 4, 0.5, 0), popularity_of(TWO, 4), PLAIN, 20)
    assert scores(model, [3], [1, 3]) == [[0.5, 1, 0, 0], [0.5, 3, 0.5, 1]]


def test_scores_weigh_recency_and_popularity() -> None:
    popularity = popularity_of(TWO, 4)
    assert popularity.tolist() == [0, 2, 2, 1, 1]
    form = Form(decay=0.5, recency=0.5, session_power=0.5, candidate_power=1)
    model = ItemKnn(count_pairs(TWO, 4, 0.5, 0), popularity, form, 20)
    root = 2**-0.5
    # [1, 3]: item 1 is one place from the end and popular, item 3 is last and counts once
    expected = [0.5 / 2, (0.5 * root * 2 + 1) / 2, 0.5 * root * 0.5, 0.5 * root]
    assert scores(model, [1, 3])[0] == pytest.approx(expected, abs=1e-5)


def test_padding_and_batch_change_no_score() -> None:
    form = Form(decay=0.5, recency=0.5, session_power=0.5, candidate_power=0.25)
    model = ItemKnn(count_pairs(TWO, 4, 0.5, 0), popularity_of(TWO, 4), form, 20)
    assert scores(model, [1, 3], [2]) == [scores(model, [1, 3])[0], scores(model, [2])[0]]
    wide = model.score(model.encode(padded([1, 3], length=9)), 1, 5)
    torch.testing.assert_close(wide, model.score(model.encode(padded([1, 3])), 1, 5))


def test_an_item_without_training_events_scores_zero_and_breaks_nothing() -> None:
    model = ItemKnn(count_pairs(TWO, 6, 0.5, 0), popularity_of(TWO, 6), PLAIN, 20)
    assert model.score(model.encode(padded([5])), 1, 7).tolist() == [[0] * 6]
    assert model.score(model.encode(padded([1, 5])), 5, 7).tolist() == [[0, 0]]


def test_taking_a_rank_leaves_the_scores_as_they_are() -> None:
    model = ItemKnn(count_pairs(TWO, 4, 0.5, 0), popularity_of(TWO, 4), PLAIN, 20)
    queries = model.encode(padded([1]))
    expected = model.score(queries, 1, 5).tolist()
    model.score(queries, 1, 5).fill_(-1)
    assert model.score(queries, 1, 5).tolist() == expected == [[0, 2, 0.5, 1]]


def test_scores_of_a_range_are_the_same_columns_and_their_sum_is_known() -> None:
    form = Form(decay=0.5, recency=0.5, session_power=0.5, candidate_power=0.25)
    model = ItemKnn(count_pairs(TWO, 4, 0.5, 0), popularity_of(TWO, 4), form, 20)
    queries = model.encode(padded([1, 3], [4]))
    every = model.score(queries, 1, 5)
    assert torch.equal(
        torch.cat([model.score(queries, 1, 3), model.score(queries, 3, 5)], 1), every
    )
    torch.testing.assert_close(model.total(queries), every.sum(1))


def test_a_saved_model_scores_the_same(tmp_path: Path) -> None:
    form = Form(decay=0.5, recency=0.5, session_power=0.5, candidate_power=0.25)
    model = ItemKnn(count_pairs(TWO, 4, 0.5, 2), popularity_of(TWO, 4), form, 7)
    described = {"model": "itemknn", "n_items": 4, "max_length": 7, "form": form.__dict__}
    for folder in ("a", "b"):
        registry.save(tmp_path / folder, described, model.tensors())
    again = registry.load(tmp_path / "a")
    assert isinstance(again, ItemKnn)
    assert (again.form, again.max_length, again.n_items) == (form, 7, 4)
    assert scores(again, [1, 3], [2]) == scores(model, [1, 3], [2])
    files = [(tmp_path / folder / "weights.safetensors").read_bytes() for folder in ("a", "b")]
    assert files[0] == files[1]


def counting(**changes: object) -> CountingParams:
    values: dict[str, object] = {
        "decay": (0.6, 1.0),
        "recency": (0.5, 1.0),
        "session_power": (0.5,),
        "candidate_power": (0.0, 0.5),
        "backward": (1.0, 0.5),
        "neighbours": 0,
        "max_length": 10,
    }
    return CountingParams.model_validate(values | changes)


def test_validation_chooses_among_all_forms() -> None:
    parts, params = chain_parts(), counting()
    chosen, figure = choose_itemknn(parts["training"], parts["validation"], N_ITEMS, params)
    examples = parts["validation"].examples("last")
    found = {}
    for decay, backward in product(params.decay, params.backward):
        pairs = count_pairs(parts["training"], N_ITEMS, decay, 0, backward)
        for recency, power in product(params.recency, params.candidate_power):
            form = Form(decay, recency, 0.5, power, backward)
            model = ItemKnn(pairs, popularity_of(parts["training"], N_ITEMS), form, 10)
            ranks = target_ranks(model, parts["validation"], examples)
            found[form] = ndcg_at_10(ranks)
    assert len(set(found.values())) > 1
    assert figure == max(found.values())
    assert chosen.form == next(form for form, value in found.items() if value == figure)
    assert chosen.max_length == 10


def test_of_equal_forms_the_first_is_chosen() -> None:
    sessions = batches([1, 2], [1, 2])
    chosen, figure = choose_itemknn(sessions, sessions, 2, counting())
    assert figure == 1
    assert chosen.form == Form(0.6, 0.5, 0.5, 0.0)


def test_co_occurrence_finds_the_chains() -> None:
    parts = chain_parts()
    model, _ = choose_itemknn(parts["training"], parts["validation"], N_ITEMS, counting())
    items, _ = top_items(model, padded([7, 8, 9]), 3)
    assert items[0, 0] == 10
