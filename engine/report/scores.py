"""`metrics.json` as rows: each metric with its interval on every part, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from engine.evaluation.fairness import DEMOGRAPHIC_PARITY_RATIO, FOUR_FIFTHS, MEASURES
from engine.names import TASKS
from engine.recipe.spec_value import Value
from engine.report.record import Json, Record, at, elements, members, number, plain, text
from engine.report.words import MISSING, counted, metric, quantity, title
from engine.tasks.task import Metric, TargetKind, Task
from engine.tasks.value import value_metrics

PARTS = ("train", "validation", "test")
BASELINES = ("linear", "constant")
Standing = Literal["unknown", "the same", "unproven", "better", "worse"]
_UNDECIDED = {
    "unknown": ".",
    "the same": ": the same.",
    "unproven": ", inside the model's interval: no clear difference.",
}
_UNITS = {"ms": "ms", "s": "s", "mib": "MiB"}


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's value with its interval; None where it is not defined or was not recorded.

    `folds` holds the value of each fold where the metric is a mean over folds.
    """

    value: float | None
    low: float | None
    high: float | None
    folds: tuple[float, ...] = ()

    @property
    def interval(self) -> str:
        """The interval in words, empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"{metric(self.low)} to {metric(self.high)}"

    @property
    def spread(self) -> str:
        """The interval, or else the lowest and highest fold, or nothing."""
        if self.interval or not self.folds:
            return self.interval
        return f"folds {metric(min(self.folds))} to {metric(max(self.folds))}"


@dataclass(frozen=True, slots=True)
class Difference:
    """The model's score less a baseline's on the same rows, and whether that proves anything."""

    score: Score
    verdict: Standing


@dataclass(frozen=True, slots=True)
class Scored:
    """One metric over the parts and the baselines; `greater_is_better` is None where nobody says so."""

    name: str
    title: str
    greater_is_better: bool | None
    parts: dict[str, Score]
    baselines: dict[str, Score]
    differences: dict[str, Difference] = field(default_factory=dict)

    @property
    def test(self) -> Score:
        """The score on test rows."""
        return self.parts.get("test", Score(None, None, None))


def read(record: Record) -> tuple[Scored, ...]:
    """Return every recorded metric, in the order of the file."""
    names = dict.fromkeys(name for part in PARTS for name in members(record.metrics, part))
    metrics = declared(record)
    scored = []
    for name in names:
        known = metrics.get(name)
        parts = {part: _score(record, part, name) for part in PARTS if name in members(record.metrics, part)}
        baselines = {
            kind: _score(record, "baselines", kind, "test", name)
            for kind in members(record.metrics, "baselines")
            if name in members(record.metrics, "baselines", kind, "test")
        }
        scored.append(
            Scored(
                name=name,
                title=known.title if known else title(name),
                greater_is_better=known.greater_is_better if known else None,
                parts=parts,
                baselines=baselines,
                differences={kind: one for kind in baselines if (one := _difference(record, kind, name))},
            )
        )
    return tuple(scored)


def headline(record: Record) -> Scored | None:
    """Return the metric that the goal, or else the task, is about."""
    wanted = text(record.recipe, "goal", "metric") or text(record.recipe, "task", "metric")
    return next((scored for scored in read(record) if scored.name == wanted), None)


def confidence(record: Record) -> str:
    """Return what kind of interval was asked for, such as "95% interval"."""
    level = number(record.recipe, "evaluation", "confidence")
    return "interval" if level is None else f"{quantity(100 * level)}% interval"


def standing(scored: Scored, kind: str) -> Standing:
    """Tell how the model stands to one baseline on test rows.

    The verdict is that of the paired test; where none was recorded, nothing is proven inside the model's own
    interval.
    """
    if kind in scored.differences:
        return scored.differences[kind].verdict
    against, mine = scored.baselines[kind].value, scored.test
    if against is None or mine.value is None or scored.greater_is_better is None:
        return "unknown"
    if mine.value == against:
        return "the same"
    if mine.low is not None and mine.high is not None and mine.low <= against <= mine.high:
        return "unproven"
    return "better" if (mine.value > against) == scored.greater_is_better else "worse"


def comparison(scored: Scored, kind: str) -> str:
    """Say how the model stands to one baseline, in words that claim no more than the interval does."""
    against, found = scored.baselines[kind].value, standing(scored, kind)
    if against is None:
        return f"The {kind} baseline has no value here."
    reached = f"The {kind} baseline reaches {metric(against)}"
    if kind in scored.differences:
        return f"{reached}: {_proof(scored.differences[kind])}"
    if found in _UNDECIDED:
        return reached + _UNDECIDED[found]
    if not scored.test.interval:
        return f"{reached}: the model is {found}; no interval was recorded."
    return f"{reached}, outside the model's interval: the model is {found}."


def _proof(difference: Difference) -> str:
    score, verdict = difference.score, difference.verdict
    said = "unproven that either is better" if verdict == "unproven" else f"the model is {verdict}"
    if score.value is None:
        return f"{said}; their difference is not defined."
    around = f" ({score.interval})" if score.interval else "; no interval was recorded"
    return f"{said}; on the same rows their difference is {metric(score.value)}{around}."


def worse(record: Record) -> str:
    """Say of which baselines the model is worse in what the goal is about, in one line; empty of none."""
    scored = headline(record)
    if scored is None:
        return ""
    behind = [kind for kind in BASELINES if kind in scored.baselines and standing(scored, kind) == "worse"]
    if not behind:
        return ""
    told = " ".join(comparison(scored, kind) for kind in behind)
    return f"{scored.title} {metric(scored.test.value)} on the test rows. {told}"


def gate_title(record: Record, name: str) -> str:
    """Return what a gate is about in words; columns it compares keep their names.

    A gate on groups is named "METRIC by COLUMN, COLUMN" (`engine.evaluation.gates.gate_name`).
    """
    bare, by, columns = name.partition(" by ")
    known = declared(record).get(bare)
    return (known.title if known else measured_title(bare)) + by + columns


def measured_title(name: str) -> str:
    """Return a name that ends in its unit as words.

    Examples
    --------
    >>> measured_title("latency_p95_ms"), measured_title("bundle_mib"), measured_title("f1")
    ('Latency p95, ms', 'Bundle, MiB', 'F1')
    """
    bare, _, unit = name.rpartition("_")
    return f"{title(bare)}, {_UNITS[unit]}" if unit in _UNITS else title(name)


def audits(record: Record) -> tuple[tuple[str, Json], ...]:
    """Return the audits of groups, each under the columns that make them."""
    node = at(record.metrics, "fairness")
    if isinstance(node, dict):
        return tuple(node.items())
    return tuple(
        (", ".join(plain(name) for name in elements(audit, "by")), audit) for audit in elements(node)
    )


def group_name(group: Json) -> str:
    """Return what a group is called."""
    return text(group, "name") or text(group, "group") or MISSING


def group_rates(audit: Json) -> tuple[str, ...]:
    """Return what is known of the groups of an audit besides their names, in the order of the file."""
    known = (key for group in elements(audit, "groups") for key in members(group))
    return tuple(key for key in dict.fromkeys(known) if key not in {"name", "group"})


def excluded(audit: Json) -> str:
    """Say which groups an audit left out, empty where none."""
    n_groups, n_rows = number(audit, "n_excluded_groups"), number(audit, "n_excluded_rows")
    if not n_groups:
        return ""
    return f"Not shown, as too small: {counted(n_groups, 'group')} of {counted(n_rows, 'row')} together."


def measures(audit: Json) -> dict[str, float | None]:
    """Return the gaps between the groups of an audit by name."""
    known = members(audit)
    return {key: number(audit, key) for key in known if key in MEASURES}


def measure_words(audit: Json, name: str) -> str:
    """Return a gap between groups with its interval; of the parity ratio, how it stands to four fifths."""
    value = number(audit, name)
    low, high = (number(audit, "intervals", name, end) for end in ("low", "high"))
    said = metric(value) + ("" if low is None or high is None else f" ({metric(low)} to {metric(high)})")
    if name != DEMOGRAPHIC_PARITY_RATIO or value is None:
        return said
    if low is None or high is None or low <= FOUR_FIFTHS <= high:
        side = "at or above" if value >= FOUR_FIFTHS else "below"
        sure = "" if low is None else ", which the interval does not prove"
        return f"{said}: {side} four fifths{sure}"
    return f"{said}: {'above' if low > FOUR_FIFTHS else 'below'} four fifths"


def _score(record: Record, *path: str) -> Score:
    node = at(record.metrics, *path)
    folds = tuple(
        float(fold) for fold in elements(node, "folds") if isinstance(fold, int | float) and fold is not True
    )
    return Score(number(node, "value"), number(node, "low"), number(node, "high"), folds)


def _difference(record: Record, kind: str, name: str) -> Difference | None:
    """Return what a paired test found of a metric; a run of an earlier engine made none."""
    path = ("baselines", kind, "difference", name)
    verdict = text(record.metrics, *path, "verdict")
    known: tuple[Standing, ...] = ("better", "worse", "the same", "unproven")
    said = next((word for word in known if word == verdict), None)
    return None if said is None else Difference(_score(record, *path), said)


def declared(record: Record) -> Mapping[str, Metric]:
    """Return the task's own metrics; a run of a task that is not installed keeps the bare names."""
    task, kind = text(record.recipe, "task", "kind"), text(record.facts, "target", "kind")
    if task not in TASKS.names() or kind not in {"binary", "multiclass", "continuous"}:
        return {}
    metrics = cast(Task, TASKS.load(task)).metrics(cast(TargetKind, kind))
    value = worth(record)
    return {**metrics, **{metric.name: metric for metric in value_metrics(value)}} if value else metrics


def worth(record: Record) -> Value | None:
    """Return what each outcome is worth, where the recipe's goal says so."""
    node = members(record.recipe, "goal", "value")
    return Value.model_validate(node) if node else None
