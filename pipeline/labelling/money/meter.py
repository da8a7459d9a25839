"""What a person sees while money is spent: a bar on a terminal, else a line every 30 seconds."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from pipeline import console
from pipeline.labelling.money.gate import dollars
from pipeline.labelling.online.sending import Progress


class Meter:
    """Shows a run's progress; give `show` to those who send."""

    def __init__(self, title: str, log_seconds: float = console.LOG_SECONDS) -> None:
        self._title = title
        self._log_seconds = log_seconds
        self._shown = 0.0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        money = TextColumn("{task.fields[money]}", markup=False)
        self._bar = Bar(*columns, money, console=console.err, transient=True)
        self._task = self._bar.add_task(title, total=None, money="")

    def __enter__(self) -> Self:
        if console.err.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if console.err.is_terminal:
            self._bar.stop()

    def show(self, now: Progress) -> None:
        """Move the bar, or write a line if the last one is long ago."""
        if console.err.is_terminal:
            self._bar.update(
                self._task, total=now.requests, completed=now.answered, money=_money(now)
            )
        elif now.seconds - self._shown >= self._log_seconds:
            self._shown = now.seconds
            console.note(
                f"{self._title}: {now.answered:,} of {now.requests:,} answered, {_money(now)}"
            )


def _money(now: Progress) -> str:
    left = max(now.cap_usd - now.spent_usd, 0.0)
    return (
        f"{now.failed:,} failed, ${dollars(now.spent_usd)} spent in all, ${dollars(left)} left, "
        f"{_minutes_left(now)}"
    )


def _minutes_left(now: Progress) -> str:
    done = now.answered + now.failed
    if not done:
        return "time left not known yet"
    minutes = now.seconds / done * (now.requests - done) / 60
    return f"about {minutes:,.0f} min left" if minutes >= 1 else "less than a minute left"
