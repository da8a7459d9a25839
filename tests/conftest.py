"""What every test has: loopback only, a journal folder of its own, no API keys."""

import ipaddress
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KEY_ENDINGS = ("_API_KEY", "_SECRET_ACCESS_KEY", "_SESSION_TOKEN")
"""Environment variables with these endings hold secrets; no test may see one."""


class NetworkRefused(RuntimeError):  # noqa: N818 - a refusal is no fault of the network
    """A test reached for an address beyond this machine."""


@pytest.fixture(autouse=True, scope="session")
def signals_as_in_a_terminal() -> None:
    """Hear signals that whoever started the tests had ignored, as in the background or by nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Let sockets reach this machine (loopback, Unix sockets) and nothing else."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    look_up = socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _check(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _check(self.family, address)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        if host not in (None, "", b"") and not _is_local(host):
            raise NetworkRefused(f"a test looked up {host!r}; only loopback is allowed")
        return look_up(host, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield


def _check(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise NetworkRefused(f"a test connected to {address!r}; only loopback is allowed")


def _is_local(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


@pytest.fixture(autouse=True)
def empty_journal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> Path:
    """Give each test an empty journal folder, else yesterday's answers make it pass."""
    folder = tmp_path_factory.mktemp("journal")
    monkeypatch.setenv("DISTILREC_JOURNAL", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the keys of whoever runs the tests: a test that needs one sets its own."""
    for name in list(os.environ):
        if name.endswith(KEY_ENDINGS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def data_home() -> Path:
    """Return the folder of the real datasets; a test that needs it is skipped without it."""
    named = os.environ.get("DISTILREC_DATA_HOME")
    if not named:
        pytest.skip("DISTILREC_DATA_HOME is not set, so the real datasets were not tested")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.skip(f"DISTILREC_DATA_HOME={named} is no folder, so no real dataset was tested")
    return folder


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the repository's root folder."""
    return Path(__file__).resolve().parent.parent
