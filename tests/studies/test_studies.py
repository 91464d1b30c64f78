"""Every registered study is called what it is registered as, and light; each depth asks for its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

import engine
from engine.names import STUDIES
from engine.studies import Study, wanted_studies

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "penguins.yaml"


@pytest.mark.parametrize("name", STUDIES.names())
def test_a_study_is_called_what_it_is_registered_as(name: str) -> None:
    """Its name is a step of the run and a key of `metrics.json`, found again by its registration."""
    assert cast("Study", STUDIES.load(name)).name == name


def test_a_quick_look_makes_no_study() -> None:
    """Quick leaves all studies out; the default compares with baselines and asks what columns are worth."""
    quick = engine.load(RECIPE, ["evaluation=quick"])
    usual = engine.load(RECIPE, [])

    assert wanted_studies(quick) == ()
    assert {"baselines", "importance"} <= {one.name for one in wanted_studies(usual)}


def test_studies_are_planned_without_what_they_compute_with() -> None:
    """Loading every study loads no library that fits, scores or draws."""
    heavy = (
        "sklearn",
        "torch",
        "onnxruntime",
        "scipy",
        "engine.training.fit",
        "engine.evaluation.importance",
    )
    code = (
        "import sys; from engine.names import STUDIES; [STUDIES.load(name) for name in STUDIES.names()]; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
