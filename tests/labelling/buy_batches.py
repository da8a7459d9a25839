"""A labeller of batches to be killed: ``python -m tests.labelling.buy_batches FOLDER URL COUNT``.

With a fourth word N it ends itself, as by ``kill -9``, just before the Nth line that it would write
to record, journal or ledger. Between looks it waits a fiftieth of a second.
"""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.labelling.batches import sending as batches
from pipeline.labelling.buyer import Buyer
from pipeline.labelling.providers import openai_batch
from pipeline.labelling.providers.base import Context
from pipeline.labelling.stores.lines import LineFile
from tests.labelling.buy_many import buyer as online_buyer
from tests.labelling.buy_many import requests
from tests.labelling.conftest import catalog, recorded, sessions


def buyer(folder: Path, url: str) -> Buyer:
    """Return a buyer of batches whose store is in a folder."""
    online = online_buyer(folder, url)
    label = online.label.model_copy(update={"provider": "openai_batch"})
    transport = online.transport.model_copy(update={"batch_at_least": 1})
    context = Context("tiny", label, transport, catalog(), sessions(), recorded())
    provider = openai_batch.make(context)
    return replace(online, provider=provider, label=label, transport=transport)


def die_before(line: int) -> None:
    """Have the process killed before it writes a line, counted from 1."""
    append, written = LineFile.append, [0]

    def counted(self: LineFile, value: Mapping[str, Any]) -> None:
        written[0] += 1
        if written[0] == line:
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, value)

    LineFile.append = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    batches.FIRST_PAUSE = batches.LONGEST_PAUSE = 0.02
    if len(sys.argv) > 4:
        die_before(int(sys.argv[4]))
    try:
        buyer(Path(sys.argv[1]), sys.argv[2]).obtain(requests(int(sys.argv[3])))
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.status)
