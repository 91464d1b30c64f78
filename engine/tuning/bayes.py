"""The strategy `bayes`: Optuna's tree-structured Parzen estimator, asked as a pure function.

Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (2011); groups of conditional params and
constraints as Optuna has them (Watanabe and Hutter, "c-TPE" (2023)).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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


@dataclass
class Bayes(Whole):
    """Params drawn where earlier trials were good and met the gates; first as `Random` draws them.

    What it says is a function of its arguments: the study that it keeps only spares building one each time.
    """

    candidates: Candidates
    n_trials: int
    seed: int
    maximize: bool
    _study: optuna.Study | None = field(default=None, repr=False)
    _sampler: optuna.samplers.TPESampler | None = field(default=None, repr=False)
    _question: Any = field(default=None, repr=False)
    _models: Any = field(default=None, repr=False)
    _spaces: dict[str, dict[str, BaseDistribution]] = field(default_factory=dict, repr=False)
    _stored: dict[int, int] = field(default_factory=dict, repr=False)
    _told: list[tuple[Trial, Outcome]] = field(default_factory=list, repr=False)

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return what the estimator draws, given the trials told, and the pending ones taken as poor."""
        if index < N_STARTUP + len(self.candidates.members):
            startup = Random(self.candidates, self.n_trials, self.seed)
            return startup.propose(index, told=told, pending=pending)
        with warnings.catch_warnings():
            # Params drawn together count as experimental.
            warnings.simplefilter("ignore")
            return self._ask(index, told, pending)

    def _ask(
        self, index: int, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Draw the model, then its params together, each group by the trials that have it."""
        study = self._study
        if study is None or list(told[: len(self._told)]) != self._told:
            study = self._make_study()
        for trial, outcome in told[len(self._told) :]:
            self._tell(study, trial, outcome)
        self._told = list(told)
        for trial in pending:
            self._store(study, trial)
        sampler = self._sampler
        assert sampler is not None
        # Nothing of an earlier question is left: what is said depends on this one alone.
        sampler._rng.rng.seed(int(np.random.default_rng([self.seed, index]).integers(2**31)))  # noqa: SLF001
        names = [one.name for one in self.candidates.members]
        name = str(self._draw({_MODEL: self._models})[_MODEL]) if len(names) > 1 else names[0]
        drawn = self._draw(self._spaces[name])
        return name, {
            param: _plain(drawn[f"{name}.{param}"], axis)
            for param, axis in self.candidates[name].axes.items()
        }

    def _draw(self, space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
        """Return what the estimator draws for params that belong together.

        A question is no trial of the study: asking for one would put it there, and go through all of them to
        find out which params belong together, which is known here.
        """
        assert self._study is not None
        assert self._sampler is not None
        free = {name: axis for name, axis in sorted(space.items()) if not axis.single()}
        drawn = {name: _only(axis) for name, axis in space.items() if axis.single()}
        return drawn | (self._sampler._sample(self._study, self._question, free) if free else {})  # noqa: SLF001

    def _make_study(self) -> optuna.Study:
        import optuna
        from optuna.distributions import CategoricalDistribution

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._sampler = optuna.samplers.TPESampler(
            seed=0, n_startup_trials=0, multivariate=True, constant_liar=True, warn_independent_sampling=False
        )
        self._study = optuna.create_study(direction="maximize" if self.maximize else "minimize")
        self._question = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
        members = self.candidates.members
        self._models = CategoricalDistribution([one.name for one in members])
        self._spaces = {
            one.name: {f"{one.name}.{param}": _distribution(axis) for param, axis in one.axes.items()}
            for one in members
        }
        self._stored, self._told = {}, []
        return self._study

    def _store(self, study: optuna.Study, trial: Trial) -> int | None:
        """Put a trial that is under way into the study, once; None for the params as they stand."""
        import optuna

        if trial.index not in self._stored and (params := self._params(trial)) is not None:
            running = optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params={name: value for name, (value, _) in params.items()},
                distributions={name: distribution for name, (_, distribution) in params.items()},
            )
            storage = study._storage  # noqa: SLF001 (add_trial takes finished ones alone)
            self._stored[trial.index] = storage.create_new_trial(study._study_id, template_trial=running)  # noqa: SLF001
        return self._stored.get(trial.index)

    def _tell(self, study: optuna.Study, trial: Trial, outcome: Outcome) -> None:
        from optuna.trial import TrialState

        place = self._store(study, trial)
        if place is None:
            return
        storage = study._storage  # noqa: SLF001 (as above)
        if outcome.score is None:
            storage.set_trial_state_values(place, TrialState.FAIL)
            return
        storage.set_trial_system_attr(place, _CONSTRAINTS, [outcome.steady_shortfall])
        storage.set_trial_state_values(place, TrialState.COMPLETE, [outcome.score])

    def _params(self, trial: Trial) -> dict[str, tuple[object, BaseDistribution]] | None:
        """Return a trial's values as Optuna has them; None for params as they stand, which are no point."""
        one = self.candidates[trial.model]
        if set(trial.params) != set(one.axes):
            return None
        found: dict[str, tuple[object, BaseDistribution]] = {}
        if len(self.candidates.members) > 1:
            found[_MODEL] = (trial.model, self._models)
        for param, axis in one.axes.items():
            value: object = trial.params[param]
            if isinstance(axis, Choices):
                value = axis.values.index(trial.params[param])
            key = f"{trial.model}.{param}"
            found[key] = (value, self._spaces[trial.model][key])
        return found


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Choices):
        return CategoricalDistribution(range(len(axis.values)))
    if axis.is_whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.is_log)
    return FloatDistribution(float(axis.low), float(axis.high), log=axis.is_log)


def _only(axis: BaseDistribution) -> Any:
    """Return the one value of an axis that has no other."""
    choices = getattr(axis, "choices", None)
    return choices[0] if choices is not None else axis.low  # type: ignore[attr-defined]


def _plain(value: Any, axis: Axis) -> Plain:
    found: int | float = value
    return axis.values[int(found)] if isinstance(axis, Choices) else found
