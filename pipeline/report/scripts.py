"""The page's scripts and style, and the policy that lets a browser run these and nothing else."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import vl_convert
from markupsafe import Markup

EXPORTED = "window.vegaEmbed = vegaEmbed;"
"""What the page's own script needs of the bundle."""
HERE = Path(__file__).parent / "templates"


class Script(NamedTuple):
    """A script, and the hash by which the policy knows it."""

    text: Markup
    sha256: str


@cache
def scripts() -> tuple[Script, ...]:
    """Return the scripts in the order in which they run: those of vega, then ours.

    Raises:
        ValueError: a text would end its script element (a bug, or another package).
    """
    vega = (HERE / "vega_licence.txt").read_text(encoding="utf-8")
    texts = [f"/*!\n{vega}*/\n{vl_convert.javascript_bundle(EXPORTED)}"]
    texts += [(HERE / name).read_text(encoding="utf-8") for name in ("charts.js", "labels.js")]
    return tuple(_script(f"\n{text}\n") for text in texts)


def style() -> Markup:
    """Return the page's style sheet."""
    return Markup((HERE / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def policy() -> str:
    """Return the content security policy: nothing is fetched, and no other script runs."""
    allowed = " ".join(f"'sha256-{one.sha256}'" for one in scripts())
    parts = (
        "default-src 'none'",
        f"script-src {allowed}",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(parts)


def _script(text: str) -> Script:
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("a script of the page holds what would end its element")
    digest = hashlib.sha256(text.encode()).digest()
    return Script(Markup(text), base64.b64encode(digest).decode())  # noqa: S704 - our own file
