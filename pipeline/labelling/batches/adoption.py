"""Batches that exist already: found in the service's list, so that nothing is bought twice.

One that was created when we were killed, or whose reply was lost, is found by its plan's name in
its metadata. One of another machine, or of a record that is gone, is known by our mark, and what
it was asked by the custom ids in its files.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from pipeline import console
from pipeline.errors import LabelError
from pipeline.labelling.batches.record import MARK, Plan, Record, digest
from pipeline.labelling.batches.rows import custom_id
from pipeline.labelling.batches.service import Batch, BatchService
from pipeline.labelling.online.limiter import Clock, Sleep
from pipeline.labelling.online.retry import TryAgain, policy

T = TypeVar("T")

SETTLE_SECONDS = (0.0, 1.0, 5.0, 15.0, 40.0)
"""Waits between looks into the list for a batch that may have been created just now."""


class Over(Exception):  # noqa: N818 - a state of a run
    """Somebody wants to stop; what is on disk tells the next run where to go on."""


@dataclass(frozen=True)
class Patience:
    """How long a call is repeated by which nothing is bought."""

    seconds: float
    clock: Clock
    sleep: Sleep
    """It ends early when somebody wants to stop."""
    is_over: Callable[[], bool] = lambda: False
    """Whether somebody wants to stop."""

    async def rest(self, seconds: float) -> None:
        """Wait.

        Raises:
            Over: somebody wants to stop.
        """
        await self.sleep(seconds)
        if self.is_over():
            raise Over

    async def ask(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """Return what a call brings, which is repeated while that may help.

        Args:
            call: one attempt.
            what: what is the matter if it brings nothing, in words.

        Raises:
            LabelError: it brought nothing.
            Over: it brought nothing, and somebody wants to stop.
        """
        try:
            async for attempt in policy(self.seconds, self.clock, self.sleep, self.is_over):
                with attempt:
                    return await call()
        except TryAgain as fault:
            if self.is_over():
                raise Over from None
            raise LabelError(
                f"{what} ({fault.why}); nothing more is bought, run it again"
            ) from None
        raise AssertionError("the policy returns or raises")


@dataclass(frozen=True)
class Adoption:
    """Finds batches of ours at a service."""

    service: BatchService
    record: Record
    patience: Patience
    host: str
    project: str

    async def lost(self, plan: Plan) -> Plan | None:
        """Return a plan with the id of its batch, nothing if it never became one.

        Raises:
            LabelError: the list cannot be read, so that is not known.
            Over: somebody wants to stop before it is known.
        """
        for seconds in SETTLE_SECONDS:
            await self.patience.rest(seconds)
            for batch in await self._listed():
                if batch.metadata.get("plan") == plan.name:
                    return self.record.note(plan, "created", batch_id=batch.batch_id)
        return None

    async def unknown(self, known: Collection[str], wanted: Collection[str]) -> list[Plan]:
        """Return plans for the batches of ours that are not on record here; they are then.

        Args:
            known: ids of batches on record.
            wanted: keys; a batch of exactly these is told by their digest.

        Raises:
            LabelError: the list cannot be read, or a batch tells nobody what it was asked.
        """
        found = []
        for batch in await self._listed():
            ours = MARK in batch.metadata and batch.batch_id not in known
            if ours and batch.status != "failed":  # one that was not valid bought nothing
                same = batch.metadata.get("keys") == digest(wanted)
                keys = frozenset(wanted) if same else await self._keys(batch)
                plan = Plan.of(keys, self.host, self.project)
                found.append(self.record.note(plan, "created", batch_id=batch.batch_id))
        return found

    async def _listed(self) -> list[Batch]:
        what = f"the list of batches at {self.host} cannot be read"
        return await self.patience.ask(self.service.listed, what)

    async def _keys(self, batch: Batch) -> frozenset[str]:
        """Return what a batch was asked: by its input file, or else by what it answered."""
        console.note(f"batch {batch.batch_id} at {self.host} is not on record here; reading it")
        for files in ((batch.input_file,), batch.files):
            keys = [key for file in files if file for key in await self._custom_ids(file)]
            if keys:
                return frozenset(keys)
        if batch.ended:
            return frozenset()
        raise LabelError(
            f"batch {batch.batch_id} at {self.host} is of this program and under way, and its "
            "requests cannot be read; nothing was bought, run it again when the batch has ended"
        )

    async def _custom_ids(self, file_id: str) -> list[str]:
        async def read() -> list[str]:
            async with aclosing(self.service.lines(file_id)) as lines:
                return [key async for line in lines if (key := custom_id(line))]

        return await self.patience.ask(read, f"file {file_id} at {self.host} cannot be read")
