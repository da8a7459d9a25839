"""Product codes: what they keep, what they cost, and that a folder scores as what was validated."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors

from pipeline import files
from pipeline.recommenders import registry
from pipeline.recommenders.compact.coding import Coded, Coding, code
from pipeline.recommenders.compact.product_codes import (
    BOOK,
    ProductCodes,
    encode_tables,
    learn_codes,
    read_tensors,
)
from pipeline.recommenders.training import weights_of
from tests.recommenders.checks import SESSIONS, scores_of
from tests.recommenders.toys import N_ITEMS, chain_parts, fit_params, trained


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def coded(recipe: str = "strong", seed: int = 3) -> Coded:
    done = trained("fpmc", recipe)
    coding = Coding(numbers=4, max_steps=40)
    fit = fit_params(recipe)
    return code(deepcopy(done.model), done.description, chain_parts(), fit, coding, seed, "toy")


def test_rows_of_few_kinds_lose_nothing() -> None:
    # each half of a row is one of three vectors: nine kinds of rows, six vectors to keep
    kinds = [drawn(3, 2, seed=part) for part in (1, 2)]
    which = torch.randint(3, (200, 2), generator=generator())
    table = torch.cat([kind[which[:, part]] for part, kind in enumerate(kinds)], dim=1)
    table[0] = 0
    weights = torch.ones(200).index_fill(0, torch.tensor([0]), 0)
    books = ProductCodes(learn_codes(table, weights, 2, generator()), weights)
    torch.testing.assert_close(books(books.right_inverse(table)), table)


def test_a_table_by_hand() -> None:
    books = torch.zeros(2, BOOK, 1)
    books[0, :2, 0] = torch.tensor([5.0, 7.0])
    books[1, :2, 0] = torch.tensor([-1.0, -3.0])
    codes = ProductCodes(torch.tensor([[1, 1], [0, 1], [1, 0]]), torch.ones(3))
    assert codes(books).tolist() == [[0, 0], [5, -3], [7, -1]]


def test_a_books_vector_is_the_weighted_mean_of_its_rows() -> None:
    codes = ProductCodes(torch.tensor([[0], [1], [1], [2]]), torch.tensor([0.0, 1.0, 3.0, 0.0]))
    books = codes.right_inverse(torch.tensor([[9.0], [1.0], [5.0], [8.0]]))
    assert books[0, :3, 0].tolist() == [0, 4, 0]  # (1 * 1 + 3 * 5) / 4; nothing weighs elsewhere


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(2, 60), parts=st.sampled_from([1, 2, 3]), seed=st.integers(0, 9))
def test_books_are_nearer_than_a_rows_mean(rows: int, parts: int, seed: int) -> None:
    table, weights = drawn(rows, 6, seed=seed), torch.ones(rows)
    weights[0] = 0
    found = learn_codes(table, weights, parts, generator())
    assert found.shape == (rows, parts)
    assert set(found.flatten().tolist()) <= set(range(BOOK))
    codes = ProductCodes(found, weights)
    error = (codes(codes.right_inverse(table)) - table)[1:].square().sum()
    assert error <= (table[1:] - table[1:].mean(0)).square().sum() * 1.0001 + 1e-9


def test_codes_that_cannot_share_a_row_are_refused() -> None:
    with pytest.raises(ValueError, match="4 codes cannot share 6 numbers evenly"):
        learn_codes(drawn(5, 6), torch.ones(5), 4, generator())


@pytest.mark.parametrize(("recipe", "tables"), [("strong", 1), ("published", 2)])
def test_books_are_what_training_changes(recipe: str, tables: int) -> None:
    model = deepcopy(trained("fpmc", recipe).model)
    encode_tables(
        model, torch.ones(N_ITEMS + 1).index_fill(0, torch.tensor([0]), 0), 4, generator()
    )
    names = [name for name in weights_of(model) if "parametrizations" in name]
    assert len(names) == tables
    assert not {"items.weight", "context.weight"} & set(weights_of(model))
    loss = model.score(model.encode(SESSIONS), 1, N_ITEMS + 1).square().sum()
    grads = torch.autograd.grad(loss, [dict(model.named_parameters())[name] for name in names])
    assert all(grad.abs().sum() > 0 for grad in grads)
    assert model.items.weight[0].tolist() == [0] * 16


def test_training_the_books_keeps_the_best_and_the_same_seed_gives_the_same() -> None:
    one, two = coded(), coded()
    figures = one.log["validation_ndcg"].to_list()
    assert max(figures) >= figures[0]
    assert all(torch.equal(one.tensors[name], value) for name, value in two.tensors.items())


def test_a_folder_scores_as_the_model_that_was_validated(tmp_path: Path) -> None:
    done = coded()
    registry.save(tmp_path, done.description, done.tensors)
    again = registry.load(tmp_path)
    assert torch.equal(
        scores_of(registry.load_neural(tmp_path), SESSIONS), scores_of(done.model, SESSIONS)
    )
    assert again.n_items == N_ITEMS
    stored = load_tensors((tmp_path / "weights.safetensors").read_bytes())
    assert stored["items.weight.codes"].nbytes == (N_ITEMS + 1) * 4
    assert stored["items.weight.books"].shape == (4, BOOK, 4)
    numbers = files.read_json(tmp_path / "model.json")["parameters"]
    assert numbers == sum(value.numel() for value in stored.values())


def test_a_plain_models_weights_are_read_as_they_are() -> None:
    weights = weights_of(trained("fpmc", "strong").model)
    found = read_tensors(weights)
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())
