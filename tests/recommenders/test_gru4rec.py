"""GRU4Rec against a run over one session, and the checks of every backbone."""

import pytest
import torch

from pipeline.recommenders.gru4rec import Gru4Rec
from tests.recommenders.checks import BackboneChecks
from tests.recommenders.toys import OWN, ROLE, fit_params, padded, untrained


class TestGru4Rec(BackboneChecks):
    backbone = "gru4rec"


@pytest.mark.parametrize("layers", [1, 2])
def test_the_state_after_the_last_item_is_mapped_to_the_tables_width(layers: int) -> None:
    own = OWN.gru4rec.model_copy(update={"layers": layers})
    model = Gru4Rec(40, fit_params("strong"), ROLE, own)
    model.initialise(torch.Generator().manual_seed(1))
    model.double().eval()
    sessions = [[4, 8, 15], [16], [23, 40, 4, 8, 15, 16]]
    found = model.encode(padded(*sessions, length=10))
    for row, session in zip(found, sessions, strict=True):
        states, _ = model.gru(model.context(torch.tensor([session])))
        expected = model.map(states[0, -1])
        torch.testing.assert_close(row, expected, rtol=0, atol=1e-12)
    assert found.shape == (3, ROLE.dimension)
    assert untrained("gru4rec", fit_params("strong")).get_parameter("map.weight").shape == (16, 16)
