"""Fixtures of more than one room."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from engine.recipe.spec import Spec

# OpenMP's threads, LightGBM's among them, otherwise wait for each other by burning cores that other tests need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True, scope="session")
def _state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the engine remembers of its user out of the user's own folder, in child processes too."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """Give the tiny model of `tiny.py`, imported when a test first asks for it."""
    return _beside("tiny")


@pytest.fixture(scope="session")
def mixed() -> ModuleType:
    """Give the table of every column type, of `mixed.py`."""
    return _beside("mixed")


@pytest.fixture(scope="session")
def least_cpu_seconds(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Give what measures the CPU time of commands, of `speed.py`; their modules are compiled once."""
    return _beside("speed").Speed(tmp_path_factory.mktemp("compiled")).least_cpu_seconds


@pytest.fixture(scope="session")
def make_spec() -> Callable[[Mapping[str, object]], Spec]:
    """Give the function of `loans.py`: changes, dotted key to value, to a recipe that is otherwise right."""
    make: Callable[[Mapping[str, object]], Spec] = _beside("loans").make_spec
    return make


@pytest.fixture(scope="session")
def bundle_folder(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bundle of the tiny model that no test changes."""
    folder: Path = tiny.write_tiny(tmp_path_factory.mktemp("tiny") / "bundle")
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a recipe that searches, of 400 rows, beside its data."""
    written: Path = _beside("small").write_small(tmp_path_factory.mktemp("small"))
    return written


@pytest.fixture
def load_small(small: Path, tmp_path: Path) -> Callable[..., Spec]:
    """Give a function from overrides to the checked recipe, whose runs go into the test's folder."""
    # Imported here: most tests need no plan.
    from engine.plan import load_checked

    def load(*overrides: str) -> Spec:
        return load_checked(small, overrides, runs=tmp_path / "runs")

    return load
