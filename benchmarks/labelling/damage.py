"""Damage, power cuts and full disks: no wrong label is ever read, nothing acknowledged is lost.

python -m benchmarks.labelling.damage

- 2,000 flipped bits, cuts and zeroed tails in parts and journal files: rows read that nobody wrote.
- 100 power cuts: all that was written since the last fsync is lost or zeroed.
- A disk that is full, or fails, at each write, fsync and rename of a run in turn, once or from
  there on: the run stops with one line, and the next one asks for nothing that was acknowledged.
"""

import contextlib
import errno
import io
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from pipeline.errors import PipelineError
from pipeline.labelling.buyer import Buyer, Place
from pipeline.labelling.request import Answer, Case, Request
from pipeline.labelling.stores import table
from pipeline.labelling.stores.journal import AnswerFile, Journal
from pipeline.labelling.stores.lines import SYNC_ANSWERS, checked_lines, state_of
from pipeline.labelling.stores.store import Store
from pipeline.params import read_params
from pipeline.paths import Paths

DAMAGES, CUTS, SEED = 2_000, 100, 11
ROWS, PARTS = 60, 4


@dataclass
class Vendor:
    """A provider that answers here and counts what was paid for."""

    paid: Counter[str] = field(default_factory=Counter)
    free: bool = False
    wants_hints: bool = True
    batched: bool = False

    def request(self, case: Case) -> Request | None:  # noqa: ARG002 - nobody gives a case
        """Return nothing: requests are made by `requests`."""
        return None

    async def answer(self, request: Request) -> Answer:
        """Return the answer that is always given to a request."""
        self.paid[request.key] += 1
        return answer_to(request)

    async def close(self) -> None:
        """Let go of nothing."""


def requests(count: int, name: str = "s") -> list[Request]:
    """Return some requests that differ in their session."""
    return [
        Request(
            "tiny", "ranking", f"{name}{n}", "v1", "stub",
            {"model": "m", "messages": [{"role": "user", "content": f"{name}{n} é"}],
             "max_tokens": 50},
            {"C1": "a", "C2": "b"},
        )
        for n in range(count)
    ]  # fmt: skip


def answer_to(request: Request) -> Answer:
    """Return an answer that tells its request."""
    text = f'{{"ranking": ["C1", "C2"], "of": "{request.subject_id}"}}'
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return Answer(text, prompt_tokens=60, completion_tokens=9, cost_usd=1e-5, created_at=at)


def row(request: Request) -> dict[str, Any]:
    """Return the row of an answered request."""
    return table.row(request, answer_to(request))


def hurt(content: bytes, chance: random.Random) -> bytes:
    """Return the content with a flipped bit, without its end, or with its end zeroed."""
    place = chance.randrange(len(content))
    kind = chance.choice(["bit", "bit", "cut", "zeros"])
    if kind == "bit":
        return (
            content[:place]
            + bytes([content[place] ^ 1 << chance.randrange(8)])
            + content[place + 1 :]
        )
    return content[:place] + (bytes(len(content) - place) if kind == "zeros" else b"")


