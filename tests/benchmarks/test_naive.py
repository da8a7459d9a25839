"""The rivals do the same task as ours: the same loss, the same ranks."""

import polars as pl
import pytest
import torch

from benchmarks.naive import NaiveLoop, ranks_by_sorting
from benchmarks.workload import made
from pipeline.recommenders.losses import in_batch_bpr
from pipeline.tables import SESSIONS

LISTS = [[1, 2, 3], [2, 4], [5, 1, 4, 3]]


@pytest.mark.parametrize("product", [False, True])
def test_the_naive_loop_has_our_loss_to_its_epsilon(product: bool) -> None:
    loop = NaiveLoop(LISTS, 5, 4, product=product)
    padded, mask, targets = loop._lists(batch=3, length=2)
    vectors = loop.context(padded).sum(1) / mask.sum(1, keepdim=True)
    ours = in_batch_bpr(vectors, loop.items(targets))
    torch.testing.assert_close(loop._loss(vectors, loop.items(targets)), ours)


def test_the_naive_loop_learns() -> None:
    torch.manual_seed(0)
    loop = NaiveLoop(LISTS, 5, 4)
    losses = [loop.step(batch=3) for _ in range(300)]
    assert losses[-1] < losses[0] - 0.02


def test_its_lists_hold_the_last_items_before_the_target() -> None:
    loop = NaiveLoop([[1, 2, 3, 4]], 5, 4)
    padded, mask, targets = loop._lists(batch=1, length=2)
    assert (padded.tolist(), mask.tolist(), targets.tolist()) == ([[2, 3]], [[1, 1]], [4])


def test_sorting_ranks_among_the_items_outside_the_session() -> None:
    scores = torch.tensor([[0.9, 0.5, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]])
    seen = torch.tensor([[0, 1], [4, 3]])
    assert ranks_by_sorting(scores, seen, torch.tensor([2, 1])).tolist() == [2, 2]


def test_made_sessions_have_the_table_s_form_and_the_asked_counts() -> None:
    work = made(50, 500)
    assert dict(work.sessions.schema) == dict(SESSIONS.empty().schema)
    assert work.sessions["part"].value_counts(sort=True).rows() == [
        ("training", 30),
        ("validation", 10),
        ("test", 10),
    ]
    items = work.sessions["items"].explode()
    assert 1 <= items.min() <= items.max() <= 500  # type: ignore[operator]
    assert work.sessions["items"].list.len().is_between(2, 18).all()
    assert not work.sessions["items"].list.eval(pl.element().is_duplicated().any()).explode().any()
