"""What each step's time and memory grow with: the laws that `costs` multiplies with what was measured.

`benchmarks/throughput.py` measures against the very same drivers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.estimate.growth import Growth
from engine.estimate.workload import Workload
from engine.runs.steps import TIMED

# What one step grows with: a unit's name, and how many of them.
Drivers = Mapping[str, float]

MIB = 2**20
# As in training/baselines.py, training/fit.py and evaluation/importance.py.
_MAX_BASELINE_ROWS = 20_000
_PARITY_ROWS = 5_000
_SHUFFLES = 3
# As in studies/explanations.py; to take a tree apart for a row costs about so many walks down it.
_CURVE_POINTS, _CURVE_ROWS, _SURROGATE_FOR_EACH, _SURROGATE_ROWS, _STEPS_EXPLAINED = 45, 200, 10, 5_000, 200


def drivers(work: Workload) -> dict[str, tuple[str, Drivers]]:
    """Return for each step, and for `start`, the law that it follows, and what the law counts.

    A law's own name ends in the family's where families differ.
    """
    family, rows = work.family, work.rows
    million_rows = work.size.n_rows / 1e6
    cells = million_rows * work.n_columns
    text = {"MiB of text": work.size.n_bytes / MIB} if work.size.is_text else {"million stored cells": cells}
    found: dict[str, tuple[str, Drivers]] = {
        "start": ("start", {"once": 1}),
        "read and check": ("read and check", {"once": 1, **text}),
        "split": ("split", {"once": 1, "million rows": million_rows}),
        "profile": ("profile", {"once": 1, "million cells": cells}),
        "bundle": ("bundle", {"once": 1, "million test rows": rows.test / 1e6, **_nodes(work)}),
        "report": ("report", {"once": 1, "pictures": float(work.has_pictures)}),
    }
    if "baselines" in work.studies:
        # A family that was never measured is taken to load what scikit-learn loads.
        as_family = family if work.growth is not None else "random_forest"
        found["baselines"] = (f"baselines {as_family}", _of_baselines(work))
    if work.growth is None:
        return {step: found[step] for step in ("start", *work.steps()) if step in found}
    fit = _of_fit(work, work.growth, rows.train, rows.validation)
    found[f"fit {family}"] = (f"fit {family}", {"start": 1, **fit})
    if work.n_searched:
        one = fit
        if work.fold_growth is not None:
            one = _of_fit(work, work.fold_growth, rows.fold_train, rows.fold_validation)
        found["tune"] = (
            f"fit {family}",
            {"start": 1, **{name: n * work.n_whole for name, n in one.items()}},
        )
    found["write the graph"] = (f"write the graph {family}", _of_graph(work))
    found[TIMED] = (
        f"{TIMED} {family}",
        {"once": 1, "thousand rows": work.n_timed / 1e3, **_timed_trees(work)},
    )
    found["evaluate"] = (f"evaluate {family}", _of_evaluation(work))
    found["importance"] = (f"importance {family}", _of_importance(work))
    found["explanations"] = (f"explanations {family}", _of_explanations(work))
    if "mitigation" in work.studies:
        found["mitigation"] = (f"fit {family}", fit)
    if work.fold_growth is not None:
        one = _of_fit(work, work.fold_growth, rows.fold_train, rows.fold_validation)
        found["cross-validate"] = (f"fit {family}", {name: n * rows.n_folds for name, n in one.items()})
    return {step: found[step] for step in ("start", *work.steps()) if step in found}


def _of_fit(work: Workload, grown: Growth, n_train: float, n_validation: float) -> Drivers:
    """Count what one fit does; the units are those that each kind of family spends its time on."""
    cells = n_train * work.n_features
    counted = {"fits": 1.0, "million cells": cells / 1e6}
    outputs = work.n_outputs
    if work.family in ("logistic", "ridge"):
        return counted | {"million cells a class": cells * outputs / 1e6}
    if grown.weights:
        batches = grown.rounds * math.ceil(n_train / grown.batch_rows)
        seen = grown.rounds * (3 * n_train + n_validation)
        return counted | {"thousand batches": batches / 1e3, "billion weights": seen * grown.weights / 1e12}
    trees = grown.rounds * outputs
    if work.family == "random_forest":
        sorted_rows = trees * n_train * math.log2(max(n_train, 2.0))
        return counted | {
            "billion sorted cells": sorted_rows * work.n_features * grown.share / 1e9,
            "million nodes": 2 * trees * grown.leaves / 1e6,
        }
    return counted | {
        "billion cells in trees": trees * cells / 1e9,
        "billion rows in trees": trees * (n_train + n_validation) / 1e9,
        "million histograms": trees * grown.leaves * work.n_features / 1e6,
    }


def _nodes(work: Workload) -> Drivers:
    grown = work.growth
    if grown is None or not grown.trees:
        return {}
    kind = "of numbers" if work.n_classes == 0 else "of classes"
    return {f"million nodes {kind}": 2 * grown.trees * grown.leaves / 1e6}


def _walked(work: Workload, n_rows: float) -> float:
    """Return billions of steps from node to node that some rows take through the model's trees."""
    grown = work.growth
    if grown is None or not grown.trees:
        return 0.0
    return n_rows * grown.trees * math.log2(max(grown.leaves, 2.0)) / 1e9


