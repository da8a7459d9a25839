"""Count popularity and item co-occurrence, the bar for every trained model.

Reads SESSIONS and CATALOG; obeys ``training.counting``; writes the folders ``popularity``,
``itemknn`` and ``itemknn_titles`` below ``models/baselines/<dataset>``.
"""

from dataclasses import asdict, dataclass

import torch

from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.recommenders import registry
from pipeline.recommenders.counting.making import choose_itemknn, choose_titles
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.recommenders.counting.titles import texts_of
from pipeline.recommenders.recipes import by_part
from pipeline.tables import CATALOG, SESSIONS


@dataclass(frozen=True)
class Summary:
    """What validation chose for the co-occurrence models, and their figures."""

    decay: float
    backward: float
    recency: float
    session_power: float
    candidate_power: float
    validation_ndcg: float
    title_weight: float
    with_titles_ndcg: float


def run(params: Params, paths: Paths, dataset: str) -> Summary:
    """Count and save the models of a dataset."""
    texts = texts_of(CATALOG.read(paths.sessions(dataset)))
    n_items = len(texts)
    parts = by_part(SESSIONS.read(paths.sessions(dataset)), torch.device("cpu"))

    popularity = Popularity.counted(parts["training"], n_items)
    itemknn, figure = choose_itemknn(
        parts["training"], parts["validation"], n_items, params.training.counting
    )
    with_titles, figure_with_titles = choose_titles(
        itemknn, parts["training"], parts["validation"], texts, params.training.counting
    )

    form = asdict(itemknn.form)
    described = {"model": "itemknn", "n_items": n_items, "max_length": itemknn.max_length}
    folder = paths.baselines(dataset)
    registry.save(
        folder / "popularity", {"model": "popularity", "n_items": n_items}, popularity.tensors()
    )
    registry.save(folder / "itemknn", {**described, "form": form}, itemknn.tensors())
    registry.save(folder / "itemknn_titles", with_titles.numbers, with_titles.tensors())
    return Summary(
        **form,
        validation_ndcg=figure,
        title_weight=with_titles.numbers["title_weight"],
        with_titles_ndcg=figure_with_titles,
    )
