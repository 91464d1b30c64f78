"""How far the goal's metric falls when test rows are disturbed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import Message
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Subject

if TYPE_CHECKING:
    import polars as pl

    from engine.data.parts import PartData
    from engine.evaluation.robustness import Disturbed, Slopes
    from engine.evaluation.score import Interval
    from engine.models.family import Fitted
    from engine.tasks.task import Array, Metric

# More add little, as for what columns are worth.
_RESAMPLES = 60


@dataclass(frozen=True, slots=True)
class RobustnessStudy:
    """Disturbs test rows and measures what the score loses (`evaluation.robustness_rows`)."""

    name: str = "robustness"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether rows are given to it."""
        return spec.evaluation.robustness_rows > 0

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Find nothing wrong: what no column allows is not measured."""
        del spec, has_classes
        yield from ()

    def does(self, spec: Spec) -> str:
        """Say how many rows are disturbed."""
        return f"{spec.evaluation.robustness_rows} test rows disturbed, to see how far the score falls"

    def n_fits(self, spec: Spec) -> int:
        """Return 0: it asks the model that there is."""
        del spec
        return 0

    def look(self, subject: Subject) -> Finding:
        """Disturb test rows in every way that their columns allow, and score each."""
        from engine.evaluation import robustness
        from engine.evaluation.evaluate import metrics_for
        from engine.evaluation.score import finite

        spec, columns = subject.spec, subject.schema.features
        test = subject.divided.test.sample(spec.evaluation.robustness_rows, seed=spec.seed)
        metric = metrics_for(spec, task=subject.task, target=subject.target)[spec.goal.metric]

        def wrong(rows: pl.DataFrame) -> Array:
            return _wrong(subject, test, rows)

        known = [subject.divided.whole.frame]
        disturbed = [*robustness.disturb(test.frame, columns=columns, seed=spec.seed, known=known)]
        found = [robustness.attack(test.frame, columns=columns, wrong=wrong)]
        slopes = _slopes(subject, test)
        if slopes is not None:
            found.append(robustness.follow(test.frame, columns=columns, wrong=wrong, slopes=slopes))
        disturbed += [one for one in found if one is not None]
        falls = _falls(subject, test, disturbed, metric)
        worst = robustness.worst_falls(
            [(one, fall.value) for one, (_, fall) in zip(disturbed, falls, strict=True)]
        )
        facts: dict[str, object] = {
            "metric": metric.name,
            "n_rows": test.n_rows,
            "falls": {name: finite(value) for name, value in worst.items()},
            "tests": [
                {
                    "kind": one.kind,
                    "level": one.level,
                    "columns": list(one.columns),
                    "value": finite(value),
                    "fall": finite(fall.value),
                    "low": finite(fall.low),
                    "high": finite(fall.high),
                }
                for one, (value, fall) in zip(disturbed, falls, strict=True)
            ],
        }
        return Finding(facts, worst, tuple(_unmeasured(spec, worst)))


def _unmeasured(spec: Spec, worst: Mapping[str, float]) -> Iterator[str]:
    """Say of which bounded falls nothing is known, as that changed no value."""
    from engine.evaluation.robustness import FALLS

    names = [name for name in spec.goal.gates or {} if name in FALLS and name not in worst]
    if names:
        yield (
            f"not measured, so its gate is missed: {', '.join(names)}; what is that small leaves every value "
            "of the test rows as it was, as whole numbers do that hardly vary"
        )


def _falls(
    subject: Subject, test: PartData, disturbed: list[Disturbed], metric: Metric
) -> list[tuple[float, Interval]]:
    """Return of each disturbance the metric and how far it fell, a rise below 0, with an interval."""
    from engine.evaluation.paired import compare_models
    from engine.evaluation.score import Interval, measure

    spec, score = subject.spec, subject.model.scorer.score
    clean = score(test.frame).priced(test.worth)
    scores = [score(one.frame).priced(test.worth) for one in disturbed]
    compared = compare_models(
        test.y,
        clean,
        scores,
        test.weights,
        metrics={metric.name: metric},
        confidence=spec.evaluation.confidence,
        n_bootstrap=min(spec.evaluation.bootstrap, _RESAMPLES),
        seed=spec.seed,
    )
    side = 1.0 if metric.greater_is_better else -1.0
    falls = []
    for one, of_one in zip(scores, compared, strict=True):
        interval = of_one[metric.name].interval
        ends = [None if end is None else side * end for end in (interval.low, interval.high)]
        low, high = ends if side > 0 else ends[::-1]
        value = measure(test.y, one, test.weights, metrics={metric.name: metric})[metric.name]
        falls.append((value, Interval(side * interval.value, low, high)))
    return falls


def _wrong(subject: Subject, test: PartData, rows: pl.DataFrame) -> Array:
    """Return how wrong the model is on each row: what it denies the true class, or how far off it is."""
    import numpy as np

    said = subject.model.scorer.score(rows).values
    wrong: Array = -said[np.arange(len(said)), test.y] if subject.target.classes else np.abs(said - test.y)
    return wrong


def _slopes(subject: Subject, test: PartData) -> Slopes | None:
    """Return what tells how the loss grows with each number; None of a model that does not tell."""
    from engine.models.calibration import Calibrated
    from engine.models.family import Differentiable

    candidate = subject.model.candidate
    fitted = candidate.fitted.fitted if isinstance(candidate.fitted, Calibrated) else candidate.fitted
    if not isinstance(fitted, Differentiable):
        return None
    preparation = candidate.preparation
    turns = turns_of(candidate.fitted, test.y)
    # A number is one column of its own name; scaling turns no sign.
    names = zip(preparation.feature_names, preparation.sources, strict=True)
    places = {name: place for place, (name, source) in enumerate(names) if name == source}

    def slopes(rows: pl.DataFrame) -> Mapping[str, Array]:
        gradient = fitted.gradient(preparation.transform(rows), test.y)
        return {name: turns * gradient[:, place] for name, place in places.items()}

    return slopes


def turns_of(fitted: Fitted, y: Array) -> Array:
    """Return by row, of class indices y, -1 where a falling correction turns its loss round; else one 1."""
    import numpy as np

    from engine.models.calibration import Calibrated, Sigmoid

    curves = fitted.curves if isinstance(fitted, Calibrated) else ()
    signs = [np.sign(curve.slope) if isinstance(curve, Sigmoid) else 1.0 for curve in curves]
    return np.array(signs)[y] if len(signs) > 1 else np.array(signs or [1.0])


STUDY = RobustnessStudy()
