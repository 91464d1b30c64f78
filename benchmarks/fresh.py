"""A Bento where nothing of ours is: in a new virtual environment of the Bento's own requirements alone.

`engine package --hashes`, `pip install --require-hashes`, `bentoml serve`; then golden rows are asked one by
one and must be answered as the bundle says. Exits with 1 where one is not. Needs a package index.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from serving import HERE, PYTHON, make_bundle, serving


def main() -> None:
    """Package, install, serve, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run that is there already; else penguins are run")
    parser.add_argument("--rows", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bundle = options.run.resolve() / "bundle" if options.run else make_bundle(folder, recipe="penguins")
        started = time.perf_counter()
        packaged = told(
            "-m", "engine", "package", str(bundle.parent), "-o", str(folder), "--hashes", "--json"
        )
        bento = Path(json.loads(packaged)["folder"])
        print(f"package   {time.perf_counter() - started:.0f} s")
        started = time.perf_counter()
        python = install(folder / "fresh", bento / "env" / "python" / "requirements.txt")
        print(f"install   {time.perf_counter() - started:.0f} s")
        asked = list(questions(bundle, n=options.rows))
        command = [python, "-I", "-m", "bentoml", "serve", str(bento), "--port"]
        with serving(lambda port: [*command, str(port)], folder=folder, body=asked[0][0]) as server:
            wrong = [body for body, answer in asked if not is_same(ask(server.url, body), answer)]
    print(f"answered  {len(asked)} golden rows, {len(asked) - len(wrong)} as stored")
    for body in wrong:
        print(f"differs   {body.decode()}")
    if wrong or len(asked) < options.rows:
        raise SystemExit(1)


def install(folder: Path, requirements: Path) -> str:
    """Make an environment of these requirements alone; return its interpreter."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    told(
        "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(requirements), by=python
    )
    told("-m", "pip", "check", by=python)
    found = subprocess.run(
        [python, "-I", "-c", "import engine"], cwd=folder, capture_output=True, check=False
    )
    if found.returncode == 0:
        raise SystemExit("the engine is installed there: it is to come with the Bento")
    return python


def told(*arguments: str, by: str = PYTHON) -> str:
    done = subprocess.run([by, *arguments], cwd=HERE.parent, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise SystemExit(f"this ended with {done.returncode}: {' '.join(arguments)}\n{done.stdout}")
    return done.stdout


def questions(bundle: Path, *, n: int) -> Iterator[tuple[bytes, dict[str, object]]]:
    """Yield bodies of one golden row each, and what the row must be answered with."""
    contract = json.loads((bundle / "schema.json").read_bytes())
    names = [column["name"] for column in contract["schema"]["columns"] if column["role"] == "feature"]
    for row in pl.read_parquet(bundle / "golden.parquet").head(n).iter_rows(named=True):
        record = {name: row.pop(name) for name in names}
        yield json.dumps({"records": [record]}, default=lambda moment: moment.isoformat()).encode(), row


def ask(url: str, body: bytes) -> dict[str, object]:
    """Return the one prediction of an answer, as prediction columns."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, body, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        (prediction,) = json.loads(answer.read())["predictions"]
    given = {f"probability_{name}": share for name, share in prediction.pop("probabilities", {}).items()}
    return prediction | given


def is_same(given: dict[str, object], stored: dict[str, object]) -> bool:
    """Tell whether an answer has the stored columns and values, numbers to 1e-9."""
    return given.keys() == stored.keys() and all(
        math.isclose(value, given[name], rel_tol=1e-9, abs_tol=1e-9)  # type: ignore[arg-type]
        if isinstance(value, float)
        else value == given[name]
        for name, value in stored.items()
    )


if __name__ == "__main__":
    main()
