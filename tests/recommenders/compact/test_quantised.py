"""Tables in 8 and 4 bits: how far numbers may be off, and that they are stored as they are read."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors

from pipeline.recommenders import registry
from pipeline.recommenders.compact.quantised import SCALES, Quantised, dequantise, quantise
from pipeline.recommenders.training import weights_of
from tests.recommenders.checks import SESSIONS, scores_of
from tests.recommenders.toys import N_ITEMS, trained

SMALLEST = 2.0**-14


def table(rows: list[list[float]]) -> dict[str, torch.Tensor]:
    return {"items": torch.tensor(rows, dtype=torch.float32)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(-50, 50, width=32), min_size=3, max_size=3), min_size=1, max_size=9)
)
def test_eight_bits_are_off_by_half_a_scale_at_most(rows: list[list[float]]) -> None:
    weights = table(rows)
    stored = quantise(weights, len(rows) - 1, 8)
    found = dequantise(stored, 8)["items"]
    scale = (weights["items"].abs().amax(1, keepdim=True) / 127).clamp_min(SMALLEST)
    assert ((found - weights["items"]).abs() <= scale * 0.5001 + 1e-7).all()


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=2), min_size=1, max_size=9
    )
)
def test_four_bits_are_no_worse_than_without_a_cut(rows: list[list[float]]) -> None:
    weights = table(rows)
    found = dequantise(quantise(weights, len(rows) - 1, 4), 4)["items"]
    exact = weights["items"]
    scale = (exact.abs().amax(1, keepdim=True) / 7).clamp_min(SMALLEST).half().float()
    uncut = (exact / scale).round().clamp(-7, 7) * scale
    error, bound = ((one - exact).square().sum(1) for one in (found, uncut))
    assert (error <= bound * 1.0001 + 1e-9).all()


def test_a_row_by_hand() -> None:
    stored = quantise(table([[0, 0], [1.27, -0.5]]), 1, 8)
    assert stored["items.levels"].tolist() == [[0, 0], [127, -50]]
    assert stored["items.scales"][1].item() == pytest.approx(0.01, rel=1e-3)
    pairs = quantise(table([[0, 0], [7, -7], [3, 1]]), 2, 4)["items.levels"]
    # three rows in two: row 0 with row 2 in the high half, row 1 with nothing; 8 stands for 0
    assert pairs.shape == (2, 2)
    assert pairs[1].tolist() == [7 + 8, -7 + 8]


def test_a_row_of_zeros_stays_zeros_and_what_is_no_table_stays_as_it_is() -> None:
    weights = {**table([[0, 0], [3, 4]]), "map": torch.tensor([[1.23456789]])}
    for bits in (8, 4):
        found = dequantise(quantise(weights, 1, bits), bits)
        assert found["items"][0].tolist() == [0, 0]
        assert torch.equal(found["map"], weights["map"])


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_a_quantised_folder_scores_as_the_model_that_was_validated(
    recipe: str, bits: int, tmp_path: Path
) -> None:
    done = trained("fpmc", recipe)
    done.save(tmp_path / "whole")
    student = Quantised.of(registry.load_neural(tmp_path / "whole"), done.description, bits)
    for name in ("a", "b"):
        registry.save(tmp_path / name, student.description, student.tensors)
    again = registry.load_neural(tmp_path / "a")
    assert torch.equal(scores_of(again, SESSIONS), scores_of(student.model, SESSIONS))
    assert not torch.equal(scores_of(again, SESSIONS), scores_of(done.model, SESSIONS))
    twice = Quantised.of(again, student.description, bits)
    assert all(torch.equal(twice.tensors[name], value) for name, value in student.tensors.items())
    stored = load_tensors((tmp_path / "b/weights.safetensors").read_bytes())
    levels = stored["items.weight.levels"]
    assert levels.nbytes == (N_ITEMS + 1) * 16 if bits == 8 else 21 * 16
    assert stored["items.weight" + SCALES].dtype == torch.float16
    numbers = sum(weight.numel() for weight in weights_of(done.model).values())
    assert student.description["parameters"] == numbers
