"""What explanations cost: 10,000 rows of census income explained, beside the library called directly.

CPU seconds of this process on one thread, the median of some rounds: LightGBM's and XGBoost's own
contributions, by the library and by the run's study (which prepares the rows and sums over raw columns),
and the bundle's numpy form of the same. Bound: the study within 1.2 of the library. For scikit-learn's trees,
which have none of their own, the library is shap, where it is installed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.schema import declare
from engine.models.adder import by_source
from engine.names import TASKS
from engine.plan import load_checked
from engine.training.fit import fit_candidate
from engine.training.larger import read_table
from engine.training.parts import divide

RECIPE = Path(__file__).parent.parent / "recipes" / "adult.yaml"
BOUND = 1.2
FAMILIES = ("lightgbm", "xgboost", "hist_gradient_boosting", "random_forest")


def timed(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the median CPU seconds of some rounds, and what the last gave."""
    took, found = [], None
    for _ in range(rounds):
        began = time.process_time()
        found = work()
        took.append(time.process_time() - began)
    return statistics.median(took), found


def fitted(family: str) -> tuple[Any, Any]:
    """Fit the census recipe with a family, and return the candidate and its test rows."""
    overrides = [f"model={family}", "compute.threads=1", "goal.gates=null"]
    spec = load_checked(RECIPE, overrides)
    table = read_table(spec, declare(spec))
    divided = divide(table, task=TASKS.load(spec.task.kind), spec=spec)
    candidate = fit_candidate(
        spec.model,
        train=divided.train,
        validation=divided.validation,
        schema=table.schema,
        target=divided.target,
        spec=spec,
    )
    return candidate, divided.test.frame


def directly(candidate: Any, x: np.ndarray) -> Callable[[], Any] | None:
    """Return the call of the library itself, or None where there is none."""
    model = candidate.fitted
    if model.adder is not None:
        return lambda: model.adder(model.estimator, x, 1)
    if find_spec("shap") is None:
        return None
    import shap

    explainer = shap.TreeExplainer(model.estimator, feature_perturbation="tree_path_dependent")
    return lambda: explainer.shap_values(x, check_additivity=False)


def explained(family: str, *, n_rows: int, rounds: int) -> float | None:
    """Measure one family, print, and return the study beside a library that has contributions of its own."""
    candidate, frame = fitted(family)
    frame = frame.sample(n_rows, with_replacement=frame.height < n_rows, seed=0)
    sources = candidate.preparation.sources
    columns = tuple(dict.fromkeys(sources))
    x, margin = candidate.preparation.transform(frame), candidate.fitted.margin()
    library = directly(candidate, x)

    def study() -> Any:
        added = candidate.fitted.added(candidate.preparation.transform(frame))
        return by_source(added, sources=sources, columns=columns)

    def bundle() -> Any:
        return by_source(margin.added(x), sources=sources, columns=columns)

    theirs = np.nan if library is None else timed(library, rounds)[0]
    ours, found = timed(study, rounds)
    bundled, again = timed(bundle, rounds)
    largest = np.abs(found.values - again.values).max()
    print(
        f"{family:22} {len(x):6} {theirs:9.2f} {ours:9.2f} {ours / theirs:9.2f} {bundled:9.2f} "
        f"{bundled / theirs:9.2f} {largest:12.2g}"
    )
    return None if candidate.fitted.adder is None else ours / theirs


def main() -> int:
    """Measure, print, and tell by the exit code whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--families", nargs="+", default=FAMILIES[:2], choices=FAMILIES)
    asked = parser.parse_args()
    print("CPU s, one thread        rows   library     study     ratio    bundle     ratio   difference")
    ratios = [explained(family, n_rows=asked.rows, rounds=asked.rounds) for family in asked.families]
    worst = max((ratio for ratio in ratios if ratio is not None), default=0.0)
    print(f"the study within {BOUND} of the library: {'yes' if worst <= BOUND else 'NO'} ({worst:.2f})")
    return int(worst > BOUND)


if __name__ == "__main__":
    sys.exit(main())
