"""Gates: bounds that a run must meet to be packaged; checked in the recipe, judged on what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.data.declared import check_schema
from engine.data.quality.finding import (
    DATA_MEANINGS,
    OF_CLASSES,
    POPULATION,
    SENSITIVE,
    SENSITIVE_TYPES,
    SHARES,
)
from engine.data.schema import declare
from engine.errors import Message, nearest
from engine.evaluation.fairness import CALIBRATION_DIFFERENCE, MEASURES
from engine.evaluation.robustness import FALLS, measurable
from engine.evaluation.score import finite
from engine.recipe.spec import Gate, Spec
from engine.recipe.spec_value import Value
from engine.tasks.confusion import F1, PER_CASES
from engine.tasks.value import NEEDS, PROFIT

BUNDLE_MEANINGS = {
    "latency_p50_ms": "milliseconds that half of the rows take at most, one by one",
    "latency_p95_ms": "milliseconds that 95 of 100 rows take at most, one by one",
    "bundle_mib": "size of the bundle in MiB",
}
MEASURED_ON_BUNDLE = tuple(BUNDLE_MEANINGS)
# What a clock says is never twice the same.
MEASURED_BY_CLOCK = ("latency_p50_ms", "latency_p95_ms")
GROUPING_TYPES = ("category", "boolean", "integer")
_LISTED = "engine options goal.gates"
# A metric that every task with classes has.
_WITH_CLASSES = "accuracy"
_PERCENT = 100
# What a column must be, so that its values can be disturbed within the contract.
_DISTURBED = {
    "robustness_noise_fall": "a feature that is a number",
    "robustness_missing_fall": "a feature that is nullable",
    "robustness_unseen_fall": "a category without values, whose unseen ones are no error",
    "robustness_shift_fall": "a feature that is a number",
    "robustness_attack_fall": "a feature that is a number",
}
_SHARE = (0.0, 1.0)
# The least and the largest value that a metric can have, by its definition; without a line any number is one.
_REACH: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1", "precision", "recall"), _SHARE
    ),
    **dict.fromkeys(("f1_macro", "expected_calibration_error", *MEASURES), _SHARE),
    **dict.fromkeys(("log_loss", "rmse", "mae", "median_absolute_error", "max_error"), (0.0, math.inf)),
    **dict.fromkeys(("mape", "poisson_deviance", *MEASURED_ON_BUNDLE), (0.0, math.inf)),
    **{name: _SHARE if name in SHARES else (0.0, math.inf) for name in DATA_MEANINGS},
    "brier_score": (0.0, 2.0),
    CALIBRATION_DIFFERENCE: (0.0, 2.0),
    "matthews_corrcoef": (-1.0, 1.0),
    "r2": (-math.inf, 1.0),
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which columns tell rows apart by their values, and what is said of the others.

    Attributes
    ----------
    types
        Of the columns that do.
    makes
        What is made of the values.
    of_target
        What is said of the target besides that it is the target.
    shows
        Whether the values are shown, so that they may not tell who a person is.
    """

    types: Sequence[str] = GROUPING_TYPES
    makes: str = "groups"
    of_target: str = ""
    shows: bool = False

    def columns(self, spec: Spec) -> tuple[str, ...]:
        """Return the columns of a recipe that can be grouped by."""
        return tuple(name for name in spec.schema_.columns if not self._why_not(name, spec))

    def check(self, by: Sequence[str], *, key: str, spec: Spec) -> Iterator[Message]:
        """Yield what is wrong with columns that a recipe groups by."""
        allowed = self.columns(spec)
        for place, name in enumerate(by):
            if name in by[:place]:
                yield Message(f"'{name}' stands twice", key)
            elif name not in spec.schema_.columns:
                what = f"'{name}' is not a declared column"
                yield Message(what, key, suggestion=nearest(name, allowed), allowed=allowed)
            elif name not in allowed:
                yield Message(f"'{name}' {self._why_not(name, spec)}", key, allowed=allowed)

    def _why_not(self, name: str, spec: Spec) -> str:
        """Return why a declared column can't be grouped by, empty if it can."""
        column = spec.schema_.columns[name]
        if name == spec.schema_.target:
            return f"is the target{self.of_target}"
        if self.shows and column.pii:
            return f"tells who a person is (pii), and {self.makes} are shown by their values"
        if column.type not in self.types:
            return f"is of type {column.type}, which makes no {self.makes}"
        if column.role == "ignore":
            return f"has role ignore: no value of it is read, so it makes no {self.makes}"
        return ""


