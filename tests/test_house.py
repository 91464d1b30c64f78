"""The rooms stand in one order, and start-up stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import engine

ENGINE = Path(__file__).resolve().parent.parent / "engine"
# From the ground up: a room imports only from rooms before it. (DESIGN: the house)
ORDER = (
    "errors", "redaction", "names", "durable", "later", "graph", "recipe", "machine", "data", "tasks", "features", "models", "evaluation",
    "training", "studies", "tuning", "runs", "governance", "report", "deploy", "operate", "mistakes", "vocabulary", "editor", "estimate", "plan", "starter", "lifecycle", "again", "__init__", "cli", "__main__",
)  # fmt: skip
HEAVY = (
    "torch",
    "ray",
    "bentoml",
    "mlflow",
    "sklearn",
    "pandas",
    "onnx",
    "onnxruntime",
    "lightgbm",
    "xgboost",
)
FILES = sorted(ENGINE.rglob("*.py"))


def room(module: str) -> str:
    """Return the room that a dotted module name belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(file: Path) -> set[str]:
    """Return the engine modules that a file imports, also inside functions and for types only."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "engine"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "engine":
            assert node.level == 0
            names = {alias.name for alias in node.names}
            if node.module != "engine":
                found.add(str(node.module))
            else:
                found |= {"engine" if name in engine.__all__ else f"engine.{name}" for name in names}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ENGINE)))
def test_imports_go_one_way(file: Path) -> None:
    """A room imports only from rooms that stand before it."""
    here = file.relative_to(ENGINE).parts[0].removesuffix(".py")
    above = {module for module in imports(file) if ORDER.index(room(module)) > ORDER.index(here)}
    # `engine/__init__.py` hands two functions on, and is a face, not a room.
    assert above == set() or here == "__init__"


def test_every_room_is_in_the_order() -> None:
    """A new room is put in the order before it is used."""
    rooms = {file.relative_to(ENGINE).parts[0].removesuffix(".py") for file in FILES}
    assert rooms <= set(ORDER)
    assert len(FILES) > 50


@pytest.mark.parametrize("library", ["hydra", "omegaconf"])
def test_only_recipe_knows_hydra(library: str) -> None:
    """Hydra and OmegaConf are imported in `recipe/` and nowhere else."""
    users = {
        file.relative_to(ENGINE).parts[0]
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == library)
        or (isinstance(node, ast.Import) and any(a.name.split(".")[0] == library for a in node.names))
    }
    assert users == {"recipe"}


def loaded(code: str) -> set[str]:
    """Return the top-level modules that are loaded after running some code in a new process."""
    script = f"import sys\n{code}\nprint(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


def test_import_engine_loads_no_library() -> None:
    """`import engine` loads nothing but the standard library."""
    assert (
        loaded("import engine") & {*HEAVY, "polars", "numpy", "pydantic", "hydra", "omegaconf", "rich"}
        == set()
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plan", "adult"], ["plan", "adult", "model=mlp"], ["options"], ["schema"]]
)
def test_plan_and_help_load_no_heavy_library(arguments: list[str]) -> None:
    """`engine plan` and `engine --help` load none of the libraries that train."""
    code = f"from engine.cli import main\nassert main({arguments!r}) == 0"
    assert loaded(code) & set(HEAVY) == set()
