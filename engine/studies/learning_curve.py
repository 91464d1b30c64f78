"""How the score grows with the training rows: whether more of them would help, as far as these tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import EngineError, Message
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Subject

if TYPE_CHECKING:
    from engine.data.parts import PartData
    from engine.evaluation.paired import Difference
    from engine.evaluation.score import Interval
    from engine.tasks.task import Array, Metric, Scores

# More test rows say hardly more of a curve, and each costs as much.
_MOST_ROWS = 100_000
_PERCENT, _THOUSAND = 100, 1000


@dataclass(frozen=True, slots=True)
class LearningCurveStudy:
    """Fits the model on growing shares of the training rows (`evaluation.learning_curve`)."""

    name: str = "learning_curve"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether shares are given to it."""
        return bool(spec.evaluation.learning_curve)

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Refuse shares that are not rising: a curve goes one way."""
        del has_classes
        shares = spec.evaluation.learning_curve
        if list(shares) != sorted(set(shares)):
            what = "the shares of a learning curve rise, each above the one before"
            meant = ", ".join(f"{share:g}" for share in sorted(set(shares)))
            yield Message(what, "evaluation.learning_curve", suggestion=f"[{meant}]")

    def does(self, spec: Spec) -> str:
        """Say which shares are fitted."""
        shares = ", ".join(f"{_PERCENT * share:g}%" for share in spec.evaluation.learning_curve)
        return f"the model on {shares} of the training rows"

    def n_fits(self, spec: Spec) -> int:
        """Return one a share; that of all rows is there already."""
        return len(spec.evaluation.learning_curve)

    def look(self, subject: Subject) -> Finding:
        """Fit the model on each share and score the same test rows."""
        from engine.evaluation.evaluate import metrics_for
        from engine.evaluation.paired import compare_models
        from engine.evaluation.score import finite, score

        spec, divided = subject.spec, subject.divided
        if divided.streamed is not None:
            note = "no learning curve: the training rows are more than memory holds, and are read once"
            return Finding(None, notes=(note,))
        test = divided.test.sample(_MOST_ROWS, seed=spec.seed)
        metric = metrics_for(spec, task=subject.task, target=subject.target)[spec.goal.metric]
        order = nested_order(divided.train.y, n_classes=len(subject.target.classes), seed=spec.seed)
        metrics = {metric.name: metric}
        level, n_bootstrap = spec.evaluation.confidence, spec.evaluation.bootstrap
        asked = partial(score, metrics=metrics, confidence=level, n_bootstrap=n_bootstrap, seed=spec.seed)
        held = partial(
            compare_models, metrics=metrics, confidence=level, n_bootstrap=n_bootstrap, seed=spec.seed
        )
        points: list[dict[str, object]] = []
        whole = subject.model.scorer.score(test.frame).priced(test.worth)
        before = None
        shares = spec.evaluation.learning_curve
        for place, share in enumerate(shares):
            rows = max(round(share * len(order)), 1)
            scores, why = _scored(subject, test, order[:rows])
            found = None if scores is None else asked(test.y, scores, test.weights)[metric.name]
            points.append(_point(share, rows, found, why))
            if found is not None and finite(found.value) is not None:
                before = scores
            subject.progress(place + 1, len(shares), None if found is None else found.value)
        last = asked(test.y, whole, test.weights)[metric.name]
        points.append(_point(1.0, len(order), last, ""))
        difference = None
        if before is not None:
            (differences,) = held(test.y, whole, [before], test.weights)
            difference = differences[metric.name]
        facts = {
            "metric": metric.name,
            "n_rows": test.n_rows,
            "points": points,
            "difference": None if difference is None else difference.to_json(),
            "said": _said(points, difference, metric),
        }
        return Finding(facts)


def nested_order(y: Array, *, n_classes: int, seed: int) -> Array:
    """Return all rows' indices in an order of which every beginning is a fair sample.

    Drawn at random, and dealt so that each class has its share of every beginning.

    Parameters
    ----------
    y
        Shape (n,): class indices, or values where `n_classes` is 0.
    """
    import numpy as np

    shuffled = np.random.default_rng(seed).permutation(len(y))
    if not n_classes:
        return shuffled
    turns = np.empty(len(y))
    for class_ in range(n_classes):
        places = np.flatnonzero(y[shuffled] == class_)
        turns[places] = (np.arange(len(places)) + 0.5) / max(len(places), 1)
    order: Array = shuffled[np.argsort(turns, kind="stable")]
    return order


def _scored(subject: Subject, test: PartData, rows: Array) -> tuple[Scores | None, str]:
    """Fit the model on some training rows and score the test rows; or say why that can't be done."""
    import numpy as np

    from engine.models.decide import decide_values
    from engine.training.fit import choose_thresholds, fit_candidate

    spec, divided, target = subject.spec, subject.divided, subject.target
    validation = divided.validation
    try:
        candidate = fit_candidate(
            spec.model,
            train=divided.train.take(np.sort(rows)),
            validation=validation,
            schema=subject.schema,
            target=target,
            spec=spec,
        )
        said = candidate.predict(validation.frame) if validation.n_rows else np.empty((0, target.n_outputs))
        threshold, groups = choose_thresholds(
            validation,
            said,
            how=spec.model.fairness,
            task=subject.task,
            schema=subject.schema,
            spec=spec,
        )
    except EngineError as error:
        return None, error.messages[0].what if error.messages else type(error).__name__
    edge = threshold if groups is None else groups.of(test.frame)
    values = candidate.predict(test.frame)
    scores = decide_values(values, task=subject.task, target=target, threshold=edge)
    return scores.priced(test.worth), ""


def _point(share: float, n_rows: int, found: Interval | None, why: str) -> dict[str, object]:
    empty = {"value": None, "low": None, "high": None}
    return {
        "share": share,
        "n_train_rows": n_rows,
        **(empty if found is None else found.to_json()),
        "said": why,
    }


def _said(
    points: list[Mapping[str, object]] | list[dict[str, object]],
    difference: Difference | None,
    metric: Metric,
) -> str:
    """Say whether more rows would help: what the last step did, and no more than that."""
    if difference is None:
        return "No share of the training rows could be fitted and measured, so nothing is known of more rows."
    interval = difference.interval
    start = next(point for point in reversed(points[:-1]) if point["value"] is not None)
    step = f"From {start['n_train_rows']:,} to {points[-1]['n_train_rows']:,} training rows {metric.title}"
    ends = [end for end in (interval.low, interval.high) if end is not None]
    # Of a step that is told as so much better or worse, the ends have no sign either.
    ends = sorted(map(abs, ends)) if difference.verdict in ("better", "worse") else ends
    around = f" ({' to '.join(map(_short, ends))})" if ends else ""
    change, size = _short(interval.value), _short(abs(interval.value))
    told = {
        "better": f"{step} was still getting better, by {size}{around}: more rows of the same kind may help",
        "worse": f"{step} got worse, by {size}{around}: more rows of the same kind are not what is missing",
        "unproven": f"{step} changed by {change}{around}, which these test rows can't tell from nothing: "
        "little speaks for more rows of the same kind",
        "the same": f"{step} did not change: nothing speaks for more rows of the same kind",
    }[difference.verdict]
    return f"{told}. This is evidence from one draw of these rows, and no promise."


def _short(value: float) -> str:
    """Return a number to three figures, never as a power of ten that money would be told in.

    Examples
    --------
    >>> [_short(value) for value in (-3623.4, -984.2, 0.02321)]
    ['-3,623', '-984', '0.0232']
    """
    return f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}"


STUDY = LearningCurveStudy()
