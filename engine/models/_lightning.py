"""Trains the `mlp` family's network with PyTorch Lightning; imports torch, so it is only imported to fit.

Lightning runs the epochs. Ours are the order of the rows, a function of seed and epoch; the best epoch, kept
in memory; and the loss, which must stay finite. Nothing is written and no global state is left changed.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from engine.errors import RecipeError
from engine.models.family import Problem, Progress, Rows
from engine.models.mlp import Columns, MlpParams

NORM_EPSILON = 1e-5
TINY = torch.finfo(torch.float32).tiny
_SIGTERM_EXIT_CODE = 128 + signal.SIGTERM
_VALIDATION_ROWS = 65_536
# What Lightning 2.6 warns of that its user can't mend: its own use of torch's trees, and an idle GPU.
_CHATTER = (
    (r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning),
    ("GPU available but not used", UserWarning),
)
Batch = tuple[Tensor, ...]  # numbers, codes, y, weights, and groups where rows have them


class Network(lightning.LightningModule):  # type: ignore[misc]
    """Numbers and embedded codes side by side, hidden layers, and one output a class, or one value."""

    def __init__(self, params: MlpParams, *, columns: Columns, n_outputs: int) -> None:
        super().__init__()
        self._params = params
        self._classifies = n_outputs > 1
        sizes = [min(params.embedding_size_max, embedding_size(levels)) for levels in columns.levels]
        self.embeddings = nn.ModuleList()
        for levels, size in zip(columns.levels, sizes, strict=True):
            embedding = nn.Embedding(levels + 1, size)
            with torch.no_grad():
                embedding.weight[levels] = 0.0  # missing or unseen: says nothing until training speaks
            self.embeddings.append(embedding)
        widths = [columns.n_numbers + sum(sizes), *params.hidden_sizes]
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width, eps=NORM_EPSILON) if params.batch_norm else nn.Identity()
            for width in widths[1:]
        )
        self.dropout = nn.Dropout(params.dropout)
        self.output = nn.Linear(widths[-1], n_outputs)
        self.loss_sum = torch.zeros(())

    @property
    def n_hidden(self) -> int:
        """How many hidden layers there are."""
        return len(self.layers)

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return logits (n, n_classes), or the standardised value (n, 1)."""
        parts = [numbers]
        for place, embedding in enumerate(self.embeddings):
            parts.append(embedding(codes[:, place]))
        hidden = torch.cat(parts, dim=1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            hidden = self.dropout(torch.relu(norm(layer(hidden))))
        output: Tensor = self.output(hidden)
        return output

    def losses(self, batch: Batch) -> Tensor:
        """Return each row's cross-entropy, or squared error in standard deviations, shape (n,)."""
        numbers, codes, y = batch[:3]
        return self.losses_of(self(numbers, codes), y)

    def losses_of(self, output: Tensor, y: Tensor) -> Tensor:
        """Return each row's loss, given what `forward` returns of it."""
        if self._classifies:
            return nn.functional.cross_entropy(output, y, reduction="none")
        errors: Tensor = output[:, 0] - y
        return errors.square()

    def drawback(self, rows: Batch) -> float:
        """Return what is held against an epoch besides its loss on validation rows: nothing."""
        del rows
        return 0.0

    def training_step(self, batch: Batch, _: int) -> Tensor | None:
        """Return the weighted mean loss of a batch."""
        weights = batch[3]
        # A batch of which no row counts teaches nothing.
        loss = (self.losses(batch) * weights).sum() / weights.sum().clamp(min=TINY)
        self.loss_sum = self.loss_sum + loss.detach()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Use AdamW (Loshchilov, Hutter 2019), which is Adam when the weight decay is 0."""
        return torch.optim.AdamW(
            self.parameters(),
            lr=self._params.learning_rate,
            weight_decay=self._params.weight_decay,
            fused=True,
        )


class Batches:
    """Batches of nearly equal size in an order that is a function of seed and epoch, and of nothing else.

    Permuting once an epoch and slicing is several times faster than collating rows one by one.
    """

    def __init__(self, rows: Batch, *, batch_size: int, seed: int) -> None:
        self._rows = rows
        self._n_rows = len(rows[2])
        self._batch_size = batch_size
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        """Count batches; at least 2 rows are in each, as batch statistics need."""
        return max(1, min(math.ceil(self._n_rows / self._batch_size), self._n_rows // 2))

    def __iter__(self) -> Iterator[Batch]:
        """Go through all rows once, in this epoch's order."""
        order = np.random.default_rng([self._seed, self.epoch]).permutation(self._n_rows)
        parts = [part[torch.from_numpy(order)] for part in self._rows]
        bounds = np.linspace(0, self._n_rows, len(self) + 1).astype(int)
        for start, stop in pairwise(bounds):
            yield tuple(part[start:stop] for part in parts)


class Watch(lightning.Callback):  # type: ignore[misc]
    """Counts epochs, checks the loss, keeps the best weights in memory and ends the training."""

    def __init__(
        self,
        batches: Batches,
        *,
        validation: Batch | None,
        patience: int,
        max_epochs: int,
        progress: Progress | None,
    ) -> None:
        self._batches = batches
        self._validation = validation
        self._patience = patience
        self._max_epochs = max_epochs
        self._progress = progress
        self._best_loss = math.inf
        self._best: dict[str, Tensor] = {}
        self.best_epoch = 0

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Network) -> None:
        """Judge the epoch that has just ended."""
        epoch = self._batches.epoch = self._batches.epoch + 1
        _require_finite(float(pl_module.loss_sum), part="training", epoch=epoch)
        pl_module.loss_sum = torch.zeros_like(pl_module.loss_sum)
        loss = None
        if self._validation is not None:
            loss = _mean_loss(pl_module, self._validation) + pl_module.drawback(self._validation)
            _require_finite(loss, part="validation", epoch=epoch)
        if loss is None or loss < self._best_loss:
            self._best_loss = math.inf if loss is None else loss
            self.best_epoch = epoch
            self._best = {name: tensor.clone() for name, tensor in pl_module.state_dict().items()}
        if self._progress is not None:
            self._progress(epoch, self._max_epochs, loss)
        if epoch - self.best_epoch >= self._patience:
            trainer.should_stop = True

    def restore(self, network: Network) -> None:
        """Give `network` the weights of the best epoch."""
        network.load_state_dict(self._best)


