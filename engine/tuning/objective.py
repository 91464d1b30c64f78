"""What a trial is worth: one model fitted and measured on rows that it has not learnt from."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.data.parts import PartData
from engine.data.quality.finding import DATA_MEANINGS
from engine.data.schema import Schema
from engine.errors import EngineError
from engine.evaluation.evaluate import PartScores
from engine.evaluation.gates import judge
from engine.evaluation.judge import time_one_row
from engine.evaluation.robustness import FALLS
from engine.evaluation.wanted import Wanted, wanted
from engine.features.needs import Needs
from engine.models.decide import decide_values
from engine.models.family import Array, Course, Progress, StopFit
from engine.names import FAMILIES, TASKS
from engine.recipe.spec import Gate, Spec
from engine.recipe.spec_model import Balance, FairnessSpec, ModelSpec
from engine.tasks.task import Scores, Target, Task
from engine.training.fit import (
    Candidate,
    Prepared,
    choose_thresholds,
    deploy_candidate,
    fit_prepared,
    n_bytes,
    prepare_rows,
)
from engine.tuning.candidates import Candidates
from engine.tuning.halving import Ladder
from engine.tuning.size import n_rounds
from engine.tuning.states import States
from engine.tuning.trial import Outcome, Trial

_LONGEST_ERROR = 300
# What else the machine does makes an answer slower, never faster.
_N_TIMINGS = 3


@dataclass(frozen=True)
class Lesson:
    """One fit of a trial: rows that teach, that say when to stop, that score; the last two may be one."""

    train: PartData
    validation: PartData
    judged: PartData


@dataclass
class Objective:
    """Fits and measures trials; what the models of one family have in common is prepared once.

    The same trial gives the same outcome, to the bit, wherever and after whatever other trials it is fitted.

    Parameters
    ----------
    threads
        Of one fit; part of what is asked, since sums of threads differ in their last bits.
    states
        Where fits in stages keep what they have come to.
    """

    spec: Spec
    schema: Schema
    target: Target
    lessons: tuple[Lesson, ...]
    candidates: Candidates
    threads: int
    states: States | None = None
    _prepared: dict[tuple[int, Needs, Balance | None, str], Prepared] = field(
        default_factory=dict, repr=False
    )
    _wanted: Wanted | None = field(default=None, repr=False)

    def evaluate(self, trial: Trial) -> Outcome:
        """Fit and measure one trial; what a library refuses is the trial's failure."""
        start = time.perf_counter()
        model = self.candidates.model_of(trial)
        ladder = Ladder(trial.cuts, self.spec.tune.reduction_factor or 0) if trial.cuts else None
        try:
            found = [
                self._measure(model, lesson, place, trial, ladder)
                for place, lesson in enumerate(self.lessons)
            ]
        except StopFit:
            assert ladder is not None
            seconds = time.perf_counter() - start
            return Outcome(trial.index, "stopped", seconds=seconds, losses=tuple(ladder.losses))
        except EngineError as error:
            said = error.messages[0].what if error.messages else type(error).__name__
            seconds = time.perf_counter() - start
            return Outcome(trial.index, "failed", seconds=seconds, error=said[:_LONGEST_ERROR])
        measured = {name: _mean([one[name] for one, _ in found]) for name in found[0][0]}
        kept = [n for _, n in found if n is not None]
        return Outcome(
            trial.index,
            "done",
            score=_finite(measured[self.wanted.goal.name]),
            measured={name: _finite(value) for name, value in measured.items()},
            missed=missed(self.spec.goal.gates, measured=measured),
            n_iterations=round(math.fsum(kept) / len(kept)) if kept else None,
            seconds=time.perf_counter() - start,
            losses=() if ladder is None else ladder.finished(),
        )

    @property
    def task(self) -> Task:
        """The recipe's task."""
        task: Task = TASKS.load(self.spec.task.kind)  # type: ignore[assignment]
        return task

    @property
    def wanted(self) -> Wanted:
        """What is measured of each trial."""
        if self._wanted is None:
            self._wanted = wanted(self.spec, task=self.task, target=self.target)
        return self._wanted

    def answers(self, trial: Trial) -> PartScores:
        """Fit a trial once more, and return what it says of the rows that score it, by the first lesson.

        Raises
        ------
        EngineError
            If it can't be fitted.
        """
        return self._answer(self.candidates.model_of(trial), self.lessons[0], 0, trial, None)[1]

    def _measure(
        self, model: ModelSpec, lesson: Lesson, place: int, trial: Trial, progress: Progress | None
    ) -> tuple[dict[str, float], int | None]:
        fitted, part = self._answer(model, lesson, place, trial, progress)
        measured = self.wanted.measure(part)
        if self.wanted.on_bundle:
            measured |= self._on_bundle(fitted, lesson)
        return measured, fitted.fitted.n_iterations

    def _answer(
        self, model: ModelSpec, lesson: Lesson, place: int, trial: Trial, progress: Progress | None
    ) -> tuple[Candidate, PartScores]:
        prepared = self._prepare(model, lesson, place)
        fitted = fit_prepared(
            model,
            prepared,
            target=self.target,
            spec=self.spec,
            seed=trial.seed,
            threads=self.threads,
            progress=progress,
            course=course(trial, spec=self.spec, candidates=self.candidates, states=self.states),
        )
        judged = lesson.judged
        if judged is lesson.validation and prepared.validation is not None:
            values = fitted.fitted.predict(prepared.validation.x)
        else:
            values = fitted.predict(judged.frame)
        scores = self._decide(values, judged, model.fairness, chooses=judged is lesson.validation)
        frame = judged.frame.select(self.wanted.columns)
        return fitted, PartScores(judged.y, scores.priced(judged.worth), judged.weights, frame)

    def _prepare(self, model: ModelSpec, lesson: Lesson, place: int) -> Prepared:
        needs = FAMILIES.load(model.family).needs(model)  # type: ignore[attr-defined]
        key = (place, needs, model.balance, repr(model.fairness))
        if key not in self._prepared:
            self._prepared[key] = prepare_rows(
                model,
                train=lesson.train,
                validation=lesson.validation,
                schema=self.schema,
                target=self.target,
                seed=self.spec.seed,
            )
        return self._prepared[key]

    def _decide(self, values: Array, judged: PartData, how: FairnessSpec | None, *, chooses: bool) -> Scores:
        """Decide by the threshold that a run would choose; a fold's own rows choose none."""
        if not self.wanted.uses_decisions:
            return Scores(values, np.zeros(len(values)))
        threshold: float | Array | None = None
        if chooses:
            threshold, groups = choose_thresholds(
                judged,
                values,
                how=how,
                task=self.task,
                schema=self.schema,
                spec=self.spec,
            )
            threshold = threshold if groups is None else groups.of(judged.frame)
        return decide_values(values, task=self.task, target=self.target, threshold=threshold)

    def _on_bundle(self, fitted: Candidate, lesson: Lesson) -> dict[str, float]:
        """Measure what only a written graph has, as the run itself will."""
        written = deploy_candidate(
            fitted,
            train=lesson.train,
            validation=lesson.validation,
            schema=self.schema,
            task=self.task,
            target=self.target,
            spec=self.spec,
        )
        n = self.spec.evaluation.latency_rows
        times = [
            time_one_row(lesson.judged, scorer=written.scorer, n=n).measured() for _ in range(_N_TIMINGS)
        ]
        least = {name: min(one[name] for one in times) for name in times[0]}
        return least | {"bundle_mib": n_bytes(written.artifact) / 2**20}