def silently_wrong(folder: Path, times: int, seed: int = SEED) -> Counter[str]:
    """Damage a store and a journal one file at a time and count what is read of them.

    Returns:
        ``wrong``: rows read that nobody wrote; ``lost elsewhere``: rows of files that were not
        damaged and are not read; ``not noticed``: damage that neither says; ``damages``.
    """
    chance, found = random.Random(seed), Counter[str](damages=times)  # noqa: S311 - no secret
    here, kept = Store(folder / "store"), Journal(folder / "journal")
    asked = requests(ROWS)
    for number in range(PARTS):
        here.write(table.frame([row(one) for one in asked[number::PARTS]]))
    for number in range(2):
        with kept.writer() as lines:
            for one in asked[number::2]:
                lines.append(row(one))
    truth = {one["key"]: one for one in table.frame([row(one) for one in asked]).to_dicts()}
    for number in range(times):
        path = chance.choice(here.parts() if number % 2 else kept.files())
        whole = path.read_bytes()
        its_rows = ROWS // PARTS if number % 2 else ROWS // 2
        damaged = hurt(whole, chance)
        path.write_bytes(damaged)
        with contextlib.redirect_stderr(io.StringIO()):
            read = (here.read() if number % 2 else kept.read()).to_dicts()
            told = path in here.damaged() if number % 2 else state_of(path) != "sound"
        found["wrong"] += sum(one != truth.get(one["key"]) for one in read)
        found["lost elsewhere"] += len(read) < ROWS - its_rows
        # A cut at a line's end is no damage: it is a journal that ends earlier.
        found["not noticed"] += not told and damaged != whole and not damaged.endswith(b"\n")
        path.write_bytes(whole)
    return found


def power_cuts(folder: Path, times: int, seed: int = SEED) -> Counter[str]:
    """Lose or zero what was written since the last fsync, at random places, and go on from there.

    Returns:
        ``synced lost``: answers that an fsync had covered and that are not read; ``wrong``: rows
        nobody wrote; ``stuck``: a journal that takes or gives no further answer.
    """
    chance, found = random.Random(seed), Counter[str](cuts=times)  # noqa: S311 - no secret
    asked = [row(one) for one in requests(2 * SYNC_ANSWERS + 20)]
    truth = {one["key"]: one for one in table.frame(asked).to_dicts()}
    for number in range(times):
        kept, synced = Journal(folder / str(number)), [0, 0]
        written = chance.randrange(1, len(asked))

        def note(_: int, kept: Journal = kept, synced: list[int] = synced) -> None:
            (path,) = kept.files()
            synced[:] = [path.stat().st_size, sum(1 for _ in checked_lines(path))]

        with mock.patch("os.fsync", note):
            lines = AnswerFile(kept.folder, "answers.jsonl", clock=lambda: 0.0)
            for one in asked[:written]:
                lines.append(one)
                lines.settle()
        (path,) = kept.files()
        content = path.read_bytes()
        place = chance.randint(synced[0], len(content))
        lost = bytes(len(content) - place) if number % 2 else b""
        path.write_bytes(content[:place] + lost)
        read = kept.read().to_dicts()
        found["wrong"] += sum(one != truth.get(one["key"]) for one in read)
        found["synced lost"] += len(read) < synced[1]
        with kept.writer() as after:
            after.append(asked[-1])
        found["stuck"] += asked[-1]["key"] not in set(kept.read()["key"])
    return found


def disk_faults(folder: Path, every: int = 1) -> Counter[str]:
    """Have each write, fsync and rename of a run fail in turn, and run again.

    Args:
        folder: an empty one.
        every: only each so manieth place; ways of failing alternate, and all are tried at 1.

    Returns:
        ``places``; ``not one line``: runs that ended in anything but a user's error; ``asked
        again``: acknowledged answers that the next run paid for again; ``not mended``: stores that
        lack an answer after the next run.
    """
    found = Counter[str]()
    ways = [(number, lasting) for number in (errno.ENOSPC, errno.EIO) for lasting in (True, False)]
    for which, way in enumerate(ways):
        place = 1 + which % every
        while _one_fault(folder / f"{which}-{place}", place, *way, found):
            place += every
    return found


