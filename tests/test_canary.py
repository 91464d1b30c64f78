"""A canary secret, given in each way there is, is looked for in all that is written or said."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from engine.cli import main
from engine.cli.output import Watcher, print_error, print_json, print_trace
from engine.errors import EngineError
from engine.redaction import forget_secrets, keep_secret

CANARY = "canary-3141592653"
PATH = "'${oc.env:CANARY}/mixed.csv'"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: ModuleType) -> Path:
    """Write the mixed table into a folder whose name is the secret, and a recipe that knows its variable."""
    monkeypatch.setenv("CANARY", CANARY)
    monkeypatch.chdir(tmp_path)
    path: Path = mixed.write(tmp_path)
    (tmp_path / CANARY).mkdir()
    (tmp_path / "mixed.csv").rename(tmp_path / CANARY / "mixed.csv")
    path.write_text(path.read_text().replace("path: mixed.csv", f"path: {PATH}"))
    return path


def texts(file: Path) -> Iterator[bytes]:
    """Yield what a file holds: its bytes, and what is packed inside of it."""
    content = file.read_bytes()
    yield content
    if content[:4] == b"PAR1":
        frame = pl.read_parquet(io.BytesIO(content))
        yield frame.write_json().encode() + str(frame.schema).encode()
        yield str(pl.read_parquet_metadata(io.BytesIO(content))).encode()
    elif content[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                yield member.name.encode()
                inner = archive.extractfile(member) if member.isfile() else None
                yield inner.read() if inner is not None else b""
    elif content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for name in packed.namelist():
                yield name.encode() + packed.read(name)


def holders(folder: Path) -> list[str]:
    """Return the files below a folder that hold the canary, or are called so."""
    files = [file for file in folder.rglob("*") if file.is_file() and CANARY not in file.parts]
    assert files
    return [
        str(file)
        for file in files
        if CANARY in str(file.relative_to(folder)) or any(CANARY.encode() in text for text in texts(file))
    ]


def test_the_search_finds_what_is_packed(tmp_path: Path) -> None:
    """A canary inside of compressed Parquet, an archive and a zip is found."""
    pl.DataFrame({"a": [CANARY] * 50}).write_parquet(tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "plain").write_text("x" * 9000 + CANARY)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "plain", "inner")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(tmp_path / "plain", "inner")
    assert len(holders(tmp_path)) == 4


def test_a_secret_of_the_environment_is_used_and_kept_nowhere(
    recipe: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A whole life, from plan to package, leaves the canary in no file and no word."""
    for arguments in (
        ["plan", "mixed.yaml", "--origins"],
        ["plan", "mixed.yaml", "--json", "--origins"],
        [
            "run",
            "mixed.yaml",
            "evaluation=standard",
            "evaluation.bootstrap=20",
            "evaluation.importance_rows=50",
        ],
        ["run", "mixed.yaml", "--json", f"data.path={PATH}"],
        ["run", "mixed.yaml", "-m", "seed=1,2"],
        ["runs"],
        ["show", "mixed@latest"],
        ["verify", "mixed@latest"],
        ["package", "mixed@latest", "-o", "bentos"],
    ):
        assert main(arguments) == 0, arguments
    ids = sorted(path.name for path in Path("runs/mixed").iterdir())
    main(["diff", *ids[:2]])
    said = capfd.readouterr()
    assert "${oc.env:CANARY}/mixed.csv" in said.out
    assert CANARY not in said.out
    assert CANARY not in said.err
    assert len(ids) == 4
    assert len(list(Path("bentos").rglob("*.bento"))) == 1
    assert holders(recipe.parent) == []


def spoil(column: str) -> Callable[[Path], None]:
    """Return what takes a column out of the table."""
    return lambda file: pl.read_csv(file, infer_schema=False).drop(column).write_csv(file)


def put(value: bytes) -> Callable[[Path], object]:
    """Return what writes other bytes into the table's file."""
    return lambda file: file.write_bytes(value)


def remove(file: Path) -> None:
    """Take the table away, and leave one with a name that is near."""
    file.rename(file.with_name("mixd.csv"))


