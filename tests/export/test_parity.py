"""The graph answers what torch answers, for every backbone."""

import pytest
import torch

from pipeline.export.int8 import ServedInt8, attention, gelu
from pipeline.export.rows import item_factors, quantised, with_rows
from pipeline.recommenders.ranking import top_items
from tests.export.worlds import COLD, LENGTH, answers, drawn_sessions, model, served
from tests.recommenders.toys import N_ITEMS, padded

SESSIONS = drawn_sessions(300, LENGTH + 3)
# Tracing takes seconds: both forms of one backbone, one of each other. The benchmark has them all.
FLOATS = [("fpmc", "strong"), ("gru4rec", "strong")]
WHOLE = [("fpmc", "strong"), ("stamp", "published"), ("attenmixer", "published"),
         ("sasrec", "strong")]  # fmt: skip


@pytest.mark.parametrize(("backbone", "recipe"), FLOATS)
def test_the_graph_scores_and_orders_as_the_model_does(backbone: str, recipe: str) -> None:
    recommender = model(backbone, recipe)
    items, values, scores = answers(backbone, recipe, SESSIONS, 10, int8=False)
    with torch.no_grad():
        expected = recommender.score(recommender.encode(SESSIONS[:, -LENGTH:]), 1, N_ITEMS + 1)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)
    best = expected.masked_fill(COLD, -torch.inf)
    best[torch.arange(300)[:, None], (SESSIONS - 1).clamp_min(0)] = -torch.inf
    best[:, 0] = torch.where((SESSIONS == 1).any(1) | COLD[0], -torch.inf, expected[:, 0])
    torch.testing.assert_close(values, best.gather(1, items - 1), rtol=0, atol=1e-5)
    torch.testing.assert_close(values, best.sort(1, descending=True).values[:, :10], rtol=0,
                               atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(("backbone", "recipe"), WHOLE)
def test_int8_scores_are_the_same_bits_and_so_is_their_order(backbone: str, recipe: str) -> None:
    module, _ = served(backbone, recipe, int8=True)
    with torch.no_grad():
        ours = module(SESSIONS, N_ITEMS)
    items, values, scores = answers(backbone, recipe, SESSIONS, N_ITEMS, int8=True)
    assert torch.equal(scores, ours[2])
    shown = scores.masked_fill(values.gather(1, items.argsort(1)).isinf(), -torch.inf)
    order = shown.argsort(dim=1, descending=True, stable=True)
    assert torch.equal(items, order + 1)  # ties by item index
    for row in range(6):  # alone the same answers
        one = SESSIONS[row][None]
        assert torch.equal(answers(backbone, recipe, one, 7, int8=True)[0][0], items[row, :7])


@pytest.mark.parametrize(("backbone", "recipe"), WHOLE)
def test_int8_scores_are_near_those_of_the_model(backbone: str, recipe: str) -> None:
    recommender = model(backbone, recipe)
    _, _, scores = answers(backbone, recipe, SESSIONS, 1, int8=True)
    with torch.no_grad():
        expected = recommender.score(recommender.encode(SESSIONS[:, -LENGTH:]), 1, N_ITEMS + 1)
    assert (scores - expected).abs().max() < 0.1 * expected.std()


def test_the_session_s_own_items_and_cold_ones_are_no_answers() -> None:
    session = padded([7, 3, 3, 30, 9, 2, 1, 8])  # longer than the model looks
    items, values, _ = answers("fpmc", "strong", session, N_ITEMS, int8=True)
    shown = items[0][values[0] > -torch.inf].tolist()
    assert sorted(shown) == sorted(set(range(1, N_ITEMS + 1)) - {7, 3, 30, 9, 2, 1, 8, 5, 12})


def test_equal_scores_come_by_item_index() -> None:
    empty = padded([0, 0])  # every score is the offset of its item
    bias = model("fpmc", "strong").bias
    assert bias is not None
    offsets = bias[1:].tolist()
    assert len(set(offsets)) < N_ITEMS / 2, "too few are equal"
    found = answers("fpmc", "strong", empty, N_ITEMS, int8=False)
    assert found[2][0].tolist() == offsets
    left = [index for index in range(1, N_ITEMS + 1) if index not in (5, 12)]
    assert found[0][0].tolist() == [*sorted(left, key=lambda one: -offsets[one - 1]), 5, 12]


def test_a_graph_of_one_session_is_that_of_many_and_of_any_length() -> None:
    together = answers("gru4rec", "strong", SESSIONS, 5, int8=False)[0]
    for row in range(6):
        one = SESSIONS[row][SESSIONS[row] > 0][None]  # without padding
        assert torch.equal(answers("gru4rec", "strong", one, 5, int8=False)[0][0], together[row])


def test_the_best_items_are_those_of_the_ranking() -> None:
    recommender = model("fpmc", "strong")
    found, values = top_items(recommender, SESSIONS, 20)
    items, scores, _ = answers("fpmc", "strong", SESSIONS, 10, int8=False)
    for row in range(len(SESSIONS)):
        warm = ~COLD[found[row] - 1]
        assert items[row].tolist() == found[row][warm][:10].tolist()
        torch.testing.assert_close(scores[row], values[row][warm][:10], rtol=0, atol=1e-5)


def test_a_quantised_row_keeps_its_largest_number_and_is_off_by_half_a_step() -> None:
    table = torch.tensor([[0.0, 0.0], [1.0, -0.5], [0.002, 0.254], [2e-43, 1e-45], [1e38, -3e38]])
    rows, factor = quantised(table)
    assert rows.tolist() == [[0, 0], [127, -64], [1, 127], [0, 0], [42, -127]]
    torch.testing.assert_close(factor[1:3], torch.tensor([1 / 127, 0.002]))
    assert ((rows * factor[:, None] - table).abs() <= factor[:, None] / 2).all()


@pytest.mark.parametrize("backbone", ["fpmc", "attenmixer"])
def test_factors_make_vectors_of_rows(backbone: str) -> None:
    copied, table = with_rows(model(backbone, "strong"))
    vectors = copied.item_vectors(slice(0, None))
    factor = item_factors(copied, table)
    made = table.whole.double() * factor.double()[:, None]
    torch.testing.assert_close(made, vectors, rtol=1e-6, atol=1e-7)
    assert (factor is table.factor) == (backbone == "fpmc")  # at unit length they are others


def test_item_vectors_that_are_no_multiples_of_rows_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = type(model("fpmc", "strong"))
    monkeypatch.setattr(kind, "item_vectors", lambda self, index: self.item_rows(index) + 1)
    with pytest.raises(TypeError, match="Fpmc: item vectors are no multiples of table rows"):
        ServedInt8(model("fpmc", "strong"), COLD)


def test_gelu_without_erf_and_attention_are_torch_s() -> None:
    x = torch.linspace(-9, 9, 2001, dtype=torch.float64)
    torch.testing.assert_close(gelu(x), torch.nn.functional.gelu(x), rtol=0, atol=1e-6)
    q, k, v = torch.randn(3, 2, 2, 4, 6, generator=torch.Generator().manual_seed(1)).double()
    allowed = torch.ones(4, 4, dtype=torch.bool).tril()
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    torch.testing.assert_close(attention(q, k, v, allowed), expected, rtol=0, atol=1e-6)
