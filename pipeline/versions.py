"""The versions of what decides numbers."""

import platform
from functools import cache
from importlib import metadata

LIBRARIES = ("torch", "numpy", "polars", "scipy", "distilrec")


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide numbers, by name."""
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in LIBRARIES}}
