"""Training by several processes that ``torchrun`` started: a batch is shared out, gradients add up.

Each process has the whole model and all sessions, and computes the loss of its share of a batch's
rows as a part of the mean over all of them. The sum of the gradients is then that of one process,
but for rounding, and each takes the same step. `torch`'s own wrapper is not used: it averages
gradients, which is wrong where shares differ in length, and it wants one ``forward`` that all
scores pass through, where these models have a session's part and an item's.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import DataError, ParamsError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Team:
    """The processes of a training, seen by one of them; by default there is no other."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this one speaks for all: writes files, shows progress, measures."""
        return self.rank == 0

    @property
    def names(self) -> tuple[int, ...]:
        """What tells its random numbers from the others'; nothing for the first."""
        return () if self.first else (self.rank,)

    def share(self, count: int) -> slice:
        """Return its rows of a batch; none where there are fewer rows than processes."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add_up(self, model: "nn.Module") -> None:
        """Replace each gradient by the sum over all processes; None stays where nobody has one."""
        if self.size == 1:
            return
        import torch  # noqa: PLC0415 - the command line asks only who we are
        from torch import distributed  # noqa: PLC0415

        weights = list(model.parameters())
        own = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights]
        there = own[0].new_tensor([one.grad is not None for one in weights])
        flat = torch.cat([*(one.flatten() for one in own), there])  # one message a step
        distributed.all_reduce(flat)
        *sums, there = torch.split(flat, [*(one.numel() for one in weights), len(weights)])
        for weight, total, found in zip(weights, sums, there, strict=True):
            weight.grad = total.view_as(weight) if found else None

    def total(self, value: float) -> float:
        """Return the sum of all processes' values."""
        if self.size == 1:
            return value
        import torch  # noqa: PLC0415
        from torch import distributed  # noqa: PLC0415

        summed = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(summed)
        return float(summed)

    def agreed(self, figure: Callable[[], float]) -> float:
        """Return what the first one measures, the same number to all."""
        if self.size == 1:
            return figure()
        import torch  # noqa: PLC0415
        from torch import distributed  # noqa: PLC0415

        told = torch.tensor(figure() if self.first else 0.0, dtype=torch.float64)
        distributed.broadcast(told, src=0)
        return float(told)

    def refuse_different(self, step: int) -> None:
        """Refuse to begin at different steps.

        Raises:
            DataError: an unfinished training was found by some of the processes only.
        """
        if self.size > 1 and self.total(abs(step - self.agreed(lambda: step))) > 0:
            raise DataError(
                f".cache/checkpoints: process {self.rank} goes on from step {step}, another one "
                "does not; give them one folder on all machines, or remove it"
            )


ALONE = Team()


def started() -> Team:
    """Return the team that ``torchrun`` says we are of."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ALONE
    return Team(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def refuse_team(stage: str) -> None:
    """Refuse several processes where only one may be at work.

    Raises:
        ParamsError: ``torchrun`` started us.
    """
    if started().size > 1 and stage not in ("teacher", "student"):
        raise ParamsError(
            f"torchrun trains teacher and student; run `distilrec {stage}` without it"
        )


@contextmanager
def team() -> Iterator[Team]:
    """Give the team that ``torchrun`` started, connected for the block; else one alone."""
    found = started()
    if found.size == 1:
        yield found
        return
    from torch import distributed  # noqa: PLC0415

    if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _loopback())  # one machine needs no network
    distributed.init_process_group("gloo")
    try:
        yield found
    finally:
        distributed.destroy_process_group()


def _loopback() -> str:
    """Return the loopback interface's name: ``lo``, or ``lo0`` on a Mac."""
    return min(name for _, name in socket.if_nameindex() if name.startswith("lo"))
