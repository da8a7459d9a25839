"""Recall, NDCG and MRR by hand, and the laws between them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.metrics import figures, mrr, ndcg, recall

RANKS = np.array([1, 3, 10, 11])


def test_recall_counts_targets_among_the_first_k() -> None:
    assert recall(RANKS, 10).tolist() == [1, 1, 1, 0]
    assert figures(RANKS, [5, 10])["recall@5"] == 0.5
    assert figures(RANKS, [5, 10])["recall@10"] == 0.75


def test_ndcg_discounts_by_the_logarithm_of_the_rank() -> None:
    assert ndcg(RANKS, 10) == pytest.approx([1, 1 / 2, 1 / math.log2(11), 0])
    assert figures(RANKS, [5])["ndcg@5"] == pytest.approx((1 + 0.5) / 4)


def test_mrr_is_the_reciprocal_rank_within_the_list() -> None:
    assert mrr(RANKS, 10) == pytest.approx([1, 1 / 3, 1 / 10, 0])
    assert figures(RANKS, [10])["mrr@10"] == pytest.approx((1 + 1 / 3 + 0.1) / 4)


@given(st.lists(st.integers(1, 60), min_size=1), st.integers(1, 30))
def test_metrics_keep_the_laws_between_them(ranks: list[int], k: int) -> None:
    of = figures(np.array(ranks), [k, 2 * k])
    slack = 1e-12
    assert of[f"ndcg@{k}"] <= of[f"ndcg@{2 * k}"] + slack
    assert of[f"recall@{k}"] / math.log2(k + 1) <= of[f"ndcg@{k}"] + slack
    assert of[f"mrr@{k}"] <= of[f"ndcg@{k}"] + slack
    assert of[f"ndcg@{k}"] <= of[f"recall@{k}"] + slack
    more = of[f"recall@{2 * k}"] - of[f"recall@{k}"]
    gained = of[f"ndcg@{2 * k}"] - of[f"ndcg@{k}"]
    assert more / math.log2(2 * k + 1) - slack <= gained <= more / math.log2(k + 2) + slack
