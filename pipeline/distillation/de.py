"""DE, distillation by experts (Kang et al. 2020, CIKM, eq. 1 to 4).

    L = L_sessions + (L_targets + L_negatives) / 2,   each  mean over entities of |t - t^|^2

t^ is what the selected experts read off the student's vector (`experts`).

Departures: means over the unique entities of a batch where the authors take sums, so that the
weight does not depend on the batch (their base loss is a sum too: the same weights mean the same);
256 examples of a batch are distilled, for the time; one figure on validation decides which weights
are kept, where the authors' code keeps other epochs for other cutoffs.
"""

from torch import Tensor

from pipeline.distillation.entities import Views
from pipeline.distillation.experts import Experts
from pipeline.distillation.material import Knowledge, Material
from pipeline.distillation.student import Lesson


class DistilledExperts(Knowledge):
    """Experts for sessions and experts for items."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        super().__init__(material.student)
        self._views = Views(material, lesson)
        self.of_sessions = Experts(material, lesson, "sessions")
        self.of_items = Experts(material, lesson, "items")

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of a batch."""
        views = self._views
        targets = views.items(views.targets(rows))
        negatives = views.items(views.negatives(rows, step))
        sessions = self.of_sessions.error(views.sessions(rows), step)
        items = self.of_items.error(targets, step) + self.of_items.error(negatives, step)
        return sessions + items / 2
