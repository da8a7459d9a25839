"""A labeller to be killed: ``python -m tests.labelling.buy_many FOLDER URL COUNT``."""

import sys
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.labelling.buyer import Buyer, Place
from pipeline.labelling.providers import openai_compatible
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Request
from pipeline.labelling.store import Store
from pipeline.params import read_params
from tests.labelling.conftest import catalog, paying, recorded, sessions

CONCURRENCY = 4


def requests(count: int) -> list[Request]:
    """Return some requests that differ in their session alone."""
    return [
        Request(
            "tiny", "ranking", f"s{n}", "v1", "stub",
            {"model": "m", "messages": [{"role": "user", "content": f's{n} {{"C1": "x"}}'}],
             "max_tokens": 50},
            {"C1": "a"},
        )
        for n in range(count)
    ]  # fmt: skip


def buyer(folder: Path, url: str) -> Buyer:
    """Return a buyer whose store is in a folder."""
    shipped = read_params(Path(__file__).parents[2] / "params.yaml")
    params = paying(shipped, url, concurrency=CONCURRENCY)
    place = Place(
        Store(folder / "store"), folder / "parts.json", folder / "aside", folder / "lock", "store"
    )
    context = Context(
        "tiny", params.label, params.label_transport, catalog(), sessions(), recorded()
    )
    return Buyer(openai_compatible.make(context), place, params.label, params.label_transport)


if __name__ == "__main__":
    try:
        buyer(Path(sys.argv[1]), sys.argv[2]).obtain(requests(int(sys.argv[3])))
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.status)
