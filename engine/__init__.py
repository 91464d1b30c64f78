"""A declarative machine-learning engine: a recipe is the program, a run folder is its result.

The public API is `load`, `run` and the `Run` it returns. Importing this package loads no library.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.recipe.spec import Spec
    from engine.runs.run import Run
    from engine.runs.steps import Listener

__all__ = ["load", "run"]

# onnxruntime reports its use to its maker from the moment it is imported, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def load(
    recipe: str | Path,
    overrides: Sequence[str] = (),
    *,
    listener: Listener | None = None,
    roots: Sequence[str | Path] = (),
    runs: str | Path | None = None,
) -> Spec:
    """Compose a recipe and check everything that can be checked without its data.

    Parameters
    ----------
    recipe
        A YAML path, or a name in `./recipes`.
    overrides
        In Hydra's grammar, such as `model=logistic`.
    listener
        Hears notes, such as what of the recipe an override leaves out.
    roots
        Folders besides the recipe's own and the working directory below which its table may lie.
    runs
        Where runs are written, whatever the recipe says.

    Raises
    ------
    RecipeError
        With every mistake found, each at its place.
    """
    from engine.plan import load_checked

    return load_checked(recipe, overrides, listener=listener, roots=roots, runs=runs)


def run(spec: Spec) -> Run:
    """Run the whole life cycle of a recipe and return the finished run.

    Raises
    ------
    RecipeError, DataError, EngineError
        With nothing left that could be taken for a finished run.
    """
    from engine import lifecycle

    return lifecycle.run(spec)