_COMPARED = Grouping(of_target=", and groups are compared by it")


@dataclass(frozen=True, slots=True)
class Judged:
    """One gate: what was asked, what was measured, whether that is enough."""

    name: str
    bound: Mapping[str, float]
    value: float
    passed: bool

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form; a value that is not finite is null."""
        value = finite(self.value)
        return {"name": self.name, "bound": dict(self.bound), "value": value, "passed": self.passed}


@dataclass(frozen=True, slots=True)
class Verdict:
    """All gates; passed if each is, so also if there is none."""

    passed: bool
    gates: tuple[Judged, ...]

    def to_json(self) -> dict[str, object]:
        """Return the content of `gates.json`."""
        return {"passed": self.passed, "gates": [gate.to_json() for gate in self.gates]}


def gate_name(metric: str, by: Sequence[str]) -> str:
    """Return what a gate is called, in `gates.json` and among what is measured.

    Examples
    --------
    >>> gate_name("demographic_parity_ratio", ["sex"])
    'demographic_parity_ratio by sex'
    """
    return f"{metric} by {', '.join(by)}" if by else metric


def labelled(name: str, value: Value | None) -> str:
    """Return the name of a metric or a gate for people: money with what it is counted in.

    Examples
    --------
    >>> labelled("profit", Value(true_positive=50.0, currency="EUR")), labelled("f1", None)
    ('profit (EUR per 1,000 cases)', 'f1')
    """
    if name != PROFIT or value is None:
        return name
    over = f" over {value.horizon}" if value.horizon else ""
    return f"{name} ({value.currency} per {PER_CASES:,} cases{over})"


def binds(metric: str, gate: Gate) -> bool:
    """Tell whether a gate can be missed: whether it rules out a value that the metric can have.

    Examples
    --------
    >>> binds("roc_auc", Gate(min=0.0)), binds("roc_auc", Gate(min=0.5))
    (False, True)
    """
    low, high = _REACH.get(metric, (-math.inf, math.inf))
    return (gate.min is not None and gate.min > low) or (gate.max is not None and gate.max < high)


def judge(gates: Mapping[str, Gate] | None, *, measured: Mapping[str, float]) -> Verdict:
    """Hold what was measured against the gates.

    Parameters
    ----------
    gates
        By metric, as `goal.gates`; None means none.
    measured
        Values by `gate_name`; a metric that is not there counts as undefined.

    Returns
    -------
    Verdict
        In the order of the recipe. Bounds are met when reached; an undefined value meets none.
    """
    judged = []
    for metric, gate in (gates or {}).items():
        name = gate_name(metric, gate.by)
        value = measured.get(name, math.nan)
        bound = {side: limit for side, limit in (("min", gate.min), ("max", gate.max)) if limit is not None}
        high_enough = gate.min is None or value >= gate.min
        low_enough = gate.max is None or value <= gate.max
        passed = math.isfinite(value) and high_enough and low_enough
        judged.append(Judged(name=name, bound=bound, value=value, passed=passed))
    return Verdict(passed=all(gate.passed for gate in judged), gates=tuple(judged))


def check_gates(spec: Spec, metric_names: Sequence[str]) -> list[Message]:
    """Return what is wrong with `goal.gates`.

    Parameters
    ----------
    spec
        The recipe.
    metric_names
        The metrics that its task lets it name, `profit` among them where it is known.
    """
    # Groups are compared by decisions between two classes, which is where F1 is a metric.
    fairness = MEASURES if F1.name in metric_names else ()
    known = (*metric_names, *fairness, *MEASURED_ON_BUNDLE, *DATA_MEANINGS, *FALLS)
    messages: list[Message] = []
    for metric, gate in (spec.goal.gates or {}).items():
        key = f"goal.gates.{metric}"
        if metric not in known:
            what = f"'{metric}' is not a metric of this recipe that a gate can bound"
            near = nearest(metric, known)
            if metric in NEEDS and F1.name in metric_names:
                what, near = NEEDS[metric], ""
            messages.append(Message(what, key, suggestion=near, allowed=known, try_=_LISTED))
            continue
        if metric in FALLS:
            messages += _check_fall(metric, key=key, spec=spec)
        if metric in DATA_MEANINGS:
            messages += _check_of_data(metric, key=key, spec=spec, has_classes=_WITH_CLASSES in metric_names)
        messages += _check_bounds(metric, gate, key=key)
        messages += _check_by(gate, metric=metric, spec=spec)
    return messages


def missed_by_data(gates: Mapping[str, Gate] | None, *, measured: Mapping[str, float]) -> tuple[str, ...]:
    """Return a sentence for each gate on the data that is missed before anything is fitted.

    Parameters
    ----------
    measured
        The measures of the data, by the names of `DATA_MEANINGS`.
    """
    of_data = {name: gate for name, gate in (gates or {}).items() if name in DATA_MEANINGS}
    return tuple(
        f"the gate {gate.name} is missed already: this run can't be packaged"
        for gate in judge(of_data, measured=measured).gates
        if not gate.passed
    )


def _check_of_data(metric: str, *, key: str, spec: Spec, has_classes: bool) -> Iterator[Message]:
    """Refuse a measure of the data that no run of this recipe has."""
    if metric in OF_CLASSES and not has_classes:
        yield Message(f"'{metric}' is of classes, and this target has none", key)
    if metric == POPULATION and spec.data.population is None:
        yield Message(f"'{metric}' needs data.population, which says who there is", key)
    if metric == SENSITIVE and not any(
        spec.schema_.columns[name].sensitive for name in Grouping(SENSITIVE_TYPES).columns(spec)
    ):
        yield Message(f"'{metric}' needs a category or boolean that is marked sensitive", key)


def _check_fall(metric: str, *, key: str, spec: Spec) -> Iterator[Message]:
    """Refuse a measure of disturbed rows that no run of this recipe has."""
    if not spec.evaluation.robustness_rows:
        what = f"'{metric}' is measured on disturbed rows, and evaluation.robustness_rows is 0"
        yield Message(what, key, try_="evaluation.robustness_rows=1000")
        return
    if not check_schema(spec) and not measurable(metric, declare(spec).features):
        yield Message(f"'{metric}' needs {_DISTURBED[metric]}, and there is none", key)


def _check_bounds(metric: str, gate: Gate, *, key: str) -> Iterator[Message]:
    low, high = _REACH.get(metric, (-math.inf, math.inf))
    if gate.min is None and gate.max is None:
        yield Message("a gate needs a bound", key=key, allowed=("min", "max"))
    elif gate.min is not None and gate.max is not None and gate.min > gate.max:
        yield Message(f"no value is at least {gate.min:g} and at most {gate.max:g}", key=key)
    elif gate.min is not None and gate.min > high:
        near = f"{gate.min / _PERCENT:g}" if high == 1 and gate.min <= _PERCENT else ""
        yield Message(
            f"{metric} is {high:g} at most, so no run reaches {gate.min:g}", f"{key}.min", suggestion=near
        )
    elif gate.max is not None and gate.max < low:
        yield Message(f"{metric} is {low:g} at least, so no run is below {gate.max:g}", f"{key}.max")


def _check_by(gate: Gate, *, metric: str, spec: Spec) -> Iterator[Message]:
    key = f"goal.gates.{metric}.by"
    if metric not in MEASURES:
        if gate.by:
            yield Message(f"'{metric}' compares no groups, so it takes no 'by'", key=key, try_=_LISTED)
        return
    if not gate.by:
        what = f"'{metric}' needs 'by', the column whose groups are compared"
        yield Message(what, key, allowed=_COMPARED.columns(spec))
    yield from _COMPARED.check(gate.by, key=key, spec=spec)
