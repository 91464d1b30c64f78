"""The three things a person reads are written whole, the same each time, and cheaply."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.errors import EngineError
from engine.report import render

Facts = dict[str, dict]
DOCUMENTS = [f"{name}.{form}" for name in ("card", "datasheet") for form in ("md", "html", "json")]
Write = Callable[..., Path]


def files(folder: Path) -> dict[str, bytes]:
    """Return what rendering wrote, by path."""
    pages = [folder / name for name in ("report.html", *DOCUMENTS)]
    found = [*pages, *sorted((folder / "figures").iterdir())]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_same_folder_same_bytes(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Equal files give equal bytes, in another folder and when rendered again."""
    first, second = (write_run(binary, binary_rows, folder=name) for name in ("one", "two"))
    render(first)
    render(second)
    once = files(first)
    render(first)
    assert once == files(first) == files(second)
    assert len(once) == 15


def test_nothing_else_is_left(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Rendering leaves its own files and no half-written ones."""
    folder = write_run(binary, binary_rows)
    before = {path.name for path in folder.iterdir()}
    render(folder)
    assert {path.name for path in folder.rglob("*") if path.name.startswith(".")} == set()
    assert {path.name for path in folder.iterdir()} - before == {"report.html", *DOCUMENTS, "figures"}


def test_page_is_small(write_run: Write, multiclass: Facts, rows_of: Callable) -> None:
    """A page of many columns, classes and rows stays under 2 MB."""
    classes = [f"class {k}" for k in range(200)]
    multiclass["facts"]["target"]["classes"] = classes
    multiclass["data"]["columns"] *= 100
    folder = write_run(multiclass, rows_of("kind", classes, 5000))
    render(folder)
    assert (folder / "report.html").stat().st_size < 2_000_000


def test_broken_facts_are_an_error(write_run: Write, binary: Facts) -> None:
    """A broken file is an error before anything is written."""
    folder = write_run(binary, None)
    (folder / "metrics.json").write_text("{")
    with pytest.raises(EngineError):
        render(folder)
    assert not (folder / "report.html").exists()


def test_no_plotting_library_is_loaded(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Pictures and page cost no import of a plotting, template or learning library."""
    folder = write_run(binary, binary_rows)
    heavy = ("matplotlib", "jinja2", "sklearn", "scipy", "pandas", "torch", "onnx", "hydra", "rich")
    code = (
        "import sys, pathlib; from engine.report import render; render(pathlib.Path(sys.argv[1]));"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
