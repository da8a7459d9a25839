"""A labeller to be killed, or to be measured.

python -m tests.labelling.buy_many FOLDER URL COUNT [SETTINGS [BYTES SPREAD]]

SETTINGS is a JSON object of `label_transport` fields; BYTES is a prompt's length, and SPREAD the
share of it by which prompts are shorter or longer. At the end it prints its peak memory in MB.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.labelling.buyer import Buyer, Place
from pipeline.labelling.providers import openai_compatible
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Request
from pipeline.labelling.stores.store import Store
from pipeline.params import read_params
from tests.labelling.conftest import catalog, paying, recorded, sessions

CONCURRENCY = 4


def requests(count: int, prompt_bytes: int = 0, spread: float = 0.0) -> list[Request]:
    """Return some requests that differ in their session, and perhaps in their length."""
    lengths = [prompt_bytes * (1 + spread * (n % 11 - 5) / 5) for n in range(count)]
    return [
        Request(
            "tiny", "ranking", f"s{n}", "v1", "stub",
            {"model": "m", "messages": [{"role": "user", "content": _prompt(n, int(length))}],
             "max_tokens": 50},
            {"C1": "a"},
        )
        for n, length in enumerate(lengths)
    ]  # fmt: skip


def _prompt(number: int, length: int) -> str:
    return ("word " * (length // 5))[:length] + f's{number} {{"C1": "x"}}'


def buyer(folder: Path, url: str, **transport: Any) -> Buyer:
    """Return a buyer whose store is in a folder."""
    shipped = read_params(Path(__file__).parents[2] / "params.yaml")
    params = paying(shipped, url, **({"concurrency": CONCURRENCY} | transport))
    names, aside, lock = (folder / name for name in ("parts.json", "aside", "lock"))
    # buyers in folders side by side are of one project, which is not the one whose tests these are
    place = Place(Store(folder / "store"), names, aside, lock, "store", root=folder.parent)
    context = Context(
        "tiny", params.label, params.label_transport, catalog(), sessions(), recorded()
    )
    return Buyer(openai_compatible.make(context), place, params.label, params.label_transport)


def main(words: list[str]) -> int:
    """Buy, say what it took, and return the exit status."""
    folder, url, count, settings, prompt_bytes, spread = (
        *words,
        *("{}", "0", "0")[len(words) - 3 :],
    )
    asked = requests(int(count), int(prompt_bytes), float(spread))
    try:
        buyer(Path(folder), url, **json.loads(settings)).obtain(asked)
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.status
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
