"""TF-IDF of titles by hand, and cosines of a session's titles with every item's."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recommenders.counting.titles import TitleCosines, features, pieces, texts_of, words_of
from pipeline.tables import CATALOG
from tests.recommenders.toys import padded


def catalogue(*rows: tuple[str, str]) -> pl.DataFrame:
    names, titles = zip(*rows, strict=True)
    columns = {"item_index": range(1, len(rows) + 1), "item_id": names, "title": titles}
    return pl.DataFrame({**columns, "training_events": [1] * len(rows)}, CATALOG.columns)


def test_words_are_lower_case_and_without_signs() -> None:
    assert words_of("  Alien³: The 'Director's' CUT (1992)") == "alien³ the director s cut 1992"
    assert words_of("?!…") == ""
    assert words_of("Éclair Ωmega") == "éclair ωmega"


def test_a_title_that_is_the_identifier_is_none() -> None:
    rows = catalogue(("g1", "g1"), ("g2", "Chess 2"), ("g3", "g2"))
    assert texts_of(rows) == ["", "chess 2", "g2"]


def test_pieces_of_a_word_have_blanks_at_its_ends() -> None:
    assert list(pieces("ab")) == [" ab", "ab ", " ab "]
    assert list(pieces("abc")) == [" ab", "abc", "bc ", " abc", "abc ", " abc "]
    assert list(pieces("a")) == [" a "]


def test_tf_idf_of_three_titles_by_hand() -> None:
    # 'go' is a word of all three texts, 'a' of two, 'b' of one: it is left out, as its piece ' b '
    found = features(["go go a", "go b", "a go"]).toarray()
    words = np.array([[(1 + math.log(2)) * idf(3), idf(2)], [idf(3), 0], [idf(3), idf(2)]])
    ends = (" go", "go ", " go ")
    half = np.array(
        [
            [*[(1 + math.log(2)) * idf(3)] * len(ends), idf(2)],
            [*[idf(3)] * len(ends), 0],
            [*[idf(3)] * len(ends), idf(2)],
        ]
    )
    both = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (words, half)]
    np.testing.assert_allclose(found, np.hstack(both) * 0.5**0.5, atol=1e-6)


def idf(texts_with: int) -> float:
    return math.log((1 + 3) / (1 + texts_with)) + 1


def test_scores_are_cosines_of_recent_titles() -> None:
    texts = ["red car", "red bus", "blue bus", "", "red car"]
    model = TitleCosines(texts, recency=0.5, max_length=4)
    rows = model.rows.toarray()
    asked = 0.5 * rows[1] + rows[3]
    expected = rows[1:] @ asked / np.linalg.norm(asked)
    found = model.score(model.encode(padded([1, 3])), 1, 6)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    assert found[0, 3] == 0  # no title, no score
    assert found[0, 0] == found[0, 4]  # the same title, the same score
    assert model.titled().tolist() == [False, True, True, True, False, True]


def test_an_item_s_own_title_is_nearest_to_it() -> None:
    model = TitleCosines(["red car", "red bus", "blue bus"], 0.8, 4)
    found = model.score(model.encode(padded([1], [2], [3])), 1, 4)
    assert torch.equal(found.argmax(1), torch.tensor([0, 1, 2]))
    assert found.diagonal().tolist() == pytest.approx([1, 1, 1], abs=1e-6)


@pytest.mark.parametrize("texts", [[""] * 3, ["a", "b", "c"], ["?"] * 3])
def test_titles_that_say_nothing_give_zeros(texts: list[str]) -> None:
    model = TitleCosines([words_of(text) for text in texts], 0.8, 4)
    assert model.score(model.encode(padded([1, 2])), 1, 4).tolist() == [[0, 0, 0]]
    assert not model.titled().any()


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.sampled_from(["", "red car", "car", "blue bus", "bus red"]), min_size=6),
    sessions=st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=4),
    at=st.integers(2, 6),
)
def test_scores_of_ranges_are_scores_at_once(
    texts: list[str], sessions: list[list[int]], at: int
) -> None:
    model = TitleCosines(texts, 0.7, 5)
    queries, end = model.encode(padded(*sessions)), len(texts) + 1
    every = model.score(queries, 1, end)
    ranges = torch.cat([model.score(queries, 1, at), model.score(queries, at, end)], 1)
    assert torch.equal(ranges, every)
    assert every.isfinite().all()
    assert (every >= 0).all()
    assert (every <= 1 + 1e-5).all()
    alone = torch.cat([model.score(model.encode(padded(one)), 1, end) for one in sessions])
    torch.testing.assert_close(alone, every)
