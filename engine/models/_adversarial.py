"""Trains the `mlp` family's network against an adversary that is to tell a row's group from the answer.

B. H. Zhang, B. Lemoine and M. Mitchell, "Mitigating unwanted biases with adversarial learning" (2018), for
demographic parity. Imports torch, so it is only imported to fit.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from engine.models._lightning import TINY, Batch, Network, fit_network
from engine.models.family import Problem, Progress
from engine.models.mlp import Columns, MlpParams

# How much faster the adversary learns than the network: one that lags behind is fled from, not deceived. On
# census income the rates of both sexes come to agree by it, at a cost of 0.07 in AUC; at the same rate never.
_AHEAD = 10


class Contested(Network):
    """A network, and its adversary: a linear model from the network's output to the group."""

    def __init__(
        self, params: MlpParams, *, columns: Columns, n_outputs: int, n_groups: int, strength: float
    ) -> None:
        super().__init__(params, columns=columns, n_outputs=n_outputs)
        self.automatic_optimization = False
        self._strength = strength
        self._n_groups = n_groups
        self.adversary = nn.Linear(n_outputs, n_groups)

    def training_step(self, batch: Batch, _: int) -> None:
        """Step both: the network down its own loss, by nothing that helps the other, and up the other's."""
        numbers, codes, y, weights, groups = batch
        shares = weights / weights.sum().clamp(min=TINY)
        output = self(numbers, codes)
        own = (self.losses_of(output, y) * shares).sum()
        told = nn.functional.cross_entropy(self.adversary(output), groups, reduction="none")
        against = (told * shares).sum()
        ours, theirs = self._split()
        down = torch.autograd.grad(own, ours, retain_graph=True, allow_unused=True)
        up = torch.autograd.grad(against, ours, retain_graph=True, allow_unused=True)
        learnt = torch.autograd.grad(against, theirs)
        for parameter, loss, helps in zip(ours, down, up, strict=True):
            parameter.grad = _turned(loss, helps, self._strength)
        for parameter, gradient in zip(theirs, learnt, strict=True):
            parameter.grad = gradient
        for optimizer in self.optimizers():
            optimizer.step()
        self.loss_sum = self.loss_sum + own.detach() + against.detach()

    def drawback(self, rows: Batch) -> float:
        """Return how far apart the groups' mean probabilities are on validation rows, times the strength.

        Groups that training has not are left out; of these alone nothing is told.
        """
        numbers, codes, _, weights, groups = rows
        self.eval()
        with torch.inference_mode():
            said = torch.softmax(self(numbers, codes).double(), dim=1)
        self.train()
        means = [
            (said * held).sum(dim=0) / held.sum()
            for group in range(self._n_groups)
            if (held := (weights.double() * (groups == group))[:, None]).sum() > 0
        ]
        if not means:
            return 0.0
        told = torch.stack(means)
        return self._strength * float((told.amax(dim=0) - told.amin(dim=0)).max())

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:  # type: ignore[override]
        """Use AdamW for the network, as without an adversary, and Adam for that one, which is to keep up."""
        ours, theirs = self._split()
        rate, decay = self._params.learning_rate, self._params.weight_decay
        return [
            torch.optim.AdamW(ours, lr=rate, weight_decay=decay, fused=True),
            torch.optim.Adam(theirs, lr=_AHEAD * rate, fused=True),
        ]

    def _split(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        theirs = list(self.adversary.parameters())
        known = set(map(id, theirs))
        return [one for one in self.parameters() if id(one) not in known], theirs


def fit_contested(
    problem: Problem,
    params: MlpParams,
    *,
    columns: Columns,
    centre: tuple[float, float],
    strength: float,
    progress: Progress | None,
) -> tuple[Network, int]:
    """Train as `fit_network` does, on rows with groups; the best epoch is the least of loss and drawback.

    Raises
    ------
    RecipeError
        If the training or the validation loss is not finite.
    """
    groups = problem.train.groups
    assert groups is not None
    make = partial(Contested, n_groups=int(groups.max()) + 1, strength=strength)
    return fit_network(problem, params, columns=columns, centre=centre, progress=progress, make=make)


def _turned(loss: Tensor | None, helps: Tensor | None, strength: float) -> Tensor | None:
    """Take out of a step what would help the adversary, and go against it besides (equation 1)."""
    if loss is None or helps is None:
        return loss
    way = helps / (helps.norm() + TINY)
    turned: Tensor = loss - (loss * way).sum() * way - strength * helps
    return turned
