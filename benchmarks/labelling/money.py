"""The cap under random prices and usages, 64 requests under way, crashes included.

python -m benchmarks.labelling.money [TRACES]

A trace is a price, a cap below what all requests can cost, and a service that bills as it likes
within what each request allows: reasoning, cached tokens, answers whose usage is not told, replies
that never come although they are billed. The real loop sends, the real journal and ledger are
written; some runs die with requests under way, and the next one goes on with what is left of the
cap. What counts is the service's own bill, at every moment.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.record import record
from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.money import spending
from pipeline.labelling.money.budget import FRAME_TOKENS, Budget, most_of, prompt_bytes
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.retry import Failed, TryAgain
from pipeline.labelling.online.sending import Sending
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import AnswerFile, Journal
from pipeline.labelling.stores.ledger import SUFFIX, Ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.params import read_params
from pipeline.params.labelling import LabelTransportParams
from pipeline.paths import Paths

TRACES = 1_000
UNDER_WAY = 64
RUNS = 3
ROUNDING = 1e-9


@dataclass
class Service:
    """Bills what it likes within what a request allows; its bill cannot be talked down."""

    chance: random.Random
    price: Price
    cap_usd: float
    dies_after: int
    free: bool = False
    batched: bool = False
    wants_hints: bool = False
    answered: int = 0
    billed_usd: float = 0.0
    lives: bool = True
    overrun: bool = False

    def request(self, case: object) -> None:
        """Make no request: those of the trace are given."""

    async def answer(self, request: Request) -> Answer:
        """Answer after a while, or not; bill in most cases."""
        if not self.lives:  # the process is dead: nothing more is sent, what was sent is billed
            raise asyncio.CancelledError
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        prompt = self.chance.randint(1, prompt_bytes(request) + FRAME_TOKENS)
        completion = self.chance.randint(0, request.body["max_tokens"])  # reasoning included
        cached = self.chance.choice((0, self.chance.randint(0, prompt)))
        fate = self.chance.random()
        if fate < 0.1:
            raise TryAgain("rate limit")
        self._bill(self.price.of(prompt, completion, cached))
        if fate < 0.2:
            raise TryAgain("timeout", may_be_billed=True)
        if fate < 0.25:
            raise Failed("no message in the reply", may_be_billed=True)
        self.answered += 1
        if self.answered == self.dies_after:
            self.lives = False  # from here on nothing is written any more
            raise asyncio.CancelledError
        told: Mapping[str, Any] = {
            "prompt_tokens": prompt, "completion_tokens": completion, "cached_tokens": cached
        }  # fmt: skip
        usage = dict.fromkeys(told) if fate < 0.3 else told
        return Answer("{}", created_at=datetime.now(UTC), **usage)

    async def close(self) -> None:
        """Let go of nothing."""

    def _bill(self, cost_usd: float) -> None:
        self.billed_usd += cost_usd
        self.overrun |= self.billed_usd > self.cap_usd * (1 + ROUNDING)


class Dying(LineFile):
    """A line file of a process that may be dead: then nothing is written."""

    service: Service

    def append(self, value: Mapping[str, Any]) -> None:
        """Write while we live."""
        if self.service.lives:
            super().append(value)


class DyingAnswers(Dying, AnswerFile):
    """The same for answers."""


@dataclass(frozen=True)
class Trace:
    """How one trace ended."""

    cap_usd: float
    billed_usd: float
    overrun: bool
    """The bill was above the cap at some moment."""
    capped: bool
    """A request was refused by the cap."""
    runs: int


def trace(seed: int, folder: Path) -> Trace:
    """Run one trace in an empty folder and return how it ended."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    price = _price(chance)
    asked = [_request(number, chance) for number in range(chance.randint(1, 200))]
    cap = chance.uniform(0.02, 1.0) * sum(most_of(one, price) for one in asked)
    transport = _transport()
    billed, overrun, capped, runs = 0.0, False, False, 0
    for _ in range(RUNS):
        runs += 1
        service = Service(chance, price, cap, chance.choice((0, chance.randint(1, 100))))
        service.billed_usd = billed
        capped |= _run(service, asked, transport, folder)
        billed, overrun = service.billed_usd, overrun or service.overrun
    return Trace(cap, billed, overrun, capped, runs)


