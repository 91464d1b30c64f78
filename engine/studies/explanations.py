"""Why the model answers so: what columns add for many rows and for a few telling ones, what it goes by."""

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
    from engine.data.schema import Column
    from engine.evaluation.contributions import Contributions
    from engine.tasks.task import Array

# Columns of which every explained row is kept, and those whose dependence is drawn.
_KEPT_COLUMNS, _KEPT_ROWS, _DEPENDENT, _OF_A_ROW = 8, 200, 3, 8
# Rows that a surrogate learns from, and that it is measured on, for each explained row, and at most.
_SURROGATE_FOR_EACH, _SURROGATE_ROWS = 10, 5000
_WITHHELD = "(withheld)"


@dataclass(frozen=True, slots=True)
class ExplanationsStudy:
    """Explains test rows, and fits a shallow tree to the answers (`evaluation.explain_rows`)."""

    name: str = "explanations"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether rows are given to it."""
        return spec.evaluation.explain_rows > 0

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Find nothing wrong: any model can be asked."""
        del spec, has_classes
        yield from ()

    def does(self, spec: Spec) -> str:
        """Say how many rows are explained."""
        return f"{spec.evaluation.explain_rows} test rows explained, and a shallow tree fitted to the answers"

    def n_fits(self, spec: Spec) -> int:
        """Return 0: what is fitted besides is a small tree."""
        del spec
        return 0

    def look(self, subject: Subject) -> Finding:
        """Explain a sample of test rows and the telling ones, and what the answers depend on."""
        import numpy as np

        from engine.studies.explanations_rows import explained_rows, telling_rows

        test = subject.divided.test
        telling = telling_rows(subject)
        rng = np.random.default_rng(subject.spec.seed)
        drawn = rng.permutation(test.n_rows)[: subject.spec.evaluation.explain_rows]
        found = explained_rows(subject, drawn, telling=list(telling.values()))
        n_drawn = len(found.rows) - len(telling)
        sizes = np.abs(found.added.values[:n_drawn]).mean(axis=0)
        order = [int(place) for place in np.argsort(-sizes, kind="stable")]
        columns = {found.added.columns[place]: float(sizes[place]) for place in order}
        top = list(columns)[:_KEPT_COLUMNS]
        sample = test.take(np.sort(found.rows[:n_drawn]))
        facts: dict[str, object] = {
            "method": found.method,
            "unit": found.unit,
            "n_rows": n_drawn,
            "n_test_rows": test.n_rows,
            "columns": columns,
            "points": {name: _points(subject, found.added, name, found.rows[:n_drawn]) for name in top},
            "rows": [
                _row(subject, found.added, n_drawn + place, which, row)
                for place, (which, row) in enumerate(telling.items())
            ],
            "dependence": _dependences(subject, sample, top[:_DEPENDENT]),
            "surrogate": _surrogate(subject),
        }
        return Finding(facts)


def _is_withheld(subject: Subject, name: str) -> bool:
    """Tell whether single values of a column stay out of a report."""
    column = _column(subject, name)
    return column.sensitive or column.pii or column.type == "text"


def _column(subject: Subject, name: str) -> Column:
    return next(column for column in subject.schema.features if column.name == name)


def _plain(value: object) -> object:
    import datetime as dt

    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


def _points(subject: Subject, added: Contributions, name: str, rows: Array) -> dict[str, object]:
    """Return what one column adds to some of the rows, and its value there where that may be shown."""
    import numpy as np

    series = subject.divided.test.frame[name].gather(rows[:_KEPT_ROWS])
    place = added.columns.index(name)
    values = None if _is_withheld(subject, name) else [_plain(value) for value in series.to_list()]
    is_ordered = series.dtype.is_numeric() or series.dtype.is_temporal()
    ranks = None
    if is_ordered and not _column(subject, name).pii:
        share = (series.rank("average") - 0.5) / max(len(series) - series.null_count(), 1)
        ranks = [None if one is None else round(one, 4) for one in share.to_list()]
    adds = [float(np.format_float_scientific(one, 5)) for one in added.values[: len(series), place]]
    return {"adds": adds, "values": values, "ranks": ranks}


