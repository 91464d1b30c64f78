"""What `engine plan` says a run takes against what it takes: every recipe with every family, as ratios.

`--threads 1` compares on a machine that is busy with something else: there the lesser of wall and CPU time is
the run's own. More recipes can be named: `estimates.py MY.yaml --families lightgbm mlp`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import engine
from engine.errors import RecipeError
from engine.estimate.growth import MEASURED
from engine.plan import make_plan

ROOT = Path(__file__).resolve().parent.parent
MEASURED_RUN = Path(__file__).with_name("measured_run.py")
# What a plan is asked for: within a factor of three.
BOUND = 3.0


def compare(recipe: Path, family: str, *, threads: int | None) -> tuple[float, float] | None:
    """Print one run beside its estimate and return both ratios; None where recipe and family do not fit."""
    overrides = [f"model={family}", f"compute.threads={threads or 'null'}"]
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            plan = make_plan(engine.load(recipe, [*overrides, f"runs={nowhere}"]))
        except RecipeError:
            return None
    done = subprocess.run(
        [sys.executable, str(MEASURED_RUN), "cold", str(recipe), *overrides],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode:
        print(f"{recipe.stem:<16}{family:<24} failed: {done.stderr.splitlines()[-1]}")
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    seconds = min(found["wall"], found["cpu"]) if threads == 1 else found["wall"]
    peak = max(step["peak_mib"] for step in found["steps"])
    said, held = plan.estimate.seconds, plan.estimate.peak_mib
    assert said is not None
    assert held is not None
    print(
        f"{recipe.stem:<16}{family:<24}{found['n_rows']:>8}{seconds:>9.1f}{said:>9.1f}{said / seconds:>7.2f}"
        f"{peak:>8.0f}{held:>8.0f}{held / peak:>7.2f}{found['others']:>8.2f}",
        flush=True,
    )
    return said / seconds, held / peak


def main() -> None:
    """Compare, and say how many estimates are beyond the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", type=Path, default=sorted((ROOT / "recipes").glob("*.yaml")))
    parser.add_argument("--families", nargs="+", default=MEASURED)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    print(
        f"{'recipe':<16}{'family':<24}{'rows':>8}{'seconds':>9}{'plan':>9}{'ratio':>7}"
        f"{'MiB':>8}{'plan':>8}{'ratio':>7}{'others':>8}"
    )
    ratios = [
        ratio
        for recipe in options.recipes
        for family in options.families
        if (pair := compare(recipe, family, threads=options.threads)) is not None
        for ratio in pair
    ]
    beyond = sum(not 1 / BOUND <= ratio <= BOUND for ratio in ratios)
    print(f"{beyond} of {len(ratios)} beyond a factor of {BOUND:g}; `others`: cores that others kept busy")


if __name__ == "__main__":
    main()
