"""The API key taken out of replies: whole, in parts, and in other spellings."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labelling.online.mask import MASK, SHORTEST_ECHO, Mask

KEY = "sk-canary/Ab+Cd1234567890ZyXwVuTsRqPoNm=9"
ECHOES = {
    "whole": KEY,
    "twice": KEY + KEY,
    "its first 20": KEY[:20],
    "its last 16": KEY[-16:],
    "its middle": KEY[5:25],
    "url": quote(KEY, safe=""),
    "url in lower case": quote(KEY, safe="").lower(),
    "form": quote_plus(KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of the header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 of a pair": base64.b64encode(f"user:{KEY}\n".encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(KEY.encode()).decode(),
    "hexadecimal": KEY.encode().hex(),
    "JSON": json.dumps(KEY).replace("/", "\\/"),
    "JSON with escapes": json.dumps({"a": KEY}).replace("n", "\\u006e").replace("1", "\\u0031"),
    "a stream": 'data: {"a": "' + KEY.replace("y", "\\u0079").replace("/", "\\/") + '"}\n\n',
    "JSON that was cut": '{"a":\n "' + KEY.replace("A", "\\u0041"),
    "lines of JSON": '{"a": 1}\n' + json.dumps({"a": KEY}).replace("y", "\\u0079") + "\n",
}


FORMS = (KEY, base64.b64encode(KEY.encode()).decode().rstrip("="), KEY.encode().hex())
PIECES = {
    form[start : start + SHORTEST_ECHO]
    for form in FORMS
    for start in range(len(form) - SHORTEST_ECHO + 1)
}


def holds(text: str) -> bool:
    """Return whether a piece of the key can be read in a text, plainly or decoded."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda one: chr(int(one[1], 16)), text)
    plain = plain.replace("\\/", "/")
    return any(piece in text or piece in plain for piece in PIECES)


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_an_echo_of_the_key_is_taken_out(echo: str) -> None:
    masked = Mask(KEY)(f"before {echo} after") if "\\u" not in echo else Mask(KEY)(echo)
    assert MASK in masked
    assert not holds(masked)


@given(st.text(max_size=30), st.integers(0, len(KEY)), st.integers(0, len(KEY)), st.text())
def test_every_long_piece_goes_and_what_is_around_it_stays(
    before: str, one: int, other: int, after: str
) -> None:
    piece = KEY[min(one, other) : max(one, other)]
    masked = Mask(KEY)(f"{before}|{piece}|{after}")
    kept = MASK if len(piece) >= SHORTEST_ECHO else piece
    assert masked == f"{before}|{kept}|{after}"


def test_a_short_key_goes_as_a_whole_and_a_word_that_is_no_secret_stays() -> None:
    assert Mask("12345678")("a12345678b1234567") == f"a{MASK}b1234567"
    assert Mask("none")("none of these") == "none of these"
    assert Mask(None)("anything") == "anything"


def test_the_ends_that_services_show_stay() -> None:
    said = "Incorrect API key provided: sk-canar**************oNm=9."
    assert Mask(KEY)(said) == said


def test_an_escape_after_thousands_of_lines_is_read_and_the_rest_stays() -> None:
    around = '{"a": "caf\\u00e9 \\u0041 \\\\u0042"}\n' * 5_000
    hidden = KEY.replace("y", "\\u0079")
    assert Mask(KEY)(f"{around}{hidden}{around}") == f"{around}{MASK}{around}"


@given(st.text(max_size=30), st.sets(st.integers(0, len(KEY) - 1), min_size=1), st.text())
def test_an_escaped_key_goes_wherever_it_stands_in_json(
    before: str, escaped: set[int], after: str
) -> None:
    spelled = "".join(f"\\u{ord(c):04X}" if n in escaped else c for n, c in enumerate(KEY))
    said = json.dumps([before, "KEY", after]).replace("KEY", spelled)
    if json.loads(said) == [before, KEY, after]:
        assert json.loads(Mask(KEY)(said)) == [before, MASK, after]
