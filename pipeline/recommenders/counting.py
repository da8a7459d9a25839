"""Counting models made from sessions: the bar that every trained model is measured against."""

from itertools import product

from pipeline import console
from pipeline.params import CountingParams
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.itemknn import Form, ItemKnn, count_pairs, popularity_of
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks


def choose_itemknn(
    training: SessionBatches, validation: SessionBatches, n_items: int, params: CountingParams
) -> tuple[ItemKnn, float]:
    """Return the co-occurrence model with the best validation NDCG@10, and that figure.

    Every combination of the lists in ``params`` is tried; of equal figures the first one stays.
    """
    popularity = popularity_of(training, n_items)
    examples = validation.examples("last")
    best: tuple[ItemKnn, float] | None = None
    forms = list(product(params.recency, params.session_power, params.candidate_power))
    pairs = list(product(params.decay, params.backward))
    for decay, backward in console.progress(pairs, "itemknn"):
        counts = count_pairs(training, n_items, decay, params.neighbours, backward)
        for recency, session_power, candidate_power in forms:
            form = Form(decay, recency, session_power, candidate_power, backward)
            model = ItemKnn(counts, popularity, form, params.max_length)
            figure = ndcg_at_10(target_ranks(model, validation, examples))
            if best is None or figure > best[1]:
                best = model, figure
    if best is None:
        raise ValueError("training.counting: every list needs a value")
    return best
