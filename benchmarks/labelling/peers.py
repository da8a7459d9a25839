"""Our client against real server programs that speak OpenAI's protocol, offline, one at a time.

python -m benchmarks.labelling.peers transformers|llama_cpp|litellm PYTHON [PYTHON_OF_THE_MODEL]
python -m benchmarks.labelling.peers llama_server PROGRAM PYTHON_OF_THE_MODEL

PYTHON is the interpreter of an environment that has the program (`transformers[serving]` with
torch, `llama-cpp-python[server]`, `litellm[proxy]`); none is a dependency of ours. The models are
tiny and random (`peer_models`); those of llama.cpp are written by an environment with `gguf`.
Every check goes through the buyer: limiter, retries, journal, ledger and store as in a real run.
What came out stands in docs/labels.md.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.labelling.buyer import Buyer
from pipeline.labelling.cases import context_of, hints_place, labels_place, wanted_hints
from pipeline.labelling.providers import provider_of
from pipeline.labelling.rankings import read_row
from pipeline.labelling.request import Case, Request
from pipeline.params import Params, read_params
from pipeline.paths import Paths, cells
from pipeline.tables import CATALOG, DIFFICULTY, RECORDED_RANKINGS, SESSIONS
from tests.labelling.conftest import DATASET, catalog, difficulty, recorded, sessions

ROOT = Path(__file__).resolve().parent.parent.parent
KEY, KEY_VARIABLE = "sk-local-secret-1234", "PEER_API_KEY"
START_SECONDS, REPLY_SECONDS = 180.0, 60.0
MANY, AT_ONCE = 32, 8
MODEL_MAKER = Path(__file__).with_name("peer_models.py")
LITELLM = """\
model_list:
  - model_name: mock
    litellm_params:
      model: openai/mock
      api_key: none
      mock_response: '{"ranking": ["C1", "C2", "C3"]}'
  - model_name: rate-limited
    litellm_params: {model: openai/mock, api_key: none, mock_response: litellm.RateLimitError}
  - model_name: too-long
    litellm_params:
      {model: openai/mock, api_key: none, mock_response: litellm.ContextWindowExceededError}
  - model_name: broken
    litellm_params: {model: openai/mock, api_key: none, mock_response: litellm.InternalServerError}
general_settings:
  master_key: %s
"""


@dataclass(frozen=True)
class Started:
    """How a peer is started: the command and the name its model has."""

    command: list[str]
    model: str


def transformers(python: str, _: str, folder: Path, port: int) -> Started:
    """Return how `transformers serve` is started."""
    made = folder / "model"
    subprocess.run([python, str(MODEL_MAKER), "transformers", str(made)], check=True)
    program = str(Path(python).with_name("transformers"))
    place = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    return Started([program, "serve", str(made), *place], str(made))


def llama_cpp(python: str, maker: str, folder: Path, port: int) -> Started:
    """Return how `llama_cpp.server` is started."""
    made = folder / "model.gguf"
    subprocess.run([maker, str(MODEL_MAKER), "gguf", str(made)], check=True)
    options = {
        "model": made, "model_alias": "tiny", "host": "127.0.0.1", "port": port, "n_ctx": 4096,
        "n_threads": 1, "api_key": KEY,
    }  # fmt: skip
    named = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return Started([python, "-m", "llama_cpp.server", *named], "tiny")


def llama_server(program: str, maker: str, folder: Path, port: int) -> Started:
    """Return how llama.cpp's own `llama-server` is started."""
    made = folder / "model.gguf"
    subprocess.run([maker, str(MODEL_MAKER), "gguf", str(made)], check=True)
    options = {
        "model": made, "alias": "tiny", "host": "127.0.0.1", "port": port, "ctx-size": 8192,
        "parallel": 2, "threads": 1, "api-key": KEY,
    }  # fmt: skip
    named = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return Started([program, *named], "tiny")


def litellm(python: str, _: str, folder: Path, port: int) -> Started:
    """Return how the `litellm` proxy is started, with answers of its own making."""
    settings = folder / "litellm.yaml"
    settings.write_text(LITELLM % KEY, encoding="utf-8")
    program = str(Path(python).with_name("litellm"))
    place = ["--host", "127.0.0.1", "--port", str(port)]
    return Started([program, "--config", str(settings), *place, "--telemetry", "False"], "mock")


PEERS: dict[str, Callable[[str, str, Path, int], Started]] = {
    "transformers": transformers,
    "llama_cpp": llama_cpp,
    "llama_server": llama_server,
    "litellm": litellm,
}
OWN_FORM = {
    "type": "json_object",
    "schema": {
        "type": "object",
        "properties": {
            "ranking": {
                "type": "array", "minItems": 3, "maxItems": 3,
                "items": {"type": "string", "enum": ["C1", "C2", "C3", "C4"]},
            }
        },
        "required": ["ranking"],
    },
}  # fmt: skip
"""How llama.cpp's Python server takes a schema."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "OMP_NUM_THREADS": "1"}


@contextmanager
def running(started: Started, port: int, log: Path) -> Iterator[None]:
    """Run the program during the block, once it listens.

    Raises:
        RuntimeError: it ended or did not listen in time.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            started.command, stdout=stream, stderr=stream, env=os.environ | OFFLINE
        )
        try:
            end = time.monotonic() + START_SECONDS
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(log.read_text(errors="replace")[-2_000:])
                time.sleep(0.5)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


