"""The strategy `bayes`: Optuna's tree-structured Parzen estimator, asked as a pure function.

Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (2011); groups of conditional params and
constraints as Optuna has them (Watanabe and Hutter, "c-TPE" (2023)).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.recipe.space import Choices
from engine.recipe.text import Plain
from engine.tuning.candidates import Axis, Candidates
from engine.tuning.strategy import Random, Whole
from engine.tuning.trial import Outcome, Trial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

# Drawn at random before there is anything to learn from.
N_STARTUP = 10
_MODEL = "model"
# Optuna keeps constraints under this name; at most 0 is feasible.
_CONSTRAINTS = "constraints"


@dataclass(frozen=True)
class Bayes(Whole):
    """Params drawn where earlier trials were good and met the gates; first as `Random` draws them."""

    candidates: Candidates
    n_trials: int
    seed: int
    maximize: bool

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return what the estimator draws, given the trials told, and the pending ones taken as poor."""
        startup = Random(self.candidates, self.n_trials, self.seed)
        if index < N_STARTUP + len(self.candidates.members):
            return startup.propose(index, told=told, pending=pending)
        with warnings.catch_warnings():
            # Groups of params and constraints count as experimental.
            warnings.simplefilter("ignore")
            return self._ask(index, told, pending)

    def _ask(
        self, index: int, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        import optuna
        from optuna.trial import TrialState

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int(np.random.default_rng([self.seed, index]).integers(2**31))
        sampler = optuna.samplers.TPESampler(
            seed=seed,
            n_startup_trials=0,
            multivariate=True,
            group=True,
            constant_liar=True,
            constraints_func=_constraints,
        )
        study = optuna.create_study(direction="maximize" if self.maximize else "minimize", sampler=sampler)
        known = [*self._finished(told), *self._running(pending)]
        study.add_trials([trial for trial in known if trial.state is TrialState.COMPLETE])
        for trial in known:
            if trial.state is TrialState.RUNNING:
                study._storage.create_new_trial(study._study_id, template_trial=trial)  # noqa: SLF001 (add_trials takes finished ones alone)
        asked = study.ask()
        names = [one.name for one in self.candidates.members]
        name = asked.suggest_categorical(_MODEL, names) if len(names) > 1 else names[0]
        one = self.candidates[name]
        return name, {param: _suggest(asked, f"{name}.{param}", axis) for param, axis in one.axes.items()}

    def _finished(self, told: Sequence[tuple[Trial, Outcome]]) -> Iterator[optuna.trial.FrozenTrial]:
        import optuna

        for trial, outcome in told:
            params = self._params(trial)
            if params is None or outcome.score is None:
                continue
            yield optuna.trial.create_trial(
                params={name: value for name, (value, _) in params.items()},
                distributions={name: distribution for name, (_, distribution) in params.items()},
                value=outcome.score,
                system_attrs={_CONSTRAINTS: [outcome.shortfall]},
            )

    def _running(self, pending: Sequence[Trial]) -> Iterator[optuna.trial.FrozenTrial]:
        import optuna
        from optuna.trial import TrialState

        for trial in pending:
            if (params := self._params(trial)) is not None:
                yield optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params={name: value for name, (value, _) in params.items()},
                    distributions={name: distribution for name, (_, distribution) in params.items()},
                )

    def _params(self, trial: Trial) -> dict[str, tuple[object, BaseDistribution]] | None:
        """Return a trial's values as Optuna has them; None for params as they stand, which are no point."""
        from optuna.distributions import CategoricalDistribution

        one = self.candidates[trial.model]
        if set(trial.params) != set(one.axes):
            return None
        found: dict[str, tuple[object, BaseDistribution]] = {}
        names = [member.name for member in self.candidates.members]
        if len(names) > 1:
            found[_MODEL] = (trial.model, CategoricalDistribution(names))
        for param, axis in one.axes.items():
            value: object = trial.params[param]
            if isinstance(axis, Choices):
                value = axis.values.index(trial.params[param])
            found[f"{trial.model}.{param}"] = (value, _distribution(axis))
        return found


def _constraints(trial: optuna.trial.FrozenTrial) -> Sequence[float]:
    constraints: Sequence[float] = trial.system_attrs[_CONSTRAINTS]
    return constraints


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Choices):
        return CategoricalDistribution(range(len(axis.values)))
    if axis.is_whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.is_log)
    return FloatDistribution(float(axis.low), float(axis.high), log=axis.is_log)


def _suggest(asked: optuna.Trial, name: str, axis: Axis) -> Plain:
    value: int | float = asked._suggest(name, _distribution(axis))  # noqa: SLF001 (what its public forms all call)
    return axis.values[int(value)] if isinstance(axis, Choices) else value
