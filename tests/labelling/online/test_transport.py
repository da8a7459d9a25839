"""The wire against a server that does everything wrong: a reply or one fault, in bounded memory."""

import asyncio
import gzip
import json
import tracemalloc
from typing import Any

import pytest

from pipeline.labelling.online import transport as wire
from pipeline.labelling.online.transport import HttpTransport, Reply, TransportFault
from tests.labelling.conftest import StartStub

BODY = json.dumps({"messages": [{"content": 'Rank {"C1": "x"}'}], "model": "m"}).encode()
OK = "HTTP/1.1 200 OK\r\n"
PACKED = gzip.compress(b'{"choices": []}' * 100)
BILLED, FREE = True, False


def posted(
    url: str,
    timeout: float = 5.0,
    count: int = 1,
    key: str | None = None,
    header: str = "Authorization",
) -> list[Reply]:
    """Return the replies to some requests, one after another on one transport."""

    async def run() -> list[Reply]:
        transport = HttpTransport(f"{url}/chat/completions", key, timeout, header)
        try:
            replies = []
            for _ in range(count):
                replies.append(await transport.post(BODY))
                await asyncio.sleep(0.05)  # a server may close now
            return replies
        finally:
            await transport.close()

    return asyncio.run(run())


def raw(text: str, **more: Any) -> dict[str, Any]:
    return {"raw": text, **more}


def packed(content: bytes) -> dict[str, Any]:
    head = f"{OK}Content-Encoding: gzip\r\nContent-Length: {len(content)}\r\n\r\n"
    return raw(head + content.decode("latin-1"))


