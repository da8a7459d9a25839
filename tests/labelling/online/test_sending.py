"""Sending on a clock that jumps: speed, patience, draining, and what the ledger knows by when."""

import asyncio
import itertools
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.money.budget import Budget, most_of
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.announced import Allowance, Announced
from pipeline.labelling.online.retry import RATE_LIMIT, TryAgain
from pipeline.labelling.online.sending import Progress, Sending
from pipeline.labelling.online.stopping import Stopped
from pipeline.labelling.request import Answer, Case, Request
from pipeline.labelling.stores import ledger
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.ledger import Ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.params.labelling import LabelTransportParams
from tests.labelling.buy_many import requests
from tests.labelling.online.test_limiter import Seen, fullest, rate
from tests.labelling.travel import travel

PRICE = Price(1.0, 2.0)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANSWER = Answer("{}", prompt_tokens=20, completion_tokens=10, created_at=NOW)
Answering = Callable[[Request, int], Awaitable[Answer]]


@dataclass
class Service:
    """A provider that answers as it is told, and remembers when it was asked what."""

    answering: Answering
    free: bool = False
    wants_hints: bool = True
    batched: bool = False
    asked: list[tuple[float, Request]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    closed: bool = False

    def request(self, case: Case) -> Request | None:
        return None

    async def answer(self, request: Request) -> Answer:
        self.asked.append((asyncio.get_running_loop().time(), request))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self.answering(request, len(self.asked))
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        self.closed = True

    def times(self, tokens: float = 1.0) -> list[Seen]:
        return [Seen(at, tokens, n) for n, (at, _) in enumerate(self.asked)]


async def two_seconds(request: Request, number: int) -> Answer:
    """Answer after two seconds."""
    await asyncio.sleep(2)
    return ANSWER


@dataclass
class Run:
    """What can be looked at afterwards."""

    sending: Sending
    service: Service

    def states(self) -> Counter[str]:
        return Counter(entry["state"] for entry in ledger.entries(Journal.here().folder))


@pytest.fixture
def limits(transport: LabelTransportParams) -> LabelTransportParams:
    """Return a transport that is fast and patient."""
    fast = {"requests_per_minute": 60_000, "concurrency": 8, "retry_seconds": 600.0}
    return transport.model_copy(update=fast)


@contextmanager
def started(
    answering: Answering, limits: LabelTransportParams, cap: float = 100.0, **more: Any
) -> Iterator[Run]:
    """Give a run that is not begun, with files of its own."""
    service, folder = Service(answering), Journal.here().folder
    with ExitStack() as files:
        answers = files.enter_context(LineFile(folder, "answers.jsonl"))
        lines = files.enter_context(LineFile(folder, ledger.SUFFIX))
        clock = lambda: asyncio.get_running_loop().time()  # noqa: E731
        yield Run(
            Sending(
                service, limits, PRICE, Budget(cap), answers, Ledger(lines), clock=clock, **more
            ),
            service,
        )


def sent(
    asked: Sequence[Request], answering: Answering, limits: LabelTransportParams, **more: Any
) -> Run:
    """Send all requests."""
    with started(answering, limits, **more) as run:
        travel(run.sending.send(asked))
    return run


def test_every_request_is_answered_once_and_written_before_it_counts(
    limits: LabelTransportParams,
) -> None:
    run = sent(requests(50), two_seconds, limits)
    assert len(run.sending.rows) == len(run.service.asked) == 50
    assert run.states() == {"sent": 50, "answered": 50}
    assert Journal.here().read().height == 50
    assert run.service.closed


def test_the_ledger_knows_of_a_request_before_the_service_does(
    limits: LabelTransportParams,
) -> None:
    async def look(request: Request, number: int) -> Answer:
        last = [one for one in ledger.entries(Journal.here().folder) if one["key"] == request.key]
        assert [one["state"] for one in last] == ["sent"]
        assert last[0]["at_most_usd"] == most_of(request, PRICE)
        return ANSWER

    assert len(sent(requests(5), look, limits).sending.rows) == 5


def test_hundreds_are_under_way_and_never_more_than_allowed(limits: LabelTransportParams) -> None:
    wide = limits.model_copy(update={"concurrency": 300})
    assert sent(requests(900), two_seconds, wide).service.most_under_way == 300


def test_both_limits_hold_and_are_used_as_the_service_counts(limits: LabelTransportParams) -> None:
    """A service that counts prompt and max_tokens (50), whatever the answer takes."""
    asked = requests(900, prompt_bytes=1_400, spread=0.5)
    counted = {one.key: len(str(one.body["messages"])) // 4 + 50 for one in asked}

    async def answer(request: Request, number: int) -> Answer:
        await asyncio.sleep(2)
        return replace(ANSWER, prompt_tokens=counted[request.key] - 50)

    both = limits.model_copy(
        update={"requests_per_minute": 500, "tokens_per_minute": 200_000, "concurrency": 64}
    )
    run = sent(asked, answer, both)
    seen = [Seen(at, counted[one.key], n) for n, (at, one) in enumerate(run.service.asked)]
    most_requests, most_tokens = fullest(seen)
    assert most_requests <= 500
    assert most_tokens <= 200_000
    used = rate(seen)
    assert max(used[0] / 500, used[1] / 200_000) >= 0.95


def test_tokens_that_an_answer_does_not_use_count_only_where_the_service_counts_them(
    limits: LabelTransportParams,
) -> None:
    """Prompts of 20 tokens, bounds of 50, answers of 10: 30 a request where used ones count."""
    rates = {}
    for counts in ("asked", "used"):
        slow = {"tokens_per_minute": 3_000, "tokens_counted": counts}
        run = sent(requests(150), two_seconds, limits.model_copy(update=slow))
        rates[counts], _ = rate(run.service.times())
    assert rates["asked"] == pytest.approx(3_000 / 70, rel=0.1)
    assert rates["used"] == pytest.approx(3_000 / 30, rel=0.1)


def test_a_limit_that_answers_announce_is_kept_and_told(
    limits: LabelTransportParams, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(request: Request, number: int) -> Answer:
        await asyncio.sleep(0.1)
        said = Announced(Allowance(120.0), Allowance()) if number > 200 else None
        return replace(ANSWER, announced=said)

    times = sent(requests(400), answer, limits).service.times()
    assert rate(times[:200], 0)[0] > 4_000  # eight at once, a tenth of a second each
    assert rate(times[220:], 0)[0] == pytest.approx(118, rel=0.05)
    told = capsys.readouterr().err
    assert told.count("the service announces its limits: now at most 120 requests a minute") == 1


def test_a_refusal_with_retry_after_holds_everybody(limits: LabelTransportParams) -> None:
    async def answer(request: Request, number: int) -> Answer:
        await asyncio.sleep(0.1)
        if number == 10:
            raise TryAgain(RATE_LIMIT, wait=30.0)
        return ANSWER

    run = sent(requests(100), answer, limits)
    times = [at for at, _ in run.service.asked]
    assert max(later - at for at, later in itertools.pairwise(times)) > 29
    assert run.states() == {"sent": 101, "answered": 100, f"failed:{RATE_LIMIT}": 1}


def test_an_absurd_wait_holds_nobody(limits: LabelTransportParams) -> None:
    async def answer(request: Request, number: int) -> Answer:
        if number == 1:
            raise TryAgain(RATE_LIMIT, wait=1e9)
        return ANSWER

    run = sent(requests(20), answer, limits)
    assert run.sending.failed == {RATE_LIMIT: 1}
    assert run.service.asked[-1][0] < 110


@pytest.mark.parametrize("seconds", [1_763_650_000.0, 86_400.0])
def test_an_absurd_announcement_holds_nobody(limits: LabelTransportParams, seconds: float) -> None:
    """A date in place of seconds, or a limit of a day, in answers that are none the less given."""

    async def answer(request: Request, number: int) -> Answer:
        used_up = Allowance(left=0.0, reset_seconds=seconds)
        return replace(ANSWER, announced=Announced(Allowance(), used_up))

    run = sent(requests(20), answer, limits)
    assert len(run.sending.rows) == 20
    assert run.service.asked[-1][0] < 110


def test_a_long_pause_is_told_once(
    limits: LabelTransportParams, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(request: Request, number: int) -> Answer:
        await asyncio.sleep(1)
        used_up = Allowance(left=0.0, reset_seconds=45.0)
        said = Announced(used_up, Allowance()) if number <= 8 else None
        return replace(ANSWER, announced=said)

    run = sent(requests(20), answer, limits)
    assert run.service.asked[-1][0] > 145
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("asks for a pause: nothing is sent for 45 seconds") == 1


def test_what_may_have_been_billed_is_unknown_and_counted_at_its_most(
    limits: LabelTransportParams,
) -> None:
    async def answer(request: Request, number: int) -> Answer:
        if number % 2:
            raise TryAgain("timeout", may_be_billed=True)
        return ANSWER

    asked = requests(10)
    patient = limits.model_copy(update={"retry_seconds": 0.0, "concurrency": 1})
    run = sent(asked, answer, patient)
    assert run.states() == {"sent": 10, "answered": 5, "unknown:timeout": 5}
    timed_out = sum(most_of(one, PRICE) for one in asked[::2])
    assert run.sending.budget.spent_usd == pytest.approx(timed_out + 5 * PRICE.of(20, 10))


def test_a_cap_ends_the_run_and_what_is_under_way_is_saved(limits: LabelTransportParams) -> None:
    asked = requests(100)
    with started(two_seconds, limits, cap=10.5 * most_of(asked[-1], PRICE)) as run:
        with pytest.raises(SpendRefused):
            travel(run.sending.send(asked))
        answered = len(run.sending.rows)
        assert 10 <= answered < 100
        assert run.states() == {"sent": answered, "answered": answered}


def test_an_error_ends_the_run_at_once_for_those_that_wait(
    limits: LabelTransportParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is refused for good, one waits for another try, one is under way."""
    monkeypatch.setattr(random, "uniform", lambda *_: 50.0)  # until the other try

    async def answer(request: Request, number: int) -> Answer:
        if number == 1:
            raise TryAgain("http 503")
        if number == 2:
            await asyncio.sleep(1)
            raise LabelError("the service answered 401")
        await asyncio.sleep(5)
        return ANSWER

    with started(answer, limits.model_copy(update={"concurrency": 3})) as run:

        async def send() -> float:
            with pytest.raises(LabelError, match="401"):
                await run.sending.send(requests(50))
            return asyncio.get_running_loop().time()

        assert travel(send()) < 110
    assert len(run.sending.rows) == 1
    assert len(run.service.asked) == 3


def test_an_error_that_nobody_thought_of_ends_the_run_when_what_is_under_way_is_saved(
    limits: LabelTransportParams,
) -> None:
    async def answer(request: Request, number: int) -> Answer:
        await asyncio.sleep(number)  # all three are under way by the first one's end
        if number == 1:
            raise RecursionError
        return ANSWER

    slow = limits.model_copy(update={"concurrency": 3})
    with started(answer, slow) as run, pytest.raises(RecursionError):
        travel(run.sending.send(requests(50)))
    assert len(run.sending.rows) == 2
    assert len(run.service.asked) == 3


def interrupting(after: int, seconds: float, again: bool = False) -> Answering:
    """Return a service that presses Ctrl-C while the so-many-th request is under way."""

    async def answer(request: Request, number: int) -> Answer:
        if number == after:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.5)
            if again:
                os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(seconds)
        return ANSWER

    return answer


def test_ctrl_c_once_awaits_what_is_under_way(
    limits: LabelTransportParams, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with started(interrupting(8, 60.0), limits) as run, pytest.raises(Stopped) as stopped:
        travel(run.sending.send(requests(500)))
    assert stopped.value.status == 130
    assert run.states() == {"sent": 8, "answered": 8}
    assert "8 requests are under way, their answers are saved; Ctrl-C again stops now" in (
        " ".join(capsys.readouterr().err.split())
    )
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_stops_now_and_notes_what_is_not_known(limits: LabelTransportParams) -> None:
    with started(interrupting(8, 60.0, again=True), limits) as run, pytest.raises(Stopped):
        travel(run.sending.send(requests(500)))
    assert run.states() == {"sent": 8, "unknown:interrupted": 8}
    assert run.sending.rows == []


def test_failures_in_a_row_end_the_run(limits: LabelTransportParams) -> None:
    async def refuse(request: Request, number: int) -> Answer:
        raise TryAgain("http 500")

    hopeless = limits.model_copy(update={"retry_seconds": 0.0, "base_url": "http://h:9/v1"})
    with started(refuse, hopeless) as run:
        with pytest.raises(LabelError, match=r"10 requests in a row failed \(.*500, at h:9\)"):
            travel(run.sending.send(requests(500)))
        assert len(run.service.asked) < 10 + 8


def test_progress_is_told_now_and_then_and_at_the_end(limits: LabelTransportParams) -> None:
    told: list[Progress] = []
    sent(requests(20), two_seconds, limits, observe=told.append)
    assert len(told) >= 3
    assert (told[-1].requests, told[-1].answered, told[-1].failed) == (20, 20, 0)
    assert told[-1].spent_usd == pytest.approx(20 * PRICE.of(20, 10))
    assert told[0].answered < 20


def test_nothing_lies_open_after_a_run(limits: LabelTransportParams) -> None:
    with started(two_seconds, limits) as run:

        async def send() -> set[Any]:
            await run.sending.send(requests(20))
            await asyncio.sleep(0)
            return asyncio.all_tasks()

        assert len(travel(send())) == 1  # this one
