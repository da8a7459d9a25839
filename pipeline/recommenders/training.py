"""The one training loop: shuffled batches, AdamW, early stopping on a validation figure.

What happens at a step depends on the seed and the step's number alone, never on what was drawn
before, so that an interrupted training goes on to the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from pipeline import console, seeds
from pipeline.recommenders.checkpoint import Checkpoint
from pipeline.recommenders.distributed import ALONE, Team
from pipeline.tables import TRAINING_LOG


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    batch: int
    learning_rate: float
    weight_decay: float
    average: float
    evaluate_every: int
    patience: int
    max_steps: int
    settle: float = 0.0
    """Last share of ``max_steps`` over which the speed falls to zero."""


@dataclass
class _State:
    """What a resumed training needs: everything that is not derived from the step's number."""

    step: int
    since_best: int
    best: float
    best_weights: dict[str, Tensor]
    mean_weights: dict[str, Tensor]  # running mean, empty if the schedule asks for none
    log: list[tuple[int, float | None, float]]


def fit(
    model: nn.Module,
    examples: int,
    loss_of: Callable[[Tensor, int], Tensor],
    validate: Callable[[], float],
    schedule: Schedule,
    seed: int,
    label: str,
    checkpoint: Path | None = None,
    after_step: Callable[[torch.optim.Optimizer, int], None] | None = None,
    team: Team = ALONE,
) -> pl.DataFrame:
    """Train ``model`` in place, leave it with its best weights, and return the training log.

    Args:
        model: parameters with gradients; switched to ``train()`` for steps and ``eval()`` after.
        examples: how many training examples there are.
        loss_of: the loss of a batch, given example numbers (B, int64) and the step's number.
        validate: the figure that early stopping maximises; called with the model in ``eval()``.
        schedule: batch, speed and patience.
        seed: decides shuffles and dropout.
        label: what the progress line says.
        checkpoint: folder for unfinished work; a training that was cut off goes on from there.
        after_step: called with the optimiser and the step's number once the weights have moved,
            their gradients still there; what it keeps for itself no checkpoint holds.
        team: processes that train together; then ``loss_of`` gives this one's part of the loss.

    Returns:
        A `TRAINING_LOG` table: a row an evaluation, step 0 included.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    saved = Checkpoint(checkpoint)
    measure = partial(team.agreed, validate)
    state = _resume(saved, model, optimizer) or _first(model, measure, schedule.average > 0)
    team.refuse_different(state.step)
    steps = range(state.step, schedule.max_steps)
    losses: list[Tensor] = []
    with torch.random.fork_rng(devices=[]):
        for step in console.progress(steps, label, total=len(steps)) if team.first else steps:
            _seed_dropout(seeds.derive(seed, "step", step, *team.names))
            _set_speed(optimizer, schedule, step)
            model.train()
            loss = loss_of(batch_of(examples, schedule.batch, step, seed), step)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            team.add_up(model)
            optimizer.step()
            if after_step is not None:
                after_step(optimizer, step)
            losses.append(loss.detach())
            _move_mean(state, model, step, schedule.average)
            if (step + 1) % schedule.evaluate_every == 0:
                loss_seen = team.total(float(torch.stack(losses).mean()))
                losses.clear()
                _evaluate(state, step + 1, model, measure, loss_seen)
                if state.since_best >= schedule.patience:
                    break
                if team.first and saved.due():
                    saved.write(*_parts(state, model, optimizer))
    set_weights(model, state.best_weights)
    model.eval()
    if team.first:
        saved.remove()
    return _log(state)


def _set_speed(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    """Set the speed of a step: flat, then falling in a line, where the schedule wants that."""
    if schedule.settle:
        left = (schedule.max_steps - step) / (schedule.settle * schedule.max_steps)
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * min(1.0, left)


def _seed_dropout(seed: int) -> None:
    """Seed what dropout draws from.

    `torch.manual_seed` writes down the call stack for an accelerator that may be started later,
    which takes longer than some steps.
    """
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def _first(model: nn.Module, validate: Callable[[], float], averaged: bool) -> _State:
    model.eval()
    figure = validate()
    mean = weights_of(model) if averaged else {}
    return _State(0, 0, figure, weights_of(model), mean, [(0, None, figure)])


def _move_mean(state: _State, model: nn.Module, step: int, memory: float) -> None:
    """Move the running mean towards the weights; early steps are forgotten sooner."""
    memory = min(memory, (1 + step) / (10 + step))
    for name, value in model.named_parameters() if state.mean_weights else ():
        state.mean_weights[name].lerp_(value.detach(), 1 - memory)


def batch_of(examples: int, batch: int, step: int, seed: int) -> Tensor:
    """Return the example numbers of a step: epochs are shuffled, their last batch may be short."""
    epoch, place = divmod(step, -(-examples // batch))
    return _epoch_order(examples, epoch, seed)[place * batch : (place + 1) * batch]


@lru_cache(maxsize=2)  # two streams of batches: the pairs and the base loss of a distillation
def _epoch_order(examples: int, epoch: int, seed: int) -> Tensor:
    return torch.randperm(examples, generator=seeds.torch_generator(seed, "epoch", epoch))


def _evaluate(
    state: _State,
    step: int,
    model: nn.Module,
    validate: Callable[[], float],
    loss: float,
) -> None:
    current = weights_of(model) if state.mean_weights else {}
    if current:
        set_weights(model, state.mean_weights)
    model.eval()
    figure = validate()
    state.step = step
    state.log.append((step, loss, figure))
    if figure > state.best:
        state.best, state.since_best, state.best_weights = figure, 0, weights_of(model)
    else:
        state.since_best += 1
    if current:
        set_weights(model, current)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of a model's weights by name; a shared table appears once."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@torch.no_grad()
def set_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy weights into a model.

    Raises:
        ValueError: names or shapes are not the model's.
    """
    own = dict(model.named_parameters())
    wanted = {name: tuple(value.shape) for name, value in own.items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if found != wanted:
        raise ValueError(f"weights {found} do not fit {wanted}")
    for name, value in own.items():
        value.copy_(weights[name])


def _parts(
    state: _State, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a state as named tensors and a JSON value."""
    tensors = {f"model/{name}": value for name, value in weights_of(model).items()}
    tensors |= {f"best/{name}": value for name, value in state.best_weights.items()}
    tensors |= {f"mean/{name}": value for name, value in state.mean_weights.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"moment/{number}/{name}": value for name, value in moments.items()}
    numbers = {"step": state.step, "since_best": state.since_best, "best": state.best}
    return tensors, {**numbers, "log": state.log}


def _resume(saved: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> _State | None:
    found = saved.read()
    if found is None:
        return None
    tensors, numbers = found
    device = next(model.parameters()).device
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "mean": {}}
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        part, _, name = key.partition("/")
        if part == "moment":
            number, _, name = name.partition("/")
            moments.setdefault(int(number), {})[name] = value
        else:
            parts[part][name] = value.to(device)
    set_weights(model, parts["model"])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    log = [(step, loss, figure) for step, loss, figure in numbers["log"]]
    return _State(
        numbers["step"], numbers["since_best"], numbers["best"], parts["best"], parts["mean"], log
    )


def _log(state: _State) -> pl.DataFrame:
    best = max(figure for *_, figure in state.log)
    first = next(step for step, _, figure in state.log if figure == best)
    rows = [(*row, row[0] == first) for row in state.log]
    return pl.DataFrame(rows, schema=TRAINING_LOG.columns, orient="row")
