"""Put counts, titles and a cell's small student into one model, with weights of one grid.

Reads SESSIONS, CATALOG, counting with titles and the student; obeys the section ``hybrid``; writes
``models/hybrid/<cell>``.
"""

from dataclasses import dataclass

from pipeline import files
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.compact.quantised import Quantised
from pipeline.recommenders.counting.itemknn_titles import titles_of
from pipeline.recommenders.counting.packing import pack_texts
from pipeline.recommenders.counting.titles import texts_of
from pipeline.recommenders.halves import weighing_half
from pipeline.recommenders.hybrid import StudentShares, mixed
from pipeline.recommenders.weights import choose_weights
from pipeline.tables import CATALOG, SESSIONS


@dataclass(frozen=True)
class Summary:
    """The weights beside the counts', and NDCG@10 on the weighing half of validation."""

    student_weight: float
    title_weight: float
    half_ndcg: float
    without_student_ndcg: float
    largest_gain: float
    """Of the weights tried; taken where it is more than `hybrid.margin` standard errors."""
    standard_error: float
    bytes: int


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Choose the weights of a cell's hybrid and save it."""
    tables = paths.sessions(cell.dataset)
    sessions = SessionBatches.of(weighing_half(SESSIONS.read(tables)))
    packed = pack_texts(texts_of(CATALOG.read(tables)))
    counting = registry.load_titles(paths.baselines(cell.dataset) / "itemknn_titles")
    source = paths.models(cell)[params.hybrid.student]
    student = Quantised.of(
        registry.load_neural(source), files.read_json(source / "model.json"), params.hybrid.bits
    )

    tensors = {**counting.tensors(), "titles": packed}
    known = "titles" in counting.tensors()
    titles = counting.titles if known else titles_of(counting.numbers, tensors)
    shares = StudentShares([student.model], counting.counts.counting.popularity)
    choice = choose_weights(counting, titles, shares, sessions, params.hybrid)
    weights = {"counts": 1, "titles": choice.titles, "students": choice.students}
    hybrid = mixed(counting.numbers, tensors, [student], weights)

    registry.save(paths.hybrid(cell), hybrid.numbers, hybrid.tensors())
    stored = sum(path.stat().st_size for path in paths.hybrid(cell).iterdir())
    return Summary(
        student_weight=choice.students,
        title_weight=choice.titles,
        half_ndcg=choice.ndcg,
        without_student_ndcg=choice.without,
        largest_gain=choice.gain,
        standard_error=choice.error,
        bytes=stored,
    )
