"""A very small made-up project: chains in a log, parameters that train in a moment."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.recommenders.toys import SHIPPED, chains, fit_params

DATASET = "chains"
SESSIONS = 150


def write_project(folder: Path, **select: object) -> None:
    """Write ``params.yaml`` and a log of one dataset."""
    values = SHIPPED.model_dump(mode="json")
    log = dict(values["dataset"]["tiny"]) | {"path": "log", "log": {"events": "events.csv"}}
    values["dataset"] = {DATASET: log}
    values["run"] |= {"datasets": [DATASET], "backbones": ["fpmc"], "seeds": [1]}
    quick: dict[str, Any] = {"max_steps": 20, "evaluate_every": 10, "batch": 64}
    for name, recipe in values["training"]["recipes"].items():
        recipe["fit"] = fit_params(name, max_steps=20, evaluate_every=10).model_dump(mode="json")
        recipe["teacher"]["dimension"], recipe["student"]["dimension"] = 16, 8
        values["distill"][name] |= quick
    counting = {"decay": [1], "backward": [1], "recency": [0.8], "candidate_power": [0]}
    values["training"]["counting"] |= counting
    values["training"]["shared"]["device"] = "cpu"
    values["difficulty"]["candidates"] = 12
    values["label"] |= {"ranking_length": 10}
    values["select"] |= {"count": 20, **select}
    values["evaluate"]["bootstrap_draws"] = 20
    with (folder / "params.yaml").open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(values, stream)
    (folder / "log").mkdir(exist_ok=True)
    (folder / "log/events.csv").write_text("\n".join(_events()), encoding="utf-8")


def _events() -> list[str]:
    lines = ["user_id,item_id,timestamp"]
    for session, items in enumerate(chains(SESSIONS)):
        for place, item in enumerate(items):
            lines.append(f"u{session},item {item},{86_400 * session + 60 * place}")
    return lines
