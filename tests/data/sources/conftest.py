"""What the tests of sources share: real servers on loopback, and one small table in every format."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.recipe.spec_table import DataSpec

_PENGUINS = Path(__file__).parents[3] / "recipes" / "data" / "penguins.csv"
_DEBIAN = Path("/usr/lib/postgresql")


@pytest.fixture(scope="session")
def penguins() -> pl.DataFrame:
    """Give the recipe's own table of penguins, with a key."""
    return pl.read_csv(_PENGUINS).with_row_index("penguin", offset=1).cast({"penguin": pl.Int64})


@pytest.fixture(scope="session")
def data_of() -> Callable[..., DataSpec]:
    """Give a function from a path, and keys of `data`, to how a table is read."""

    def build(path: object, **keys: object) -> DataSpec:
        usual = {"format": "auto", "delimiter": ",", "decimal": ".", "encoding": "utf-8", "null_values": ()}
        return DataSpec.model_validate({"path": str(path), **usual, **keys}, strict=False)

    return build


@pytest.fixture(scope="session")
def schema_of() -> Callable[..., Schema]:
    """Give a function from columns, name to type, to a contract; the last one is the target."""
    storages = {"integer": "int64", "number": "float64", "boolean": "boolean", "datetime": "datetime"}

    def build(key: tuple[str, ...] = (), **types: str) -> Schema:
        *_, target = types
        columns = tuple(
            Column(
                name=name,
                type=type_,  # type: ignore[arg-type]
                role="target" if name == target else "feature",
                storage=storages.get(type_, "string"),  # type: ignore[arg-type]
                nullable=True,
            )
            for name, type_ in types.items()
        )
        return Schema(columns, None, "ignore", "error", key)

    return build


def _program(name: str) -> str:
    """Return a program of PostgreSQL, which Debian keeps out of the path."""
    found = shutil.which(name) or next(map(str, sorted(_DEBIAN.glob(f"*/bin/{name}"))), "")
    if not found and "CI" not in os.environ:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    assert found, f"{name} is missing, and this is CI: apt-get install postgresql"
    return found


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of a PostgreSQL server of the tests' own, on a free port of loopback, with a password."""
    initdb, server = _program("initdb"), _program("postgres")
    folder = tmp_path_factory.mktemp("postgres")
    password = folder / "password"
    password.write_text("correct-horse\n")
    # The server refuses to run as root, and must reach its folder.
    as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_other:
        for above in (folder, *folder.parents):
            if above.owner() == "root" and above != Path("/"):
                above.chmod(above.stat().st_mode | 0o011)
        shutil.chown(folder, "postgres")
        shutil.chown(password, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = folder / "cluster"
    words = ["-D", str(cluster), "-U", "tester", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"]
    subprocess.run([*as_other, initdb, *words, "--locale=C.UTF-8"], check=True, capture_output=True, cwd="/")
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [*as_other, server, "-D", str(cluster), *options], stdout=log, stderr=log, cwd="/"
    )
    url = f"postgresql://tester:correct-horse@127.0.0.1:{port}/postgres"
    try:
        _wait(port, process)
        yield url
    finally:
        # As `runuser` hands it on: the server's fast way to stop.
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail("the server does not answer")


@pytest.fixture(scope="session")
def ask(postgres: str) -> Callable[..., None]:
    """Give a function that has the server do some statements, each in a transaction of its own."""
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

    def run(*statements: str) -> None:
        for _ in range(50):
            # A server that takes connections may still be starting.
            try:
                connection = dbapi.connect(postgres, autocommit=True)
                break
            except dbapi.OperationalError:
                time.sleep(0.1)
        with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)

    return run


@pytest.fixture(scope="session")
def load(postgres: str) -> Callable[[str, pl.DataFrame], None]:
    """Give a function that writes a frame into a new table of the server, in the order of its rows."""
    from adbc_driver_postgresql import dbapi

    def write(name: str, frame: pl.DataFrame) -> None:
        with contextlib.closing(dbapi.connect(postgres)) as db, contextlib.closing(db.cursor()) as cursor:
            cursor.adbc_ingest(name, frame.to_arrow(), mode="create")
            db.commit()

    return write


def write_sqlite(path: Path, frame: pl.DataFrame, *, table: str = "penguins") -> None:
    """Write a frame as a table of an SQLite file, its columns declared."""
    words = {pl.Int64: "INTEGER", pl.Float64: "REAL", pl.String: "TEXT", pl.Boolean: "BOOLEAN"}
    columns = ", ".join(f'"{name}" {words[type(dtype)]}' for name, dtype in frame.schema.items())
    marks = ", ".join("?" * frame.width)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f'CREATE TABLE "{table}" ({columns})')
        db.executemany(f'INSERT INTO "{table}" VALUES ({marks})', frame.rows())  # noqa: S608


@pytest.fixture(scope="session")
def sqlite_of() -> Callable[..., None]:
    """Give the function that writes a frame as a table of an SQLite file."""
    return write_sqlite


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Give the address of an S3 server on loopback, with an empty bucket `tables`; the environment knows it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    said = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "correct-horse-battery",
        "AWS_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        store().create_dir("tables")
        yield address
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        server.stop()


def store():  # type: ignore[no-untyped-def] # noqa: ANN201 (pyarrow has no types)
    """Return a client of the server."""
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], allow_bucket_creation=True)


@pytest.fixture
def put(s3: str) -> Callable[[str, bytes], None]:
    """Give a function that writes an object of the bucket."""
    del s3

    def write(key: str, content: bytes) -> None:
        with store().open_output_stream(f"tables/{key}") as stream:
            stream.write(content)

    return write