def embedding_size(levels: int) -> int:
    """Return an embedding's width for so many levels: the rule of fastai's `emb_sz_rule`."""
    return max(1, round(float(1.6 * levels**0.56)))


def fit_network(
    problem: Problem,
    params: MlpParams,
    *,
    columns: Columns,
    centre: tuple[float, float],
    progress: Progress | None,
    make: Callable[..., Network] = Network,
) -> tuple[Network, int]:
    """Train and return the network at its best epoch, in evaluation mode on the CPU, and that epoch.

    `centre` is the mean and the spread by which a continuous y is standardised; `make` makes the network.

    Raises
    ------
    RecipeError
        If the training or the validation loss is not finite.
    """
    device = torch.device(problem.device)
    max_epochs = min(params.max_epochs, problem.max_iterations or params.max_epochs)
    validation = problem.validation
    with settings(problem, device=device):
        network = make(params, columns=columns, n_outputs=problem.n_classes)
        rows = tensors(problem.train, problem, columns=columns, centre=centre)
        batches = Batches(rows, batch_size=params.batch_size, seed=problem.seed)
        watch = Watch(
            batches,
            validation=None
            if validation is None
            else tensors(validation, problem, columns=columns, centre=centre),
            patience=params.patience,
            max_epochs=max_epochs,
            progress=progress,
        )
        train(network, batches, device=device, max_epochs=max_epochs, callbacks=[watch])
        watch.restore(network)
    return network.cpu().eval(), watch.best_epoch


def tensors(rows: Rows, problem: Problem, *, columns: Columns, centre: tuple[float, float]) -> Batch:
    numbers, codes = columns.split(rows.x)
    mean, spread = centre
    y = ((rows.y - mean) / spread).astype(np.float32) if problem.n_classes == 1 else rows.y.astype(np.int64)
    weights = np.ones(len(y)) if rows.weights is None else rows.weights
    parts = [numbers, codes, y, weights.astype(np.float32)]
    if rows.groups is not None:
        parts.append(rows.groups.astype(np.int64))
    return tuple(torch.from_numpy(part).to(problem.device) for part in parts)


def _mean_loss(network: Network, rows: Batch) -> float:
    network.eval()
    total = torch.zeros((), dtype=torch.float64)
    with torch.inference_mode():
        for start in range(0, len(rows[2]), _VALIDATION_ROWS):
            block = tuple(part[start : start + _VALIDATION_ROWS] for part in rows)
            total += (network.losses(block).double() * block[3].double()).sum().cpu()
    network.train()
    return float(total) / float(rows[3].double().sum())


def _require_finite(loss: float, *, part: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise RecipeError.of(
            f"the fit diverged: the {part} loss is {loss} after epoch {epoch}; "
            "a lower learning_rate may mend it",
            key="model.params",
        )


def train(
    network: Network,
    batches: Batches,
    *,
    device: torch.device,
    max_epochs: int,
    callbacks: list[lightning.Callback],
) -> None:
    """Fit, and let an interruption be one: Lightning turns Ctrl-C into exit 1 and SIGTERM into exit 0."""
    trainer = lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=max_epochs,
        callbacks=callbacks,
        deterministic=device.type == "cuda",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(network, train_dataloaders=batches)
    except SystemExit as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from exc
        if trainer.received_sigterm:
            raise SystemExit(_SIGTERM_EXIT_CODE) from exc
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def settings(problem: Problem, *, device: torch.device) -> Iterator[None]:
    """Set seed, threads and determinism for the time of a fit, and keep Lightning quiet."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning")]
    loggers += [logging.getLogger(name) for name in ("pytorch_lightning.utilities.rank_zero",)]
    levels = [logger.level for logger in loggers]
    try:
        torch.set_num_threads(problem.threads)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with torch.random.fork_rng([device] if device.type == "cuda" else []), warnings.catch_warnings():
            for message, category in _CHATTER:
                warnings.filterwarnings("ignore", message=message, category=category)
            torch.manual_seed(problem.seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
