"""Fixtures of the families' tests."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def cases() -> ModuleType:
    """Give the problems, rows and runners of `tree_cases.py`."""
    spec = importlib.util.spec_from_file_location("tree_cases", Path(__file__).with_name("tree_cases.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
