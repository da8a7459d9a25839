"""Batches under way: looked at until they end, then fetched, and every request given its end."""

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import console
from pipeline.errors import LabelError
from pipeline.labelling.batches import record as batch_record
from pipeline.labelling.batches.outcomes import Outcomes
from pipeline.labelling.batches.record import Plan, Record
from pipeline.labelling.batches.rows import read_row
from pipeline.labelling.batches.service import Batch, BatchService
from pipeline.labelling.online.limiter import Clock
from pipeline.labelling.online.retry import Failed, TryAgain
from pipeline.labelling.prompt import clean
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import ledger, table

MOST_REQUESTS = 50_000  # of a batch, as OpenAI allows
FETCHES = 3  # of files that lack rows which the service counts as answered
STRANGE_LOOKS = 5  # in a row that find no such batch, before we believe it
PATIENCE_SECONDS = 6 * 3_600.0  # with a service that does not answer looks
SHOWN_SECONDS = 600.0  # between lines about a batch that goes on
QUEUE_FULL = frozenset({"token_limit_exceeded", "request_limit_exceeded"})
QUEUE_SECONDS = 24 * 3_600.0  # of patience with a queue that stays full
FULL_PAUSE, LONGEST_FULL_PAUSE = 60.0, 1_800.0  # seconds before a full queue is tried again


@dataclass
class Flight:
    """A batch that is looked after."""

    plan: Plan
    fetches: int = 0
    strange: int = 0
    """Looks in a row that found no such batch."""
    silent_since: float | None = None
    """When looks began to bring nothing."""
    status: str = ""
    shown: float = float("-inf")

    def __str__(self) -> str:
        return f"batch {self.plan.batch_id} at {self.plan.host}"


@dataclass
class Others:
    """What this machine knows of a batch's requests that are not asked now."""

    requests: dict[str, Request]
    """Those without an answer."""
    answered: frozenset[str]
    """Keys, of this batch or not."""

    @classmethod
    def of(cls, folder: Path, plan: Plan) -> "Others":
        """Return what record and ledger in a folder tell."""
        entries = ledger.entries(folder)
        answered = frozenset(one["key"] for one in entries if one["state"] in table.FINAL)
        requests = batch_record.requests_of(folder, plan)
        return cls({key: one for key, one in requests.items() if key not in answered}, answered)


@dataclass
class Read:
    """What the files of a batch say."""

    answered: set[str] = field(default_factory=set)
    faults: dict[str, Failed] = field(default_factory=dict)
    """Of requests without an answer."""
    unasked: set[str] = field(default_factory=set)
    """Of those answered: nobody asks for them now, and this machine does not know the question."""
    odd: Counter[str] = field(default_factory=Counter)
    others: Others | None = None
    """Looked up when they are needed."""


