"""Counting models made from sessions: the bar that every trained model is measured against."""

from itertools import product

from torch import Tensor

from pipeline import console
from pipeline.params.training import CountingParams
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.counting.itemknn import (
    Form,
    ItemKnn,
    both_ways,
    count_forward,
    popularity_of,
)
from pipeline.recommenders.counting.itemknn_titles import (
    ItemKnnTitles,
    counts_of,
    describe,
    titles_of,
    with_titles,
)
from pipeline.recommenders.counting.packing import pack_texts
from pipeline.recommenders.counting.stored_counts import pack_pairs, pack_sessions, pruned_to
from pipeline.recommenders.ranking import ndcg_at_10, ranks_of_mixtures, target_ranks


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
    forward = {decay: count_forward(training, n_items, decay) for decay in params.decay}
    pairs = list(product(params.decay, params.backward))
    for decay, backward in console.progress(pairs, "itemknn"):
        counts = both_ways(forward[decay], backward, params.neighbours)
        for recency, session_power, candidate_power in forms:
            form = Form(decay, recency, session_power, candidate_power, backward)
            model = ItemKnn(counts, popularity, form, params.max_length)
            figure = ndcg_at_10(target_ranks(model, validation, examples))
            if best is None or figure > best[1]:
                best = model, figure
    if best is None:
        raise ValueError("training.counting: every list needs a value")
    return best


def choose_titles(
    counting: ItemKnn,
    training: SessionBatches,
    validation: SessionBatches,
    texts: list[str],
    params: CountingParams,
) -> tuple[ItemKnnTitles, float]:
    """Return counting with titles with the best validation NDCG@10, and that figure.

    Every weight of ``params`` is tried with the counts as they are stored; of equal figures the
    first one stays. Without any title there is nothing to weigh, and the weight is 0.

    Args:
        counting: the co-occurrence model whose form is kept.
        training: the sessions it counted.
        validation: the sessions that choose.
        texts: of each item, as `titles.texts_of` gives them.  # N
        params: weights, and the form in which counts are stored.
    """
    numbers = describe(counting.form, counting.max_length, params.neighbours, counting.n_items)
    counts, packed = packed_counts(counting, training, params.stored), pack_texts(texts)
    stored = {**counts, "titles": packed}
    parts = (counts_of(numbers, stored), titles_of(numbers, stored))
    weights = params.title_weight if any(texts) else (0.0,)
    examples = validation.examples("last")
    ranks = ranks_of_mixtures(parts, [(1, weight) for weight in weights], validation, examples)
    figures = [ndcg_at_10(row) for row in ranks]
    best = max(range(len(weights)), key=figures.__getitem__)
    return with_titles(numbers, counts, packed, weights[best]), figures[best]


def packed_counts(counting: ItemKnn, training: SessionBatches, stored: str) -> dict[str, Tensor]:
    """Return what a model counted, in the form ``pairs`` or ``sessions``."""
    if stored == "sessions":
        return pack_sessions(training)
    forward = count_forward(training, counting.n_items, counting.form.decay)
    return pack_pairs(forward, counting.popularity)


HEAD_BYTES = 2_000
"""More than the names of the tensors and ``model.json`` take beside packed counts."""


def counting_within(counting: ItemKnn, training: SessionBatches, size: int) -> ItemKnnTitles:
    """Return counting alone, pruned so that its whole folder has at most ``size`` bytes.

    Args:
        counting: the co-occurrence model whose form is kept.
        training: the sessions it counted.
        size: bytes; what is left of it after packing is less than `HEAD_BYTES`.
    """
    numbers = describe(counting.form, counting.max_length, 0, counting.n_items)
    forward = count_forward(training, counting.n_items, counting.form.decay)
    kept = pruned_to(forward, counting.popularity, size - HEAD_BYTES)
    packed = pack_pairs(kept, counting.popularity)
    return with_titles(numbers, packed, pack_texts([""] * counting.n_items), 0)
