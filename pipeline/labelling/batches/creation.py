"""A new batch: cut to size, planned, uploaded, created once; each step on disk before the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import LabelError
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.batches.adoption import Adoption, Patience
from pipeline.labelling.batches.outcomes import Outcomes
from pipeline.labelling.batches.record import Plan, Record
from pipeline.labelling.batches.rows import line_of
from pipeline.labelling.batches.service import BatchService
from pipeline.labelling.money.budget import most_of
from pipeline.labelling.online.retry import TryAgain
from pipeline.labelling.request import Request

MOST_BYTES = 100_000_000  # of a file: OpenAI allows 200 MB, other services 100
FIRST_PAUSE = 2.0  # seconds before a batch that was not created is created; then twice as long


@dataclass(frozen=True)
class Creation:
    """Makes batches of queued requests."""

    service: BatchService
    record: Record
    outcomes: Outcomes
    patience: Patience
    adoption: Adoption
    folder: Path
    """Of the record."""

    def cut(self, most_requests: int) -> list[Request]:
        """Return the next requests that fit into one batch, and whose most fits the budget."""
        taken: list[Request] = []
        size, most = 0, 0.0
        for request in self.outcomes.queue.values():
            size += len(line_of(request))
            most += most_of(request, self.outcomes.price)
            other = taken and (request.model != taken[0].model or size > MOST_BYTES)
            if len(taken) >= most_requests or other or not self.outcomes.budget.fits(most):
                break
            taken.append(request)
        return taken

    def refuse(self) -> None:
        """Tell why not even the next request fits the budget.

        Raises:
            SpendRefused: it does not.
        """
        request = next(iter(self.outcomes.queue.values()))
        self.outcomes.budget.take(most_of(request, self.outcomes.price))

    async def create(self, requests: Sequence[Request]) -> Plan:
        """Return the plan of a new batch.

        Raises:
            LabelError: the service refuses it, so it does not exist; or it may exist, and the next
                run finds out.
        """
        keys = [request.key for request in requests]
        plan = Plan.of(keys, self.adoption.host, self.adoption.project)
        plan = self.record.note(plan, "planned")
        batch_record.keep_requests(self.folder, plan, requests)
        content = b"".join(line_of(request) for request in requests)
        what = f"the requests cannot be uploaded to {plan.host}"
        file_id = await self.patience.ask(lambda: self.service.upload(content), what)
        self.outcomes.budget.take(self.outcomes.most(keys), len(keys))
        plan = self.record.note(plan, "uploaded", file_id=file_id)
        self.outcomes.sent(keys)
        try:
            return await self._created(plan)
        except _Refused as refusal:
            await self.outcomes.put_back(keys, "refused by the service")
            self.drop(plan)
            raise LabelError(str(refusal)) from None

    def drop(self, plan: Plan) -> None:
        """Note that a plan never became a batch."""
        self.record.note(plan, "dropped")
        batch_record.forget_requests(self.folder, plan)

    async def _created(self, plan: Plan) -> Plan:
        """Return the plan as a batch that exists once: before it is created again, it is sought.

        Raises:
            _Refused: the service will not have it, so it does not exist.
            LabelError: it may exist.
            Over: somebody wants to stop; it may exist.
        """
        begun, pause = self.patience.clock(), FIRST_PAUSE
        while True:
            try:
                batch = await self.service.create(plan.file_id, plan.metadata, plan.name)
                return self.record.note(plan, "created", batch_id=batch.batch_id)
            except TryAgain as error:
                fault = error
            except LabelError as error:
                raise _Refused(str(error)) from None
            if fault.may_be_billed and (found := await self.adoption.lost(plan)):
                return found
            wait = max(pause, fault.wait or 0.0)
            if self.patience.clock() - begun + wait > self.patience.seconds:
                asked = f", asks for a wait of {fault.wait:,.0f} s" if fault.wait else ""
                raise LabelError(f"{plan.host} creates no batch ({fault.why}{asked}); run it again")
            await self.patience.rest(wait)
            pause *= 2


class _Refused(Exception):  # noqa: N818 - a state of a batch
    """The service will not have a batch."""