def _row(subject: Subject, added: Contributions, place: int, which: str, row: int) -> dict[str, object]:
    """Return one telling row: what is said of it, what it is, and what its columns add."""
    import numpy as np

    test, target = subject.divided.test, subject.target
    scores = subject.judgement.test
    told = subject.task.to_frame(scores.take(np.array([row])), target).row(0, named=True)
    order = np.argsort(-np.abs(added.values[place]), kind="stable")
    shown, rest = order[:_OF_A_ROW], order[_OF_A_ROW:]
    truth: object = target.classes[int(test.y[row])] if target.classes else float(test.y[row])
    if subject.schema.target.sensitive or subject.schema.target.pii:
        truth = _WITHHELD
    return {
        "which": which,
        "test_row": row,
        "prediction": told.pop("prediction"),
        "probabilities": {name.removeprefix("probability_"): value for name, value in told.items()} or None,
        "truth": truth,
        "base": float(added.base[place]),
        "answer": float(added.answers[place]),
        "added": [
            {
                "column": added.columns[at],
                "value": _WITHHELD
                if _is_withheld(subject, added.columns[at])
                else _plain(test.frame[added.columns[at]][row]),
                "adds": float(added.values[place, at]),
            }
            for at in shown.tolist()
        ],
        "n_others": len(rest),
        "others": float(added.values[place, rest].sum()),
    }


def _said_of(subject: Subject) -> tuple[int, str]:
    """Return the place among the outputs, and the name, of what dependence and surrogate speak of."""
    import numpy as np

    target = subject.target
    if not target.classes:
        return 0, target.name
    place = 1
    if target.kind != "binary":
        decided = np.bincount(np.asarray(subject.judgement.test.decisions), minlength=len(target.classes))
        place = int(decided.argmax())
    return place, f"probability of {target.class_names[place]}"


def _answers(subject: Subject, frame: pl.DataFrame, place: int) -> Array:
    values = subject.model.scorer.score(frame).values
    return values[:, place] if subject.target.classes else values


def _dependences(subject: Subject, sample: PartData, columns: list[str]) -> dict[str, object]:
    """Return the partial dependence of the first columns, of those whose values may be shown."""
    from engine.evaluation.dependence import dependence

    place, said = _said_of(subject)
    curves = []
    for name in columns:
        if _is_withheld(subject, name):
            continue
        found = dependence(
            sample.frame.head(_KEPT_ROWS),
            column=name,
            answer=lambda frame: _answers(subject, frame, place),
        )
        if found is not None:
            curves.append(
                {
                    "column": name,
                    "is_number": found.is_number,
                    "values": [_plain(value) for value in found.values.to_list()],
                    "mean": found.mean.tolist(),
                    "low": found.low.tolist(),
                    "high": found.high.tolist(),
                }
            )
    return {"of": said, "n_rows": min(sample.n_rows, _KEPT_ROWS), "curves": curves}


def _surrogate(subject: Subject) -> Mapping[str, object]:
    """Return the shallow tree that comes nearest to the model, by columns whose values may be shown."""
    from dataclasses import replace

    from engine.evaluation.surrogate import surrogate_tree
    from engine.features.categories import Levels
    from engine.features.feature import Indicator
    from engine.features.needs import Needs
    from engine.features.prepare import prepare

    seed, divided = subject.spec.seed, subject.divided
    most = min(_SURROGATE_FOR_EACH * subject.spec.evaluation.explain_rows, _SURROGATE_ROWS)
    train, test = divided.train.sample(most, seed=seed), divided.test.sample(most, seed=seed)
    columns = tuple(
        replace(column, scale=None, encode=None)
        for column in subject.schema.features
        if not _is_withheld(subject, column.name)
    )
    if not columns:
        return {}
    readable = Needs(categories="onehot", missing="impute", scale=False, max_categories=20)
    preparation = prepare(train.frame, schema=replace(subject.schema, columns=columns), needs=readable)
    place, said = _said_of(subject)
    flags, start = set[int](), 0
    for feature in preparation.features:
        width = len(feature.feature_names)
        if isinstance(feature, Levels | Indicator) or feature.column.storage == "boolean":
            flags |= set(range(start, start + width))
        start += width
    found = surrogate_tree(
        preparation.transform(train.frame),
        _answers(subject, train.frame, place),
        names=preparation.feature_names,
        flags=flags,
        held=(preparation.transform(test.frame), _answers(subject, test.frame, place)),
        seed=seed,
    )
    rules = [
        {"conditions": list(rule.conditions), "share": rule.share, "answer": rule.answer}
        for rule in found.rules
    ]
    return {
        "of": said,
        "n_train_rows": train.n_rows,
        "n_test_rows": test.n_rows,
        "fidelity": found.fidelity,
        "rules": rules,
    }


STUDY = ExplanationsStudy()
