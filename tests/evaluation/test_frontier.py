"""The frontier of quality against bytes: by hand and against its definition."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.frontier import on_frontier

MODELS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), max_size=12)


def test_five_models_by_hand() -> None:
    """Small and bad, larger and better, larger and worse, as good for more, the best."""
    found = on_frontier([(10, 0.1), (20, 0.3), (30, 0.2), (40, 0.3), (90, 0.5)])
    assert found == [True, True, False, False, True]


def test_equals_stand_together() -> None:
    assert on_frontier([(10, 0.1), (10, 0.1), (10, 0.05)]) == [True, True, False]


@settings(deadline=None)
@given(MODELS)
def test_a_model_is_left_out_if_and_only_if_another_beats_it(
    models: list[tuple[float, float]],
) -> None:
    def beaten(bytes_: float, quality: float) -> bool:
        return any(
            (other <= bytes_ and of >= quality) and (other < bytes_ or of > quality)
            for other, of in models
        )

    assert on_frontier(models) == [not beaten(*one) for one in models]