def _run(
    service: Service, asked: Sequence[Request], transport: LabelTransportParams, folder: Path
) -> bool:
    """Run what one process would, until it ends or dies; return whether the cap stopped it."""
    project, journal = Paths(folder / "project"), Journal(folder / "journal")
    had = set(journal.read()["key"])
    missing = [request for request in asked if request.key not in had]
    if not missing:
        return False
    budget = Budget(service.cap_usd, spending.spent(project, journal).total_usd)
    with (
        DyingAnswers(journal.folder, "answers.jsonl") as answers,
        Dying(journal.folder, SUFFIX) as lines,
    ):
        answers.service = lines.service = service
        ledger = Ledger(lines, project_identity(project.root))
        sending = Sending(
            service,
            transport, service.price, budget, answers, ledger, sleep=lambda _: asyncio.sleep(0),
        )  # fmt: skip
        try:
            asyncio.run(_until_death(sending, missing, service))
        except SpendRefused:
            return True
        except LabelError as error:
            if "in a row failed" not in str(error):
                raise
    return False


async def _until_death(sending: Sending, missing: Sequence[Request], service: Service) -> None:
    work = asyncio.ensure_future(sending.send(missing))
    while service.lives and not work.done():
        await asyncio.sleep(0)
    if not service.lives:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return
    await work


def _price(chance: random.Random) -> Price:
    prompt, completion = 10 ** chance.uniform(-2, 2), 10 ** chance.uniform(-2, 2)
    cached = chance.choice((None, prompt * chance.random()))
    step = Price(prompt * chance.uniform(0.5, 3), completion * chance.uniform(0.5, 3), cached)
    longer = ((chance.randint(100, 2_000), step),) if chance.random() < 0.5 else ()
    return Price(prompt, completion, cached, each=chance.choice((0.0, 0.001)), longer=longer)


def _request(number: int, chance: random.Random) -> Request:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": f"s{number} " + "x" * chance.randint(0, 3_000)}],
        "max_tokens": chance.randint(1, 4_000),
    }
    return Request("made", "ranking", f"s{number}", "v1", "made", body)


def _transport() -> LabelTransportParams:
    shipped = read_params(Paths().params).label_transport
    limits = {"requests_per_minute": 10**9, "concurrency": UNDER_WAY, "retry_seconds": 5.0}
    return shipped.model_copy(update=limits)


def measure(traces: int) -> list[dict[str, Any]]:
    """Return the figures of some traces."""
    ended = []
    for seed in range(traces):
        with tempfile.TemporaryDirectory() as folder:
            ended.append(trace(seed, Path(folder)))
    capped = [one for one in ended if one.capped]
    used = sum(one.billed_usd / one.cap_usd for one in capped) / max(len(capped), 1)
    command = "python -m benchmarks.labelling.money"
    rows = (
        ("random traces, 64 under way", traces, "traces", "-"),
        ("runs of them, some cut off by a crash", sum(one.runs for one in ended), "runs", "-"),
        ("traces that the cap stopped", len(capped), "traces", "-"),
        ("share of the cap that those were billed", used, "", "-"),
        ("traces billed above the cap", sum(one.overrun for one in ended), "traces", "<= 0"),
    )
    return [
        {"name": f"labelling, budget: {name}", "value": float(value), "unit": unit, "aim": aim,
         "rival": None, "command": command}
        for name, value, unit, aim in rows
    ]  # fmt: skip


def main() -> None:
    """Measure and record."""
    record(measure(int(sys.argv[1]) if len(sys.argv) > 1 else TRACES))


if __name__ == "__main__":
    main()
