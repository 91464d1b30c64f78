"""Trains the `mlp` family's network in stages, each with params of its own; what one has come to can be kept.

A stage begins with weights and moments of the one before, and with a random state of its own: so it makes no
difference whether the stages before it were trained just now or came from a file.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from engine.models._lightning import Batches, Network, Watch, settings, tensors, train
from engine.models.family import Course, Problem, Progress
from engine.models.mlp import Columns, MlpParams

_WEIGHT, _MOMENT = "weight", "moment"
State = dict[str, Tensor]


class Moments(lightning.Callback):  # type: ignore[misc]
    """Gives the optimizer the moments of the stage before, and takes them at the end of this one."""

    def __init__(self, before: State | None) -> None:
        self._before = before
        self.after: State = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Network) -> None:
        """Set what AdamW keeps of each weight; its learning rate and decay are this stage's."""
        (optimizer,) = trainer.optimizers
        names = {weight: name for name, weight in pl_module.named_parameters()}
        for key, tensor in (self._before or {}).items():
            kind, _, rest = key.partition("/")
            moment, _, name = rest.partition("/")
            if kind == _MOMENT:
                weight = next(weight for weight, known in names.items() if known == name)
                optimizer.state[weight][moment] = tensor.clone().to(weight.device)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Network) -> None:
        """Keep weights and moments as they are after the last epoch."""
        (optimizer,) = trainer.optimizers
        for name, tensor in pl_module.state_dict().items():
            self.after[f"{_WEIGHT}/{name}"] = tensor.detach().cpu().clone()
        for name, weight in pl_module.named_parameters():
            for moment, tensor in optimizer.state.get(weight, {}).items():
                self.after[f"{_MOMENT}/{moment}/{name}"] = tensor.detach().cpu().clone()


def fit_stages(
    problem: Problem,
    course: Course,
    stages: Sequence[MlpParams],
    *,
    columns: Columns,
    centre: tuple[float, float],
    progress: Progress | None,
) -> Network:
    """Train through all stages, from the latest that is kept, and return the network on the CPU.

    Raises
    ------
    RecipeError
        If the training loss is not finite.
    """
    n_done, state = _latest(course, len(stages))
    rows = None
    for place in range(n_done, len(stages)):
        own = replace(problem, seed=_seed(problem.seed, place))
        with settings(own, device=torch.device(problem.device)):
            rows = rows or tensors(problem.train, problem, columns=columns, centre=centre)
            batches = Batches(rows, batch_size=stages[place].batch_size, seed=problem.seed)
            batches.epoch = place * course.n_rounds
            state = _train_on(
                own, stages[place], batches, state, columns=columns, n_epochs=course.n_rounds,
                n_total=len(stages) * course.n_rounds, progress=progress,
            )  # fmt: skip
    assert state is not None
    if n_done < len(stages):
        course.save(_pack(state))
    # A network is made at random before it is given its weights.
    with settings(problem, device=torch.device("cpu")):
        network = Network(stages[-1], columns=columns, n_outputs=problem.n_classes)
    network.load_state_dict(_weights(state))
    network.eval()
    return network


def _train_on(
    problem: Problem,
    params: MlpParams,
    batches: Batches,
    before: State | None,
    *,
    columns: Columns,
    n_epochs: int,
    n_total: int,
    progress: Progress | None,
) -> State:
    network = Network(params, columns=columns, n_outputs=problem.n_classes)
    if before is not None:
        network.load_state_dict(_weights(before))
    moments = Moments(before)
    # It counts the epochs and checks the loss; nothing is judged, so nothing ends early.
    watch = Watch(batches, validation=None, patience=sys.maxsize, max_epochs=n_total, progress=progress)
    device = torch.device(problem.device)
    train(network, batches, device=device, max_epochs=n_epochs, callbacks=[watch, moments])
    return moments.after


def _seed(seed: int, place: int) -> int:
    """Return the seed of a stage: the first has the fit's own."""
    return seed if place == 0 else int(np.random.default_rng([seed, place]).integers(2**32))


def _weights(state: State) -> State:
    prefix = f"{_WEIGHT}/"
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def _latest(course: Course, n_stages: int) -> tuple[int, State | None]:
    """Return the most stages of which something is kept, and that; what a kill has cut short is nothing."""
    for n_done in range(n_stages, 0, -1):
        content = course.load(n_done)
        if content is not None and (state := _unpack(content)) is not None:
            return n_done, state
    return 0, None


def _pack(state: State) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: tensor.numpy() for name, tensor in state.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(content: bytes) -> State | None:
    """Read what `_pack` wrote; each array has a checksum."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: torch.from_numpy(stored[name]) for name in stored.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile):
        return None
