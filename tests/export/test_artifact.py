"""The student that others take from this project by name."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.params import read_params
from pipeline.paths import Paths, cells


def test_the_artifact_is_the_distilled_model_of_a_shipped_cell(project: Path) -> None:
    content: dict[str, Any] = YAML(typ="safe").load(project / "dvc.yaml")
    student = content["artifacts"]["student"]
    shipped = cells(read_params(project / "params.yaml").run)
    paths = {str(Paths().models(cell)["distilled"]): cell for cell in shipped}
    cell = paths[student["path"]]
    assert student["type"] == "model"
    [made] = content["stages"]["distill"]["outs"]  # DVC knows folders of its own outputs alone
    for key in ("dataset", "backbone", "recipe", "seed"):
        made = made.replace(f"${{item.{key}}}", str(getattr(cell, key)))
    assert Path(student["path"]).is_relative_to(made)