@dataclass
class Fetching:
    """Looks after batches."""

    service: BatchService
    record: Record
    outcomes: Outcomes
    clock: Clock
    folder: Path
    """Of the record."""
    flights: list[Flight] = field(default_factory=list)
    most_requests: int = MOST_REQUESTS
    """Of the next batch: fewer after they were too many for the service's queue."""
    _full_since: float | None = None
    _full_until: float = float("-inf")
    _full_pause: float = FULL_PAUSE

    def full_for(self) -> float:
        """Return the seconds for which a new batch would be refused, as far as is known."""
        return max(self._full_until - self.clock(), 0.0)

    def add(self, plan: Plan, words: str) -> None:
        """Look after another batch."""
        self.flights.append(Flight(plan))
        console.note(f"{self.flights[-1]}: {words}")

    async def look(self) -> bool:
        """Look at each batch, fetch those that have ended, and return whether one has.

        Raises:
            LabelError: nobody can look after them as things are; nothing is lost.
        """
        before = len(self.flights)
        for flight in list(self.flights):
            try:
                await self._look_at(flight)
                flight.silent_since = None
            except TryAgain as fault:
                self._bear(flight, fault)
        return len(self.flights) < before

    async def _look_at(self, flight: Flight) -> None:
        batch = await self.service.look(flight.plan.batch_id)
        if batch is None:
            await self._strange(flight)
            return
        flight.strange = 0
        if not batch.ended:
            self._show(flight, batch)
        elif batch.status == "failed":
            await self._invalid(flight, batch)
        else:
            await self._fetch(flight, batch)

    def _bear(self, flight: Flight, fault: TryAgain) -> None:
        now = self.clock()
        if flight.silent_since is None:
            flight.silent_since = now
            console.note(f"{flight}: {fault.why}; looking again")
        if now - flight.silent_since > PATIENCE_SECONDS:
            raise LabelError(f"{flight}: {fault.why}, for hours; nothing is lost, run it again")

    def _show(self, flight: Flight, batch: Batch) -> None:
        now = self.clock()
        if batch.status != flight.status or now - flight.shown >= SHOWN_SECONDS:
            flight.status, flight.shown = batch.status, now
            count = "" if batch.answered is None else f", {batch.answered:,} answered"
            console.note(f"{flight}: {clean(batch.status, 60)}{count}")

    async def _fetch(self, flight: Flight, batch: Batch) -> None:
        """Keep the answers of a batch that has ended, unless its files may not be whole yet."""
        plan, read = flight.plan, await self._read(flight, batch)
        missing = plan.keys - read.answered - read.faults.keys()
        done = len(plan.keys) if batch.answered is None else batch.answered
        tells = batch.answered is not None or batch.status == "completed"
        lost = bool(missing) and tells and len(read.answered) < done
        flight.fetches += 1
        if lost and not plan.tried and flight.fetches < FETCHES:
            return
        ends = read.faults | dict.fromkeys(missing, _of_missing(batch, lost))
        for key, fault in sorted(ends.items()):
            if self._is_last(flight, key):
                # the first fetch has counted what may be billed
                await self.outcomes.ended(key, TryAgain(fault.why) if plan.tried else fault)
        self._conclude(flight, batch, read, lost=lost and not plan.tried)
        self._full_since, self._full_until, self._full_pause = None, float("-inf"), FULL_PAUSE

    async def _read(self, flight: Flight, batch: Batch) -> Read:
        """Read the files, answers first; what was answered is kept at once."""
        read = Read()
        for file_id in batch.files:
            async with aclosing(self.service.lines(file_id)) as lines:
                async for line in lines:
                    await self._take(line, flight.plan, read)
        for key in read.answered:
            read.faults.pop(key, None)
        return read

    async def _take(self, line: str, plan: Plan, read: Read) -> None:
        row = read_row(line)
        key = plan.asked_as.get(row.key, row.key) if row else ""
        if row is None:
            read.odd["unreadable"] += bool(line.strip())
        elif key not in plan.keys:
            read.odd["unknown"] += 1
        elif key in read.answered:
            read.odd["repeated"] += 1
        elif isinstance(row.end, Answer):
            read.answered.add(key)
            await self._keep(key, row.end, plan, read)
        else:
            read.faults[key] = row.end

    async def _keep(self, key: str, answer: Answer, plan: Plan, read: Read) -> None:
        """Keep an answer, also one to a request that is no longer asked: it is paid for."""
        if key in self.outcomes.open:
            await self.outcomes.answered(key, answer)
        elif key not in self.outcomes.asked:
            read.others = read.others or Others.of(self.folder, plan)
            if key in read.others.requests:
                await self.outcomes.answered_too(read.others.requests.pop(key), answer)
            elif key not in read.others.answered:
                read.unasked.add(key)

    def _is_last(self, flight: Flight, key: str) -> bool:
        """Return whether a request is open, and in no other batch that may still answer it."""
        others = (other.plan.keys for other in self.flights if other is not flight)
        return key in self.outcomes.open and not any(key in keys for keys in others)

    def _conclude(self, flight: Flight, batch: Batch, read: Read, *, lost: bool) -> None:
        """Note what is left of a batch: nothing, lost rows, or answers that nobody asks for now."""
        plan = flight.plan
        if read.unasked:
            rest = Plan.of(read.unasked, plan.host, plan.project)
            self.record.note(rest, "answered", batch_id=plan.batch_id)
        self.record.note(plan, "incomplete" if lost else "ended")
        if not lost:
            batch_record.forget_requests(self.folder, plan)
        self.flights.remove(flight)
        odd = "".join(
            f", {count:,} rows {what}" for what, count in sorted(read.odd.items()) if count
        )
        console.note(
            f"{flight}: {batch.status}, {len(read.answered):,} of {len(plan.keys):,} answered{odd}"
        )

    async def _strange(self, flight: Flight) -> None:
        """Believe, after some looks, that the service does not know a batch.

        Raises:
            LabelError: it does not; perhaps it is another account's.
        """
        flight.strange += 1
        if flight.strange < STRANGE_LOOKS:
            raise TryAgain("not known to the service")
        for key in sorted(flight.plan.keys):
            if self._is_last(flight, key):
                await self.outcomes.ended(key, Failed("batch not known", may_be_billed=True))
        self.record.note(flight.plan, "dropped")
        raise LabelError(
            f"{flight}: the service does not know it; if you changed the account or "
            "label_transport.base_url, change it back and run again, else run again to buy its "
            f"{len(flight.plan.keys):,} requests anew"
        )

    async def _invalid(self, flight: Flight, batch: Batch) -> None:
        """Queue the requests of a batch that was not begun, if only the service's queue was full.

        Raises:
            LabelError: the batch is not as the service wants it.
        """
        keys = [key for key in sorted(flight.plan.keys) if self._is_last(flight, key)]
        await self.outcomes.put_back(keys, "batch refused")
        self.record.note(flight.plan, "ended")
        batch_record.forget_requests(self.folder, flight.plan)
        self.flights.remove(flight)
        said = "; ".join(clean(f"{code}: {words}", 200) for code, words in batch.errors[:3])
        if not QUEUE_FULL.intersection(code for code, _ in batch.errors):
            raise LabelError(f"{flight}: the service refused it: {said or 'it does not say why'}")
        now = self.clock()
        self._full_since = now if self._full_since is None else self._full_since
        if now - self._full_since > QUEUE_SECONDS:
            raise LabelError(f"{flight}: the service's queue is full for a day: {said}")
        self._full_until = now + self._full_pause
        self._full_pause = min(self._full_pause * 2, LONGEST_FULL_PAUSE)
        if not self.flights:  # it is too long for an empty queue
            self.most_requests = max(1, len(flight.plan.keys) // 2)
        console.note(f"{flight}: {said}; waiting, then trying again")


def _of_missing(batch: Batch, lost: bool) -> Failed:
    """Return what becomes of a request without a row."""
    if lost:
        return Failed("no row in the output", may_be_billed=True)
    if batch.status == "cancelled":
        return Failed("batch cancelled")
    return TryAgain("batch expired" if batch.status == "expired" else "no row in the output")