class Customer:
    """Buys from one address; every check in a project of its own."""

    def __init__(self, url: str, model: str, folder: Path) -> None:
        shipped = read_params(ROOT / "params.yaml")
        self._folder = folder
        self._number = 0
        label = {
            "provider": "openai_compatible", "endpoint": "peer", "model": model, "max_tokens": 200,
            "ranking_length": 3, "min_ranking": 2,
        }  # fmt: skip
        transport = {
            "base_url": url, "api_key_variable": KEY_VARIABLE, "requests_per_minute": 60_000,
            "concurrency": AT_ONCE, "timeout_seconds": REPLY_SECONDS, "retry_seconds": 5.0,
            "budget_usd": 100.0, "price_input": 1.0, "price_output": 2.0,
        }  # fmt: skip
        run = {"datasets": (DATASET,), "backbones": ("fpmc",), "recipes": ("strong",)}
        self._params = shipped.model_copy(
            update={
                "run": shipped.run.model_copy(update=run),
                "label": shipped.label.model_copy(update=label),
                "label_transport": shipped.label_transport.model_copy(update=transport),
            }
        )

    def ask(
        self, count: int = 3, key: str = KEY, hints: bool = False, longer: int = 1, **label: Any
    ) -> str:
        """Return what came of buying a few labels, in a line.

        Args:
            count: rankings.
            key: the API key.
            hints: ask for hints instead.
            longer: repeats the prompt this often.
            label: changed settings.
        """
        self._number += 1
        params = self._params.model_copy(
            update={"label": self._params.label.model_copy(update=label)}
        )
        paths = _project(self._folder / str(self._number), params)
        context = context_of(params, paths, DATASET)
        place = hints_place(paths, DATASET) if hints else labels_place(paths, DATASET)
        os.environ[KEY_VARIABLE] = key
        os.environ["DISTILREC_JOURNAL"] = str(paths.root / "journal")
        provider = provider_of(context)
        cases = (Case(0, "training", _items(n), (5, 6, 7, 8)) for n in range(count))
        requests = [one for case in cases if (one := provider.request(case))]
        if hints:
            requests = list(wanted_hints(params, paths, context).values())
        requests = [replace(one, body=_longer(one.body, longer)) for one in requests]
        started = time.monotonic()
        try:
            Buyer(provider, place, params.label, params.label_transport).obtain(requests)
        except PipelineError as error:
            return f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - started
        return f"{_told(place.store.read().to_dicts(), requests)}, {seconds:.1f} s"


def _longer(body: Mapping[str, Any], times: int) -> dict[str, Any]:
    system, user = body["messages"]
    return {**body, "messages": [system, {**user, "content": user["content"] * times}]}


def _items(number: int) -> tuple[int, ...]:
    """Return a session of its own for each number."""
    return tuple(1 + (number // 4**place) % 4 for place in range(4))


def _project(root: Path, params: Params) -> Paths:
    paths = Paths(root)
    CATALOG.write(catalog(), paths.sessions(DATASET))
    SESSIONS.write(sessions(), paths.sessions(DATASET))
    RECORDED_RANKINGS.write(recorded(), paths.sessions(DATASET))
    for cell in cells(params.run, DATASET):
        DIFFICULTY.write(difficulty(), paths.difficulty(cell))
    return paths


def _told(rows: Sequence[dict[str, Any]], requests: Sequence[Request]) -> str:
    by_key = {request.key: request for request in requests}
    outcomes = Counter(f"{row['outcome']} ({row['finish_reason']})" for row in rows)
    parts = [f"{n} {name}" for name, n in outcomes.items()] or ["nothing answered"]
    counted = sum(row["prompt_tokens"] is not None for row in rows)
    if rows and by_key[rows[0]["key"]].kind == "ranking":
        read = Counter(read_row(row, by_key[row["key"]]).reading.reading for row in rows)
        parts.append("read " + ", ".join(f"{name} {n}" for name, n in read.items()))
    named = sum(bool(row["response"]) for row in rows)
    parts += [f"{len(rows) - named} empty"] if named < len(rows) else []
    parts.append(f"usage in {counted} of {len(rows)}")
    return "; ".join(parts)


def checks(customer: Customer, name: str) -> Iterator[tuple[str, str]]:
    """Yield each check's name and what came of it."""
    ask = customer.ask
    yield "rankings", ask()
    yield "hints", ask(hints=True)
    yield "response_schema: json_object", ask(response_schema="json_object")
    yield "response_schema: json_schema", ask(response_schema="json_schema")
    yield "json_object with a schema, in extra_body", ask(extra_body={"response_format": OWN_FORM})
    yield "hints, json_schema", ask(hints=True, response_schema="json_schema")
    yield "no temperature", ask(temperature=None)
    renamed = {"max_tokens": None, "max_completion_tokens": 16}
    yield "max_completion_tokens: 16", ask(extra_body=renamed)
    yield "max_tokens: 5", ask(max_tokens=5)
    yield "unknown field in extra_body", ask(extra_body={"no_such_field": 1})
    yield "wrong model", ask(model="no-such-model")
    yield "wrong key", ask(key="sk-another-secret-5678")
    yield "no key", ask(key="")
    yield "prompt longer than the context", ask(longer=20)
    for model in ("rate-limited", "too-long", "broken") if name == "litellm" else ():
        yield f"a service behind it that is {model}", ask(model=model)
    yield f"{MANY} requests, {AT_ONCE} at once", ask(count=MANY, max_tokens=32)


def main(name: str, python: str, maker: str | None = None) -> None:
    """Start a peer and print what our client gets from it."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        started = PEERS[name](python, maker or python, folder, port)
        with running(started, port, folder / "log"):
            customer = Customer(f"http://127.0.0.1:{port}/v1", started.model, folder)
            for check, told in checks(customer, name):
                print(f"{check}: {told}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
