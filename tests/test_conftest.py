"""The guards around every test really guard."""

import os
import socket
from pathlib import Path

import pytest


def test_an_address_beyond_this_machine_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client,
        pytest.raises(RuntimeError, match="only loopback"),
    ):
        client.connect(("192.0.2.1", 9))


def test_a_foreign_name_is_not_even_looked_up() -> None:
    with pytest.raises(RuntimeError, match="only loopback"):
        socket.getaddrinfo("example.org", 80)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_the_journal_of_a_test_is_empty() -> None:
    assert list(Path(os.environ["DISTILREC_JOURNAL"]).iterdir()) == []
