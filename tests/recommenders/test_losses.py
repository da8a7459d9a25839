"""Training losses: hand-worked values, and values and gradients against plain autograd."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.recommenders.losses import in_batch_bpr, sampled_softmax, softmax_cross_entropy
from tests.recommenders.toys import N_ITEMS, fit_params, untrained

Loss = Callable[..., Tensor]


def numbers(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def assert_same(fast: Loss, slow: Loss, *arguments: Tensor) -> None:
    """Compare values and gradients, the latter also behind a factor."""
    results = []
    for loss in (fast, slow):
        leaves = [value.clone().requires_grad_() for value in arguments]
        value = loss(*leaves)
        (3 * value).backward()  # type: ignore[no-untyped-call]
        results.append([value.detach(), *(leaf.grad for leaf in leaves)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def slow_bpr(queries: Tensor, targets: Tensor) -> Tensor:
    rows = range(len(queries))
    margins = [queries[b] @ (targets[b] - targets[c]) for b in rows for c in rows]
    return -functional.logsigmoid(torch.stack(margins)).mean()


def test_bpr_of_two_rows_by_hand() -> None:
    queries, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [1.0]])
    # own - other: row 0: 3 - 1 = 2; row 1: 2 - 6 = -4; each row meets itself with margin 0
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(4)) + 2 * math.log(2)) / 4
    assert in_batch_bpr(queries, targets).item() == pytest.approx(expected, abs=1e-6)


def test_bpr_of_one_row_is_the_constant_log_2_and_teaches_nothing() -> None:
    queries = torch.tensor([[1.0, 2.0]], requires_grad=True)
    loss = in_batch_bpr(queries, torch.tensor([[0.5, -1.0]]))
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()  # type: ignore[no-untyped-call]
    assert queries.grad is not None
    assert not queries.grad.any()


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_bpr_is_its_definition_with_its_gradient(rows: int) -> None:
    assert_same(in_batch_bpr, slow_bpr, numbers(rows, 3), numbers(rows, 3, seed=2))


def test_bpr_takes_offsets_into_the_scores() -> None:
    def slow(queries: Tensor, targets: Tensor, offsets: Tensor) -> Tensor:
        scores = queries @ targets.T + offsets
        return functional.softplus(scores - scores.diagonal()[:, None]).mean()

    assert_same(in_batch_bpr, slow, numbers(5, 3), numbers(5, 3, seed=2), numbers(5, seed=3))


def test_bpr_of_huge_scores_is_finite() -> None:
    queries = (1e4 * numbers(4, 3)).requires_grad_()
    loss = in_batch_bpr(queries, numbers(4, 3, seed=2))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert queries.grad is not None
    assert queries.grad.isfinite().all()


def test_softmax_of_three_items_by_hand() -> None:
    queries, vectors = torch.tensor([[2.0], [0.0]]), torch.tensor([[0.0], [1.0], [-1.0]])
    # scores 0, 2, -2 with target 1; scores 0, 0, 0 with target 2
    first = -math.log(math.exp(2) / (1 + math.exp(2) + math.exp(-2)))
    loss = softmax_cross_entropy(queries, vectors, None, torch.tensor([1, 2]))
    assert loss.item() == pytest.approx((first + math.log(3)) / 2, abs=1e-6)
    bias = torch.tensor([0.0, 0.0, math.log(2)])
    both = (math.log(1 + math.exp(2) + 2 * math.exp(-2)) - 2 - math.log(2) + math.log(4)) / 2
    loss = softmax_cross_entropy(queries, vectors, bias, torch.tensor([1, 2]))
    assert loss.item() == pytest.approx(both, abs=1e-6)


@pytest.mark.parametrize("targets", [[0], [4, 4, 4], [0, 1, 2, 3, 4, 0]])
def test_softmax_is_its_definition_with_its_gradient(targets: list[int]) -> None:
    index, rows = torch.tensor(targets), len(targets)

    def fast(queries: Tensor, vectors: Tensor, bias: Tensor | None = None) -> Tensor:
        return softmax_cross_entropy(queries, vectors, bias, index)

    def slow(queries: Tensor, vectors: Tensor, bias: Tensor | None = None) -> Tensor:
        scores = queries @ vectors.T + (0 if bias is None else bias)
        return functional.cross_entropy(scores, index)

    queries, vectors, bias = numbers(rows, 3), numbers(5, 3, seed=2), numbers(5, seed=3)
    assert_same(fast, slow, queries, vectors)
    assert_same(fast, slow, queries, vectors, bias)


def test_softmax_of_huge_scores_is_finite() -> None:
    queries = (1e4 * numbers(4, 3)).requires_grad_()
    loss = softmax_cross_entropy(queries, numbers(9, 3, seed=2), None, torch.tensor([0, 1, 2, 8]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert queries.grad is not None
    assert queries.grad.isfinite().all()


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_all_items_drawn_once_give_the_full_softmax(recipe: str) -> None:
    model = untrained("fpmc", fit_params(recipe)).double()
    if model.bias is not None:
        torch.nn.init.normal_(model.bias)
    queries, targets = numbers(3, 16), torch.tensor([1, 17, N_ITEMS])
    every = torch.arange(1, N_ITEMS + 1)
    bias = None if model.bias is None else model.bias[1:]
    full = softmax_cross_entropy(queries, model.items.weight[1:], bias, targets - 1)
    sampled = sampled_softmax(model, queries, targets, every)
    torch.testing.assert_close(sampled, full, rtol=0, atol=1e-12)


def test_few_items_stand_for_all_by_a_constant() -> None:
    model = untrained("fpmc", fit_params("strong")).double()
    queries, targets = numbers(1, 16), torch.tensor([3])
    drawn = torch.tensor([5, 9, 5, 3])
    scores = (queries @ model.items.weight.T)[0]
    others = (N_ITEMS / 4) * sum(scores[item].exp() for item in (5, 9, 5))  # not 3, the target
    expected = -(scores[3].exp() / (scores[3].exp() + others)).log()
    found = sampled_softmax(model, queries, targets, drawn)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_draw_of_nothing_but_the_target_leaves_nothing_to_learn() -> None:
    model = untrained("fpmc", fit_params("strong"))
    loss = sampled_softmax(model, torch.ones(1, 16), torch.tensor([3]), torch.tensor([3, 3]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert model.items.weight.grad is not None
    assert not model.items.weight.grad.any()


def test_the_sampled_sum_is_right_on_average() -> None:
    model = untrained("fpmc", fit_params("published")).double()
    queries, target = numbers(1, 16), 3
    scores = (queries @ model.items.weight.T)[0]
    others = (scores[1:].exp().sum() - scores[target].exp()).detach()
    generator = torch.Generator().manual_seed(1)
    sums = []
    for _ in range(400):
        drawn = torch.randint(1, N_ITEMS + 1, (20,), generator=generator)
        loss = sampled_softmax(model, queries, torch.tensor([target]), drawn)
        sums.append(float((scores[target].exp() * (loss.exp() - 1)).detach()))
    mean, error = torch.tensor(sums).mean(), torch.tensor(sums).std() / 20
    assert abs(float(mean) - float(others)) < 4 * float(error)
