"""Full ranking of every test session over the whole catalogue, against sorting all scores.

python -m benchmarks.ranking

Both give true ranks for the same model in the same process, in turns; the figures are medians.
"""

from typing import Any

import torch

from benchmarks.naive import ranks_by_sorting
from benchmarks.record import record
from benchmarks.training import in_turns
from benchmarks.workload import Workload, published
from pipeline.params import read_params
from pipeline.params.training import TrainingParams
from pipeline.paths import Paths
from pipeline.recommenders import ranking, recipes, registry

COMMAND = "python -m benchmarks.ranking"
SECONDS = 1


def main() -> None:
    """Measure and record."""
    params = read_params(Paths().params)
    work = published("hetrec2011-ml", params, n_sessions=12_323, n_items=8_475)
    for role in ("student", "teacher"):
        record(against_sorting(work, params.training, role))


def against_sorting(work: Workload, params: TrainingParams, role: str) -> list[dict[str, Any]]:
    """Return the seconds of ranking all test sessions, and the rival's."""
    fit, own = params.recipes["strong"].fit, getattr(params.recipes["strong"], role)
    model = registry.build("fpmc", work.n_items, fit, own, params.backbones.fpmc)
    model.initialise(torch.Generator().manual_seed(1))
    model.eval()
    test = recipes.by_part(work.sessions, torch.device("cpu"))["test"]
    examples = test.examples("last")

    def ours() -> torch.Tensor:
        return ranking.target_ranks(model, test, examples)

    @torch.no_grad()
    def rival() -> torch.Tensor:
        seen = test.inputs(examples, fit.max_length)
        scores = model.score(model.encode(seen), 1, work.n_items + 1)
        return ranks_by_sorting(scores, seen, test.targets(examples))

    agreeing = (ours() == rival()).double().mean()  # both products round in their own way
    assert agreeing > 0.99, f"only {agreeing:.1%} of the ranks agree"
    seconds, sorting = in_turns(ours, rival)
    name = f"ranking {len(test):,} sessions over {work.n_items:,} items, d = {own.dimension}"
    columns = {"name": name, "value": seconds, "unit": "s", "aim": f"<= {SECONDS}"}
    return [{**columns, "rival": sorting, "command": COMMAND}]


if __name__ == "__main__":
    main()