FAULTS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "reset before the reply": ({"reset": "before"}, "ReadError", BILLED),
    "reset within the reply": ({"reset": "within"}, "ReadError|RemoteProtocolError", BILLED),
    "closed without a word": (raw(""), "RemoteProtocolError", BILLED),
    "head cut": (raw(f"{OK}Content-Le"), "RemoteProtocolError", BILLED),
    "body cut": ({"cut": True}, "RemoteProtocolError", BILLED),
    "body shorter than its head says": ({"length": 99_999}, "RemoteProtocolError", BILLED),
    "chunk cut": (raw(f"{OK}Transfer-Encoding: chunked\r\n\r\nff\r\n{{"), "RemoteProto", BILLED),
    "chunk of no size": (raw(f"{OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "Remote", BILLED),
    "two lengths": (raw(f"{OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"), "Rem", BILLED),
    "negative length": (raw(f"{OK}Content-Length: -2\r\n\r\n{{}}"), "RemoteProtocol", BILLED),
    "another protocol": (raw("220 mail.example.org ESMTP\r\n"), "RemoteProtocolError", BILLED),
    "noise": (raw("\x16\x03\x01\x00\xff" * 200), "RemoteProtocolError", BILLED),
    "status of no meaning": (raw("HTTP/1.1 9999 Odd\r\n\r\n"), "RemoteProtocolError", BILLED),
    "head without end": (raw(f"{OK}X-More: 1\r\n", times=20_000), "RemoteProtocolError", BILLED),
    "one huge header": (raw("HTTP/1.1 200 OK", times=20_000), "RemoteProto", BILLED),
    "continue and nothing": (raw("HTTP/1.1 100 Go on\r\n\r\n" * 50), "RemoteProtocol", BILLED),
    "endless body": ({"endless": True}, "reply too long", BILLED),
    "body too long": ({"body": "x", "times": 9_000_000}, "reply too long", BILLED),
    "bomb": ({"bomb": 60_000_000}, "reply too long", BILLED),
    "packed, they say": (
        raw(f"{OK}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}"),
        "broken compression",
        BILLED,
    ),
    "packed and cut": (packed(PACKED[:-9]), "cut compression", BILLED),
    "packed as not asked for": (
        {"headers": {"Content-Encoding": "br"}},
        "an encoding that was not asked for",
        BILLED,
    ),
    "silence": (raw("", open=True), "timeout", BILLED),
    "half open after the head": (
        raw(f"{OK}Content-Length: 9\r\n\r\n{{", open=True),
        "time",
        BILLED,
    ),
    "one byte at a time": ({"drip": 0.05}, "timeout", BILLED),
    "answered after our patience": ({"hang": 3.0}, "timeout", BILLED),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_connection_fault_is_one_fault_that_says_whether_it_may_be_billed(
    start_stub: StartStub, name: str
) -> None:
    fault, why, billed = FAULTS[name]
    patience = 0.6 if why.startswith("time") else 20.0
    with pytest.raises(TransportFault, match=why) as found:
        posted(start_stub(fault).url, patience)
    assert found.value.may_be_billed is billed


def test_a_refused_connection_has_billed_nothing() -> None:
    with pytest.raises(TransportFault, match="no connection") as found:
        posted("http://127.0.0.1:1/v1")
    assert found.value.may_be_billed is FREE


def test_a_server_that_speaks_no_tls_has_billed_nothing(start_stub: StartStub) -> None:
    url = start_stub().url.replace("http:", "https:")
    with pytest.raises(TransportFault, match="no connection") as found:
        posted(url, timeout=1.0)
    assert found.value.may_be_billed is FREE


REPLIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "no content": (raw("HTTP/1.1 204 No Content\r\n\r\n"), 204, ""),
    "an empty body": ({"body": ""}, 200, ""),
    "a page": ({"body": "<html>Log in</html>"}, 200, "<html>Log in</html>"),
    "a body shorter than it is": ({"body": "{}xxx", "length": 2}, 200, "{}"),
    "Latin letters": (raw(f'{OK}Content-Length: 6\r\n\r\n"caf\xe9"'), 200, '"caf\ufffd"'),
    "a byte order mark": (raw(f"{OK}Content-Length: 5\r\n\r\n\xef\xbb\xbf{{}}"), 200, "{}"),
    "wide characters": (raw(f"{OK}Content-Length: 4\r\n\r\n{{\x00}}\x00"), 200, "{}"),
    "no length": (raw(f"{OK}\r\n{{}}"), 200, "{}"),
    "packed": (packed(gzip.compress(b"{}")), 200, "{}"),
    "continue first": (
        raw(f"HTTP/1.1 100 Continue\r\n\r\n{OK}Content-Length: 2\r\n\r\n{{}}"),
        200,
        "{}",
    ),
    "the connection's end": ({"body": "{}", "close": True}, 200, "{}"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_an_odd_reply_is_a_reply(start_stub: StartStub, name: str) -> None:
    fault, status, text = REPLIES[name]
    (reply,) = posted(start_stub(fault).url)
    assert (reply.status, reply.text) == (status, text)


@pytest.mark.parametrize("fault", [{"bomb": 100_000_000}, {"endless": True}])
def test_memory_stays_bounded_whatever_comes(start_stub: StartStub, fault: dict[str, Any]) -> None:
    url = start_stub(fault).url
    tracemalloc.start()
    try:
        with pytest.raises(TransportFault, match="reply too long"):
            posted(url, 20.0)
        assert tracemalloc.get_traced_memory()[1] < 3 * wire.LONGEST_REPLY
    finally:
        tracemalloc.stop()


def test_the_next_request_finds_a_connection_after_the_server_closed_one(
    start_stub: StartStub,
) -> None:
    stub = start_stub({"close": True}, {}, {"close": True})
    assert [reply.status for reply in posted(stub.url, count=4)] == [200] * 4
    assert len(stub.paid()) == 4


def test_many_requests_at_once_are_spread_over_clients(start_stub: StartStub) -> None:
    stub = start_stub(delay=0.2)

    async def run() -> tuple[list[int], int]:
        transport = HttpTransport(f"{stub.url}/chat/completions", None, 20.0)
        try:
            for _ in range(2):
                replies = await asyncio.gather(*(transport.post(BODY) for _ in range(50)))
            return [one.status for one in replies], len(transport._clients)
        finally:
            await transport.close()

    assert asyncio.run(run()) == ([200] * 50, 4)


def test_a_key_goes_into_its_header_and_out_of_every_reply(start_stub: StartStub) -> None:
    key = "sk-canary-41aa9c"
    echo = {"body": f"your key {key}", "headers": {"X-Echo": f"<{key}>"}}
    stub = start_stub(echo, echo)
    for header, value in (("Authorization", f"Bearer {key}"), ("api-key", key)):
        (reply,) = posted(stub.url, key=key, header=header)
        assert reply.text == "your key [key]"
        assert reply.headers["x-echo"] == "<[key]>"
        assert stub.seen()[-1]["headers"][header] == value
    assert "Authorization" not in stub.seen()[-1]["headers"]
