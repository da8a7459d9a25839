"""Write the page of all cells of the run.

Reads ``metrics.json`` and the tables behind the plots of each cell that has been evaluated. Writes
``reports/index.html``. Obeys the sections ``run`` and ``report``.
"""

from dataclasses import dataclass

from pipeline import files
from pipeline.evaluation import results
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.report import page


@dataclass(frozen=True)
class Summary:
    """Counts of a page."""

    cells: int
    kilobytes: int


def run(params: Params, paths: Paths) -> Summary:
    """Write the page."""
    found = results.read_cells(paths, params.run)

    text = page.render(params.report.title, paths, found).encode()

    files.write_bytes(paths.report, text)
    return Summary(len(found), len(text) // 1000)