def _of_graph(work: Workload) -> Drivers:
    held = min(work.rows.validation or work.rows.train, _PARITY_ROWS)
    n_rows = work.rows.validation + 2 * held
    return {
        "once": 1,
        "million cells": n_rows * work.n_features / 1e6,
        "billion steps in trees": _walked(work, n_rows),
        **_nodes(work),
    }


def _of_evaluation(work: Workload) -> Drivers:
    return {
        "once": 1,
        "million cells": work.n_scored * work.n_features / 1e6,
        "million resampled rows": _resampled(work) / 1e6,
        "billion steps in trees": _walked(work, work.n_scored),
        **_nodes(work),
    }


def _of_importance(work: Workload) -> Drivers:
    n_rows = work.n_asked * (_SHUFFLES * work.n_columns + 1)
    return {
        "once": 1,
        "million cells": n_rows * work.n_features / 1e6,
        "billion steps in trees": _walked(work, n_rows),
    }


def _of_explanations(work: Workload) -> Drivers:
    curves = _CURVE_POINTS * min(work.n_explained, _CURVE_ROWS)
    n_rows = curves + 2 * min(_SURROGATE_FOR_EACH * work.n_explained, _SURROGATE_ROWS)
    return {
        "once": 1,
        "million cells": n_rows * work.n_features / 1e6,
        "billion steps in trees": _walked(work, n_rows + _STEPS_EXPLAINED * work.n_explained),
    }


def _timed_trees(work: Workload) -> Drivers:
    grown = work.growth
    return {"million trees": work.n_timed * grown.trees / 1e6} if grown is not None and grown.trees else {}


def _of_baselines(work: Workload) -> Drivers:
    n_train = min(work.rows.train, _MAX_BASELINE_ROWS)
    return {
        "once": 1,
        "million cells a class": n_train * work.n_linear * work.n_outputs / 1e6,
        "million cells": (work.rows.validation + work.rows.test) * work.n_linear / 1e6,
        "million resampled rows": 2 * _resampled(work) / 1e6,
    }


def _resampled(work: Workload) -> float:
    return work.rows.test * work.n_resamples * max(work.n_classes, 1)


def memory(work: Workload) -> dict[str, tuple[str, Drivers]]:
    """Return for each step the law that its peak of memory follows, and what the law counts."""
    rows, family, grown = work.rows, work.family, work.growth
    table = {"once": 1.0, "MiB of table": work.size.n_rows * work.n_columns * 8 / MIB}
    if work.size.is_text:
        table["MiB of text"] = work.size.n_bytes / MIB
    found: dict[str, tuple[str, Drivers]] = {
        step: (step, table) for step in ("read and check", "split", "profile")
    }
    if grown is None:
        return found
    width = grown.width or work.n_features
    model = {
        **table,
        "MiB of matrix": max(rows.train + rows.validation, work.n_scored) * width * 8 / MIB,
        "million weights": grown.weights / 1e6,
        **_nodes(work),
    }
    return found | {step: (f"{_law_of(step)} {family}", model) for step in work.steps()[3:]}


def _law_of(step: str) -> str:
    """Return the law of a step; folds are fits like another."""
    return "fit" if step.startswith("fit ") or step in ("cross-validate", "tune") else step
