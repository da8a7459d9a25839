"""Which models no other beats in both quality and bytes."""

from collections.abc import Sequence


def on_frontier(models: Sequence[tuple[float, float]]) -> list[bool]:
    """Return which models are not dominated.

    A model is dominated if another needs no more bytes, is no worse, and is better in one of both.

    Args:
        models: bytes and quality of each.
    """
    order = sorted(range(len(models)), key=lambda place: (models[place][0], -models[place][1]))
    kept = [False] * len(models)
    best: tuple[float, float] | None = None  # of the smaller ones, the last on the frontier
    for place in order:
        if best is None or models[place][1] > best[1] or models[place] == best:
            kept[place], best = True, models[place]
    return kept