def fold(file: Path) -> None:
    """Put a folder in the table's place."""
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("damage", "override", "code"),
    [
        (remove, "seed=0", 3),
        (fold, "seed=0", 3),
        (spoil("size"), "seed=0", 3),
        (put(b""), "seed=0", 3),
        (put(b"a,b\n\xff\xfe,1\n"), "seed=0", 3),
        (put(b"PAR1 and no more"), "data.format=parquet", 3),
        (put(b"id,size\n1,2,3\n"), "seed=0", 3),
        (lambda _: None, "schema.columns.size.max=0", 3),
        (lambda _: None, "goal.statement='${oc.env:CANARY}'", 2),
        (lambda _: None, "name='${oc.env:CANARY} '", 2),
        (lambda _: None, "seed='${oc.env:CANARY}'", 2),
        (lambda _: None, "data.format='${data.path}'", 2),
        (lambda _: None, "runs='../${oc.env:CANARY}'", 2),
        (lambda _: None, "model=${oc.env:CANARY}", 2),
        (lambda _: None, "goal.gates={roc_auc: {min: 1}}", 4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_a_command_that_fails_does_not_say_it(
    damage: Callable[[Path], object],
    override: str,
    code: int,
    verb: str,
    recipe: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in a message, not in JSON, not in the traceback of --debug, and in no file that is left."""
    damage(recipe.parent / CANARY / "mixed.csv")
    for more in ([], ["--debug"], ["--json"]):
        ended = main([verb, "mixed.yaml", override, *more])
        assert ended == code or verb == "plan"
    said = capfd.readouterr()
    assert said.out + said.err != ""
    assert CANARY not in said.out
    assert CANARY not in said.err
    assert holders(recipe.parent) == []


def test_words_of_the_system_are_shown_with_the_name(capfd: pytest.CaptureFixture[str]) -> None:
    """An error whose words know of no secrets, its traceback and a note are printed without it."""
    keep_secret(f"/data/{CANARY}/mixed.csv", shown="${oc.env:CANARY}/mixed.csv")
    keep_secret(CANARY, shown="${oc.env:CANARY}")
    error = EngineError.of(f"/data/{CANARY}/mixed.csv: Permission denied", suggestion=f"{CANARY}/m.csv")
    print_error(error, json=False)
    print_trace(f"PermissionError: [Errno 13] Permission denied: '/data/{CANARY}/mixed.csv'\n")
    Watcher(quiet=False).noted(f"reading {CANARY}")
    print_error(error, json=True)
    print_json([{"run": CANARY, "error": error.to_json()["error"]}])
    said = capfd.readouterr()
    assert said.err == (
        "${oc.env:CANARY}/mixed.csv: Permission denied\n  did you mean '${oc.env:CANARY}/m.csv'?\n"
        "PermissionError: [Errno 13] Permission denied: '${oc.env:CANARY}/mixed.csv'\n"
        "note: reading ${oc.env:CANARY}\n"
    )
    assert said.out.count("${oc.env:CANARY}/mixed.csv: Permission denied") == 2
    assert said.out.count(CANARY) == 1
    forget_secrets()


@pytest.mark.parametrize("recipe_says", [True, False], ids=["recipe", "command line"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.password", CANARY),
        ("task.api_key", CANARY),
        ("model.params.token", CANARY),
        ("data.path", f"postgresql://ann:{CANARY}@db/table"),
        ("data.path", f"https://bucket/table.csv?signature={CANARY}"),
        ("goal.statement", f"see https://ann:{CANARY}@wiki/page"),
    ],
)
def test_a_secret_that_is_written_out_is_refused(
    recipe: Path, capfd: pytest.CaptureFixture[str], recipe_says: bool, key: str, value: str
) -> None:
    """In a key that says so or in an address, a secret enters neither by the recipe nor by the command line."""
    overrides = [] if recipe_says else [f"++{key}='{value}'"]
    if recipe_says:
        section, name = key.rsplit(".", 1)
        line = f"{{{name}: '{value}'}}"
        for part in reversed(section.split(".")):
            line = f"{part}: {line}" if part == section.split(".")[0] else f"{{{part}: {line}}}"
        kept = [text for text in recipe.read_text().splitlines() if not text.startswith(f"{section}:")]
        recipe.write_text("\n".join([*kept, line, ""]))
    for more in ([], ["--debug"], ["--json"]):
        assert main(["run", "mixed.yaml", *overrides, *more]) == 2
    assert main(["run", "mixed.yaml", "-m", "seed=1,2", *overrides]) == 2
    said = capfd.readouterr()
    assert f"{key}\n" in said.err
    assert CANARY not in said.out + said.err
    assert not Path("runs").exists()
