"""Every file and folder of ``data/``, ``models/`` and ``reports/``, spelled once."""

import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from pipeline.errors import ParamsError
from pipeline.params import Params
from pipeline.params.run import RunParams


@dataclass(frozen=True, order=True)
class Cell:
    """One combination of dataset, backbone, recipe and seed."""

    dataset: str
    backbone: str
    recipe: str
    seed: int

    @property
    def folder(self) -> str:
        """``<dataset>/<backbone>/<recipe>/<seed>``, the same below every folder."""
        return f"{self.dataset}/{self.backbone}/{self.recipe}/{self.seed}"


def cells(run: RunParams, dataset: str | None = None) -> list[Cell]:
    """Return the run's cells in the order of its lists, of one dataset if it is named."""
    names = run.datasets if dataset is None else (dataset,)
    return [Cell(*values) for values in product(names, run.backbones, run.recipes, run.seeds)]


@dataclass(frozen=True)
class Paths:
    """The project's files below one root folder."""

    root: Path = Path()

    @property
    def params(self) -> Path:
        """The parameters of every stage."""
        return self.root / "params.yaml"

    @property
    def data_home(self) -> Path | None:
        """The folder of raw datasets outside the project (``DISTILREC_DATA_HOME``), if named."""
        named = os.environ.get("DISTILREC_DATA_HOME")
        return Path(named) if named else None

    @property
    def checkpoints(self) -> Path:
        """Unfinished trainings; not an output, so that DVC does not remove it before a re-run."""
        return self.root / ".cache" / "checkpoints"

    def seconds(self, stage: str, *words: str | int) -> Path:
        """How long a stage took here; not an output, because no two runs agree."""
        return self.root / ".cache/seconds" / stage / f"{'/'.join(map(str, words)) or 'all'}.json"

    @property
    def damaged(self) -> Path:
        """Parts of label stores whose bytes are not what their name says."""
        return self.root / ".cache/damaged"

    @property
    def locks(self) -> Path:
        """Files that processes lock."""
        return self.root / ".cache/locks"

    def raw(self, dataset: str) -> Path:
        """Raw files of a dataset, as they came."""
        return self.root / "data/raw" / dataset

    def download_record(self, dataset: str) -> Path:
        """Bytes and SHA-256 of a dataset's official download (in Git)."""
        return self.root / "data/downloads" / f"{dataset}.json"

    def downloaded(self, dataset: str) -> Path:
        """A dataset's download, whole or in part; not an output, so that a re-run goes on."""
        return self.root / ".cache" / "downloads" / dataset

    def sessions(self, dataset: str) -> Path:
        """Folder with the tables ``sessions``, ``catalog``, ``dropped``, ``recorded_*``."""
        return self.root / "data/sessions" / dataset

    def baselines(self, dataset: str) -> Path:
        """Folder with a folder for each counting model."""
        return self.root / "models/baselines" / dataset

    def teacher(self, cell: Cell) -> Path:
        """Folder of the teacher's weights, configuration and training log."""
        return self.root / "models/teacher" / cell.folder

    def student(self, cell: Cell) -> Path:
        """Folder of the student before distillation."""
        return self.root / "models/student" / cell.folder

    def distilled(self, cell: Cell) -> Path:
        """Folder with the folders ``distilled`` and ``control``."""
        return self.root / "models/distilled" / cell.folder

    def hybrid(self, cell: Cell) -> Path:
        """Folder of counts, titles and a quantised student in one model."""
        return self.root / "models/hybrid" / cell.folder

    def models(self, cell: Cell) -> dict[str, Path]:
        """Folders of all models that a cell can be asked for, dumbest first."""
        return {
            "popularity": self.baselines(cell.dataset) / "popularity",
            "itemknn": self.baselines(cell.dataset) / "itemknn",
            "itemknn_titles": self.baselines(cell.dataset) / "itemknn_titles",
            "hybrid": self.hybrid(cell),
            "student": self.student(cell),
            "teacher": self.teacher(cell),
            "distilled": self.distilled(cell) / "distilled",
            "control": self.distilled(cell) / "control",
        }

    def exported(self, cell: Cell, model: str, *, int8: bool) -> Path:
        """Folder of a model's served form, unless another one is named; not an output."""
        return self.root / "models/exported" / cell.folder / (f"{model}-int8" if int8 else model)

    def difficulty(self, cell: Cell) -> Path:
        """Folder with the table ``difficulty``."""
        return self.root / "data/difficulty" / cell.folder

    def selected(self, cell: Cell) -> Path:
        """Folder with the table ``selected`` and ``policy.json``."""
        return self.root / "data/selected" / cell.folder

    def hints_store(self, dataset: str) -> Path:
        """Store of paid hint answers (append-only parts, shared through a remote)."""
        return self.root / "data/hints" / dataset

    def hinted(self, dataset: str) -> Path:
        """Folder with the table ``hints``: what was read from the answers, per cell."""
        return self.root / "data/hinted" / dataset

    def labels_store(self, dataset: str) -> Path:
        """Store of paid rankings (append-only parts, shared through a remote)."""
        return self.root / "data/labels" / dataset

    def stores(self) -> list[Path]:
        """The stores of paid answers that are here, hints and rankings of every dataset."""
        both = (self.hints_store("any").parent, self.labels_store("any").parent)
        return sorted(one for kind in both for one in kind.glob("*") if one.is_dir())

    def recorded_stores(self) -> list[tuple[Path, Path]]:
        """Every store that is here or recorded, after the file that names its parts."""
        datasets = {path.parent.name for path in self.root.glob("reports/*/*_parts.json")}
        datasets.update(store.name for store in self.stores())
        return [
            pair
            for name in sorted(datasets)
            for pair in (
                (self.hint_parts(name), self.hints_store(name)),
                (self.label_parts(name), self.labels_store(name)),
            )
        ]

    def label_parts(self, dataset: str) -> Path:
        """The label store's parts and what they cost (in Git), so that a missing one is noticed."""
        return self.root / "reports" / dataset / "label_parts.json"

    def hint_parts(self, dataset: str) -> Path:
        """The hint store's parts and what they cost (in Git)."""
        return self.root / "reports" / dataset / "hint_parts.json"

    def labelled(self, cell: Cell) -> Path:
        """Folder with the table ``labelled``: rankings that were read, one row a session."""
        return self.root / "data/labelled" / cell.folder

    def card(self, cell: Cell) -> Path:
        """What the cell's labels are worth (in Git)."""
        return self.root / "reports/cells" / cell.folder / "card.json"

    def label_ranks(self, cell: Cell) -> Path:
        """Folder with the table ``label_ranks``: where each answer put the held-back item."""
        return self.root / "reports/cells" / cell.folder / "label_ranks"

    def metrics(self, cell: Cell) -> Path:
        """The cell's figures (in Git)."""
        return self.root / "reports/cells" / cell.folder / "metrics.json"

    def ranks(self, cell: Cell) -> Path:
        """Folder with the table ``ranks``: every model's rank of every test target."""
        return self.root / "reports/cells" / cell.folder / "ranks"

    def plots(self, cell: Cell) -> Path:
        """Folder of the tables behind ``dvc plots``: training, quality, selection, policies."""
        return self.root / "reports/cells" / cell.folder / "plots"

    @property
    def grid(self) -> Path:
        """Where grids work: sessions and models in this same layout, and a folder a unit."""
        return self.root / ".cache/grid"

    @property
    def grids(self) -> Path:
        """Folder with a folder for each grid that has figures."""
        return self.root / "reports/grid"

    def grid_figures(self, name: str) -> Path:
        """A grid's figures: aggregates alone (in Git)."""
        return self.grids / name / "figures.json"

    def grid_ranks(self, name: str, dataset: str) -> Path:
        """Folder with the tables ``grid_runs`` and ``grid_ranks`` behind a grid's figures."""
        return self.grids / name / "ranks" / dataset

    def report_plots(self, name: str) -> Path:
        """A table behind ``dvc plots`` of what several cells and grids give together."""
        return self.root / "reports/plots" / f"{name}.csv"

    @property
    def report(self) -> Path:
        """The page."""
        return self.root / "reports/index.html"


def refuse_unknown(params: Params, *names: str | int) -> None:
    """Refuse names typed by a person: a dataset, then a backbone and a recipe if they are given.

    Raises:
        ParamsError: ``params.yaml`` has no such name; the message lists those it has.
    """
    training = params.training
    known = {
        "dataset": list(params.dataset),
        "training.backbones": list(type(training.backbones).model_fields),
        "training.recipes": list(training.recipes),
    }
    for name, (section, there) in zip(names, known.items(), strict=False):
        if name not in there:
            raise ParamsError(
                f"'{name}' is not one of {', '.join(there)} ({section} in params.yaml)"
            )


def refuse_unmade(params: Params, paths: Paths, cell: Cell) -> None:
    """Refuse a cell of a seed that is not in `run.seeds` and has no model either.

    Raises:
        ParamsError: it is so.
    """
    made = any(folder.exists() for folder in (paths.teacher(cell), paths.student(cell)))
    if cell.seed not in params.run.seeds and not made:
        raise ParamsError(
            f"seed {cell.seed} is not one of {', '.join(map(str, params.run.seeds))} (run.seeds in "
            f"params.yaml), and no model of {cell.folder} is here; add it there and run `dvc repro`"
        )
