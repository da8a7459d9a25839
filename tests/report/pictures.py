"""Make the pictures of the report in the documents: `python -m tests.report.pictures`.

They show `reports/index.html` as it is, so run it when the page holds nothing but `tiny`.
"""

import sys
import tempfile
from pathlib import Path

from pipeline.paths import Paths
from tests.report.chromium import Chromium, installed

FOLDER = Path("docs/images")
FOUND = "document.querySelector('#bytes')"
"""The part of the page that is shown."""
PICTURES = {"report-wide": (1280, "light"), "report-narrow": (360, "dark")}


def main() -> None:
    """Write a picture of one part of the page on a wide and on a narrow screen."""
    program, page = installed(), Paths().report.resolve()
    if program is None or not page.exists():
        sys.exit("this needs Chromium and reports/index.html (`dvc repro`)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, Chromium(program, Path(home) / "home") as browser:
        for name, (width, scheme) in PICTURES.items():
            browser.screen(width, 760, scheme=scheme)
            browser.open(page)
            browser.run(f"{FOUND}.scrollIntoView()")
            browser.wait(f"{FOUND}.querySelector('figure.drawn')")
            browser.run("new Promise((done) => setTimeout(done, 500))")  # what is above is drawn
            browser.run(f"{FOUND}.scrollIntoView()")
            (FOLDER / f"{name}.png").write_bytes(browser.picture())


if __name__ == "__main__":
    main()
