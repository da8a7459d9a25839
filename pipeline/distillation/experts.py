"""Experts that map a student's vector onto its teacher's, and who is asked: by Gumbel's trick.

The selection net looks at the teacher's vector t: pi = softmax(W t). Noise G drawn from Gumbel's
distribution gives m = softmax((log pi + G) / T), which falls on one expert as the temperature T
sinks (Kang et al. 2020, CIKM, DE; the same machinery assigns the groups of HTD, KDD 2021).

Departures: T sinks with the step, not with the epoch, and has sunk after the fewest steps that a
run with early stopping takes (patience x steps between looks), since the last step is not known
beforehand. Only experts that are asked are computed: a share of exactly zero, which nearly all are
once T has sunk, has no part in the estimate and none in its gradient.
"""

import math

import torch
from torch import Tensor, nn

from pipeline import seeds
from pipeline.distillation.entities import Entities
from pipeline.distillation.material import Material
from pipeline.distillation.student import Lesson

WARM, COLD = 1.0, 1e-10
"""Temperature of the first step, and after the annealing."""
EXPERTS = 30


def temperature(step: int, steps: int) -> float:
    """Return the temperature of a step: it sinks by the same factor each of the first ``steps``."""
    progress = min(step / max(steps, 1), 1.0)
    return WARM * math.pow(COLD / WARM, progress)


def shares(logits: Tensor, noise: Tensor, heat: float) -> Tensor:
    """Return how much of each expert is asked; each row sums to one.  # M E, M E -> M E."""
    return torch.softmax((logits.log_softmax(1) + noise) / heat, 1)


def gumbel(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return noise of Gumbel's distribution: -log of an exponential draw."""
    drawn = torch.empty(shape).exponential_(generator=generator)
    return -drawn.clamp_min(torch.finfo(drawn.dtype).tiny).log()


class Experts(nn.Module):
    """Small networks Ds -> (Ds + Dt)/2 -> Dt, and the net that selects among them."""

    def __init__(self, material: Material, lesson: Lesson, kind: str) -> None:
        super().__init__()
        narrow, wide = (one.items.embedding_dim for one in (material.student, material.teacher))
        hidden = (narrow + wide) // 2
        self.first = nn.Parameter(torch.empty(narrow, EXPERTS * hidden))
        self.first_offsets = nn.Parameter(torch.zeros(EXPERTS * hidden))
        self.second = nn.Parameter(torch.empty(EXPERTS * hidden, wide))
        self.second_offsets = nn.Parameter(torch.zeros(EXPERTS, wide))
        self.selection = nn.Parameter(torch.empty(wide, EXPERTS))
        self._seed, self._kind = lesson.seed, kind
        self._annealing = lesson.params.patience * lesson.params.evaluate_every
        self._initialise(narrow, wide, hidden)

    def _initialise(self, narrow: int, wide: int, hidden: int) -> None:
        """Draw each expert's matrices, and the selection's, by Xavier's rule."""
        generator = seeds.torch_generator(self._seed, "experts", self._kind)
        spreads = ((self.first, narrow + hidden), (self.second, hidden + wide))
        for weight, ends in (*spreads, (self.selection, wide + EXPERTS)):
            nn.init.normal_(weight, std=(2 / ends) ** 0.5, generator=generator)

    def groups(self, teacher: Tensor) -> Tensor:
        """Return the likeliest expert of each entity, by the teacher's vector alone.  # M."""
        return (teacher @ self.selection).detach().argmax(1)

    def forward(self, student: Tensor, teacher: Tensor, step: int) -> Tensor:
        """Return the teacher's vectors as the asked experts read them off the student's.

        Args:
            student: M Ds.
            teacher: M Dt.
            step: decides noise and temperature.

        Returns:
            Estimates of ``teacher``.  # M Dt
        """
        generator = seeds.torch_generator(self._seed, "gumbel", self._kind, step)
        noise = gumbel((len(student), EXPERTS), generator).to(student.device)
        asked = shares(teacher @ self.selection, noise, temperature(step, self._annealing))  # M E
        return self.mixed(student, asked)

    def mixed(self, student: Tensor, asked: Tensor) -> Tensor:
        """Return the sum of the estimates of the experts asked, by their shares.

        Args:
            student: M Ds.
            asked: shares, M E.

        Returns:
            Estimates of the teacher's vectors.  # M Dt
        """
        experts, rows = asked.T.nonzero(as_tuple=True)  # expert by expert
        sizes = torch.bincount(experts, minlength=EXPERTS).tolist()
        # not student[rows], whose gradient adds rows as threads come by: bytes would not repeat
        entities = torch.split(student.index_select(0, rows), sizes)
        weights = zip(
            self.first.view(student.shape[1], EXPERTS, -1).unbind(1),
            self.first_offsets.view(EXPERTS, -1),
            self.second.view(EXPERTS, -1, self.second.shape[1]),
            self.second_offsets,
            strict=True,
        )
        estimates = [
            torch.addmm(offset, torch.relu(torch.addmm(bend, some, first)), second)
            for some, (first, bend, second, offset) in zip(entities, weights, strict=True)
        ]
        weighted = torch.cat(estimates) * asked[rows, experts, None]
        return weighted.new_zeros(len(student), weighted.shape[1]).index_add(0, rows, weighted)

    def error(self, entities: Entities, step: int) -> Tensor:
        """Return how far what the experts make of the student is from the teacher."""
        return squared_error(entities.teacher, self(entities.student, entities.teacher, step))


def squared_error(teacher: Tensor, estimate: Tensor) -> Tensor:
    """Return the mean over entities of the squared distance.  # M D, M D."""
    return (teacher - estimate).square().sum(1).mean()