def _one_fault(folder: Path, place: int, number: int, lasting: bool, found: Counter[str]) -> bool:
    """Run with one fault and then without; return whether the run came so far."""
    vendor, asked, acknowledged = Vendor(), requests(3), set[str]()
    append = AnswerFile.append

    def noting(self: AnswerFile, value: dict[str, Any]) -> None:
        append(self, value)
        acknowledged.add(value["key"])

    with (
        failing(folder, place, number, lasting) as failed,
        mock.patch.object(AnswerFile, "append", noting),
    ):
        try:
            buyer(folder, vendor).obtain(asked)
        except PipelineError as error:
            found["not one line"] += "\n" in str(error)
        except Exception:  # noqa: BLE001 - what is counted here
            found["not one line"] += 1
    if not failed:
        return False
    before = vendor.paid.copy()
    buyer(folder, vendor).obtain(asked)
    found["places"] += 1
    found["asked again"] += sum(vendor.paid[key] > before[key] for key in acknowledged)
    found["not mended"] += len(Store(folder / "store").read(["key"])) < len(asked)
    return True


def buyer(folder: Path, vendor: Vendor) -> Buyer:
    """Return a buyer whose store and journal are in a folder."""
    shipped = read_params(Paths().params)
    limits = {"price_input": 1.0, "price_output": 2.0, "budget_usd": 1.0, "concurrency": 2}
    names, aside, lock = (folder / name for name in ("parts.json", "aside", "lock"))
    place = Place(Store(folder / "store"), names, aside, lock, "store", root=folder)
    transport = shipped.label_transport.model_copy(update=limits)
    return Buyer(vendor, place, shipped.label, transport, Journal(folder / "journal"))


@contextlib.contextmanager
def failing(folder: Path, place: int, number: int, lasting: bool) -> Iterator[list[str]]:
    """Have the n-th change below a folder fail, alone or with all later ones; give what failed."""
    calls, failed = [0], list[str]()
    real: dict[str, Callable[..., Any]] = {
        name: getattr(os, name) for name in ("write", "pwrite", "fsync", "replace", "mkdir")
    }
    whole = Path.write_bytes

    def checked(name: str, target: object) -> None:
        path = f"/proc/self/fd/{target}" if isinstance(target, int) else str(target)
        if str(folder) not in os.path.realpath(path):
            return
        calls[0] += 1
        if calls[0] == place or (lasting and calls[0] > place):
            failed.append(name)
            raise OSError(number, os.strerror(number))

    def patched(name: str) -> Callable[..., Any]:
        def call(target: Any, *rest: Any, **named: Any) -> Any:
            checked(name, target)
            return real[name](target, *rest, **named)

        return call

    def write_half(path: Path, content: bytes) -> int:
        try:
            checked("write_bytes", path)
        except OSError:
            whole(path, content[: len(content) // 2])
            raise
        return whole(path, content)

    with contextlib.ExitStack() as patches:
        for name in real:
            patches.enter_context(mock.patch(f"os.{name}", patched(name)))
        patches.enter_context(mock.patch("pathlib.Path.write_bytes", write_half))
        patches.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield failed


def main() -> None:
    """Measure all three and record what must be 0."""
    from benchmarks.record import record  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        damage = silently_wrong(folder / "damage", DAMAGES)
        cuts = power_cuts(folder / "cuts", CUTS)
        disk = disk_faults(folder / "disk")
    figures = [
        (f"{DAMAGES:,} damages: labels read that nobody wrote", damage["wrong"], "labels"),
        (f"{DAMAGES:,} damages: not noticed by verify", damage["not noticed"], "damages"),
        (f"{CUTS} power cuts: answers lost that an fsync had covered", cuts["synced lost"], "cuts"),
        (f"{CUTS} power cuts: wrong labels, or a journal that is stuck",
         cuts["wrong"] + cuts["stuck"], "cuts"),
        (f"{disk['places']} disk faults: acknowledged answers paid for again",
         disk["asked again"], "answers"),
        (f"{disk['places']} disk faults: without one clear line, or not mended by the next run",
         disk["not one line"] + disk["not mended"], "runs"),
    ]  # fmt: skip
    record(
        {"name": name, "value": value, "unit": unit, "aim": "<= 0", "rival": None,
         "command": "python -m benchmarks.labelling.damage"}
        for name, value, unit in figures
    )  # fmt: skip


if __name__ == "__main__":
    main()