def course(
    trial: Trial, *, spec: Spec, candidates: Candidates, states: States | None = None
) -> Course | None:
    """Return the stages of a trial's fit, None where it is one fit like any other."""
    if spec.tune.kind != "pbt":
        return None
    return Course(
        stages=candidates.stages_of(trial),
        n_rounds=n_rounds(spec),
        load=lambda n_stages: None if states is None else states.load(trial, n_stages),
        save=lambda content: None if states is None else states.save(trial, content),
    )


def missed(gates: Mapping[str, Gate] | None, *, measured: Mapping[str, float]) -> dict[str, float]:
    """Return by gate how far it is missed, relative to its bound; one that is not measured by 1.

    Gates on the data are left out, as no trial can do better at them than another, and those on disturbed
    rows, which are measured of the winner alone.
    """
    beyond = {*DATA_MEANINGS, *FALLS}
    of_model = {name: gate for name, gate in (gates or {}).items() if name not in beyond}
    verdict = judge(of_model, measured=measured)
    found = {}
    for gate in verdict.gates:
        if not gate.passed:
            short = [
                (limit - gate.value if side == "min" else gate.value - limit) / max(abs(limit), 1e-9)
                for side, limit in gate.bound.items()
            ]
            found[gate.name] = max(short) if math.isfinite(gate.value) else 1.0
    return found


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
