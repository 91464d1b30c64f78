"""What correcting the probabilities did: how true they were before and after, on test rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from engine.errors import Message
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Subject

# What it says of so many rows is no less sure than of more.
_MOST_ROWS = 100_000
_METRICS = ("brier_score", "log_loss", "expected_calibration_error")


@dataclass(frozen=True, slots=True)
class CalibrationStudy:
    """Holds the model against itself without `model.calibration`, where there is such."""

    name: str = "calibration"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether there is something to compare."""
        return spec.model.calibration is not None

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Find nothing wrong: what `model.calibration` says is checked with the model."""
        del spec, has_classes
        yield from ()

    def does(self, spec: Spec) -> str:
        """Say what is compared."""
        return f"probabilities before and after {spec.model.calibration}"

    def n_fits(self, spec: Spec) -> int:
        """Return 0: the model without is part of the model with it."""
        del spec
        return 0

    def look(self, subject: Subject) -> Finding:
        """Score test rows with and without the correction, and compare row by row."""
        from engine.evaluation.paired import compare_models
        from engine.evaluation.reliability import reliability
        from engine.evaluation.score import score
        from engine.models.calibration import Calibrated
        from engine.tasks.task import Scores

        spec, candidate, target = subject.spec, subject.model.candidate, subject.target
        fitted = candidate.fitted
        assert isinstance(fitted, Calibrated)
        test = subject.divided.test.sample(_MOST_ROWS, seed=spec.seed)
        said = fitted.fitted.predict(candidate.preparation.transform(test.frame))
        sides = {
            name: Scores(values, values.argmax(axis=1))
            for name, values in (("before", said), ("after", fitted.correct(said)))
        }
        metrics = {name: subject.task.metrics(target.kind)[name] for name in _METRICS}
        level, n_bootstrap = spec.evaluation.confidence, spec.evaluation.bootstrap
        asked = partial(score, metrics=metrics, confidence=level, n_bootstrap=n_bootstrap, seed=spec.seed)
        held = partial(
            compare_models, metrics=metrics, confidence=level, n_bootstrap=n_bootstrap, seed=spec.seed
        )
        facts: dict[str, object] = {
            "kind": spec.model.calibration,
            "n_validation_rows": fitted.n_rows,
            "n_rows": test.n_rows,
        }
        for name, scores in sides.items():
            found = asked(test.y, scores, test.weights)
            values = scores.values
            is_two = target.kind == "binary"
            likeliest = values[:, 1] if is_two else values.max(axis=1)
            hit = test.y == (1 if is_two else scores.decisions)
            facts[name] = {
                **{metric: interval.to_json() for metric, interval in found.items()},
                "reliability": reliability(hit, likeliest).to_json(),
            }
        (differences,) = held(test.y, sides["after"], [sides["before"]], test.weights)
        facts["difference"] = {metric: one.to_json() for metric, one in differences.items()}
        return Finding(facts)


STUDY = CalibrationStudy()
