"""Popularity: events counted, the same answer for everybody."""

from pathlib import Path

import torch

from pipeline.recommenders import registry
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.recommenders.ranking import target_ranks, top_items
from tests.recommenders.toys import batches, padded

MODEL = Popularity.counted(batches([1, 2, 3], [2, 3], [3, 5]), 6)


def test_events_are_counted_targets_included() -> None:
    assert MODEL.counts.tolist() == [0, 1, 2, 3, 0, 1, 0]
    assert MODEL.n_items == 6


def test_every_session_has_the_same_scores() -> None:
    queries = MODEL.encode(padded([1], [6]))
    assert MODEL.score(queries, 1, 7).tolist() == [[1, 2, 3, 0, 1, 0]] * 2
    assert MODEL.score(queries, 2, 4).tolist() == [[2, 3]] * 2


def test_the_most_popular_items_outside_the_session_come_first() -> None:
    assert top_items(MODEL, padded([6], [3]), 3)[0].tolist() == [[3, 2, 1], [2, 1, 5]]


def test_ranks_count_equally_popular_items_as_better() -> None:
    many = batches([6, 3], [6, 1], [6, 4])
    assert target_ranks(MODEL, many, many.examples("last")).tolist() == [1, 4, 5]


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    registry.save(tmp_path, {"model": "popularity", "n_items": 6}, MODEL.tensors())
    again = registry.load(tmp_path)
    assert isinstance(again, Popularity)
    assert torch.equal(again.counts, MODEL.counts)
