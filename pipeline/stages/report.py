"""Write the page of all cells of the run.

Reads ``metrics.json``, ``card.json`` and the tables behind the plots of each cell that has been
evaluated, its tables ``selected`` and ``labelled``, the tables ``sessions`` and ``catalog`` of its
dataset, and ``reports/grid``. Writes ``reports/index.html`` and the tables behind the plots of what
cells and grids give together. Obeys the sections ``run`` and ``report``, and shows the values of
those behind the figures.
"""

from dataclasses import dataclass

from pipeline import files
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.report import page, plots, sources
from pipeline.report.plane import planes


@dataclass(frozen=True)
class Summary:
    """Counts of a page."""

    cells: int
    grids: int
    kilobytes: int


def run(params: Params, paths: Paths) -> Summary:
    """Write the page."""
    found = sources.read(params, paths)

    text = page.render(found).encode()
    tables = {
        "bytes": plots.size(planes(found)),
        "labels": plots.study(found, "labels", "labels"),
        "dimensions": plots.study(found, "dimensions", "dimension"),
    }

    files.write_bytes(paths.report, text)
    for name, table in tables.items():
        files.write_bytes(paths.report_plots(name), table.write_csv().encode())
    return Summary(len(found.cells), len(found.grids), len(text) // 1000)
