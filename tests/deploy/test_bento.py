import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from engine.deploy.bento import DEPLOYMENT, SERVICE, Packaged
from engine.deploy.requirements import requirements, with_hashes
from engine.errors import BundleError, EngineError, GateError, RecipeError
from engine.runs.bundle import load_bundle
from engine.runs.manifest import read_verified

TAG = "tiny_income:20261122-181213-0a1b2c3d"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty home, so that what BentoML leaves there is seen."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def packaged(bundle_folder: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """Give the tiny bundle, packaged once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        return DEPLOYMENT.package(bundle_folder, tmp_path_factory.mktemp("packaged") / "bentos")


@pytest.mark.slow
def test_what_package_writes(packaged: Packaged, home: Path) -> None:
    """A folder and an archive named by name and version, nothing beside them, no store in the user's home."""
    output = packaged.folder.parent
    name = "tiny_income-20261122-181213-0a1b2c3d"
    assert packaged == Packaged(output / name, output / f"{name}.bento", TAG)
    assert sorted(path.name for path in output.iterdir()) == [name, f"{name}.bento"]
    assert not (home / "bentoml").exists()


@pytest.mark.slow
def test_bento_is_self_contained(packaged: Packaged, bundle_folder: Path) -> None:
    """The Bento holds the whole bundle, the constant service file, the engine's source and a Dockerfile."""
    source = packaged.folder / "src"
    assert read_verified(source / "bundle") == read_verified(bundle_folder)
    assert (source / "service.py").read_text() == SERVICE
    assert (source / "engine" / "deploy" / "door.py").exists()
    dockerfile = (packaged.folder / "env" / "docker" / "Dockerfile").read_text()
    assert "FROM python:3.11-slim" in dockerfile
    assert "ENV BENTOML_HOST=$BENTOML_HOST" in dockerfile
    assert packaged.folder.stat().st_mode & 0o777 == 0o755
    assert "- `age`: integer" in (packaged.folder / "README.md").read_text()


@pytest.mark.slow
def test_archive_is_the_folder(packaged: Packaged) -> None:
    """The archive holds the same files with the same content, and no links."""
    with tarfile.open(packaged.archive) as archive:
        members = [member for member in archive.getmembers() if not member.isdir()]
        assert all(member.isreg() for member in members)
        packed = {}
        for member in members:
            content = archive.extractfile(member)
            assert content is not None
            packed[member.name.removeprefix("./")] = content.read()
    folder = {
        str(path.relative_to(packaged.folder)): path.read_bytes()
        for path in packaged.folder.rglob("*")
        if path.is_file()
    }
    assert packed == folder


@pytest.mark.slow
def test_the_same_run_gives_the_same_bytes(packaged: Packaged, bundle_folder: Path, tmp_path: Path) -> None:
    """Packaged again, elsewhere and later, the folder and the archive have the same bytes, and the run's time."""
    again = DEPLOYMENT.package(bundle_folder, tmp_path / "again")
    assert again.archive.read_bytes() == packaged.archive.read_bytes()
    for path in packaged.folder.rglob("*"):
        if path.is_file():
            assert (again.folder / path.relative_to(packaged.folder)).read_bytes() == path.read_bytes(), path
    assert "creation_time: '2026-11-22T18:12:13+00:00'" in (again.folder / "bento.yaml").read_text()
    with tarfile.open(again.archive) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {
        (0, 0, "", 1_795_371_133)
    }
    assert [member.name for member in members[1:]] == sorted(member.name for member in members[1:])


def test_hashes_are_of_the_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip can't tell is told as such, with the command that does without."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EngineError) as caught:
        with_hashes(["msgspec==0.22.0"])
    assert caught.value.messages[0].what.startswith("pip could not tell the hashes of the requirements: ")
    assert caught.value.messages[0].try_ == "the same command without --hashes"


@pytest.mark.slow
def test_no_pickle_inside(packaged: Packaged) -> None:
    """No file of the Bento is a pickle, by its name or by its first bytes, and none is compiled."""
    allowed = {".py", ".json", ".onnx", ".parquet", ".yaml", ".md", ".txt", ".in", ".sh", ""}
    for path in packaged.folder.rglob("*"):
        if path.is_file():
            assert path.suffix in allowed, path
            # A pickle of protocol 2 and above begins with PROTO; skops and torch files are zip archives.
            assert not re.match(rb"\x80[\x02-\x05]", path.read_bytes()), path
            assert not path.read_bytes().startswith(b"PK\x03\x04"), path


@pytest.mark.slow
def test_openapi_names_the_columns(packaged: Packaged) -> None:
    """The Bento's API page, as it lies on disk, shows the recipe's columns."""
    page = (packaged.folder / "apis" / "openapi.yaml").read_text()
    assert "at the census" in page
    assert "x-units: years" in page


@pytest.mark.slow
def test_requirements_are_pinned_and_few(packaged: Packaged) -> None:
    """Each requirement is pinned to one version, BentoML among them, and training's libraries are not there."""
    lines = (packaged.folder / "env" / "python" / "requirements.txt").read_text().split()
    names = [re.fullmatch(r"([A-Za-z0-9._-]+)==[0-9][^=]*", line)[1] for line in lines]  # type: ignore[index]
    assert len(set(names)) == len(names)
    assert {"bentoml", "onnxruntime", "polars", "msgspec", "pydantic", "uvloop", "httptools"} <= set(names)
    training = {
        "torch",
        "scikit-learn",
        "lightgbm",
        "xgboost-cpu",
        "ray",
        "pandera",
        "hydra-core",
        "skops",
        "scipy",
    }
    assert not training & set(names)


def test_estimator_needs_its_library() -> None:
    """A bundle with an estimator in skops' format brings scikit-learn, and what that needs."""
    names = {line.partition("==")[0] for line in requirements(estimator=True)}
    assert {"scikit-learn", "skops", "scipy", "joblib", "threadpoolctl"} <= names


@contextmanager
def bento_serving(packaged: Packaged, home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Serve a Bento as BentoML does by itself, in its own processes."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bentoml", "serve", str(packaged.folder), "--port", str(port)],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process, port
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
        process.stdout.close()


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    """Return the status and the body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers={"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_ready(process: subprocess.Popen[str], port: int) -> None:
    """Return when `/readyz` answers 200."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if ask(port, "GET", "/readyz")[0] == 200:
                return
        except OSError:
            pass
        if process.poll() is not None:
            assert process.stdout is not None
            pytest.fail(process.stdout.read())
        time.sleep(0.2)
    pytest.fail("the Bento is not ready")


@pytest.mark.slow
def test_bento_serves_what_the_bundle_predicts(
    packaged: Packaged, tiny: ModuleType, bundle_folder: Path, tmp_path: Path
) -> None:
    """`bentoml serve` of the built Bento, from its own source, on loopback, answers as the bundle, ends at SIGTERM."""
    import psutil

    frame = tiny.tiny_frame(50, seed=11)
    rows = [{**row, "since": row["since"].isoformat()} for row in frame.drop("person").iter_rows(named=True)]
    with bento_serving(packaged, tmp_path) as (process, port):
        wait_ready(process, port)
        status, body = ask(port, "POST", "/predict", json.dumps({"records": rows}))
        assert status == 200
        given = [each["probabilities"][">50K"] for each in json.loads(body)["predictions"]]
        expected = load_bundle(bundle_folder).predict(frame)["probability_>50K"].to_list()
        assert given == pytest.approx(expected, rel=0, abs=1e-12)
        assert ask(port, "POST", "/predict", '{"records": [{}]}')[0] == 422
        assert b'endpoint="/predict"' in ask(port, "GET", "/metrics")[1]
        parent = psutil.Process(process.pid)
        listening = {
            each.laddr.ip
            for one in (parent, *parent.children(recursive=True))
            for each in one.net_connections(kind="inet")
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port
        }
        assert listening == {"127.0.0.1"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.mark.slow
def test_serving_loads_only_what_is_required(packaged: Packaged, tmp_path: Path) -> None:
    """Every package that answering loads, in the Bento's own source, is among the Bento's requirements."""
    code = (
        "import sys, json, asyncio; sys.path.insert(0, sys.argv[1])\n"
        "import service\n"
        "from engine.deploy.door import Door\n"
        "import engine; assert engine.__file__.startswith(sys.argv[1])\n"
        "service.service.to_asgi(); import uvicorn, uvloop, httptools\n"
        "from importlib.metadata import packages_distributions\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "known = packages_distributions()\n"
        "print(json.dumps(sorted({d.lower().replace('_', '-') for t in tops for d in known.get(t, [])})))\n"
    )
    environment = os.environ | {"BENTOML_HOME": str(tmp_path), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    source = packaged.folder / "src"
    ended = subprocess.run(
        [sys.executable, "-B", "-c", code, str(source)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    loaded = set(json.loads(ended.stdout))
    lines = (packaged.folder / "env" / "python" / "requirements.txt").read_text().split()
    # What an interpreter may load at its start, whatever is asked of it, by files in its site-packages.
    always = {"setuptools", "pip", "declarative-engine"}
    assert loaded - {line.partition("==")[0] for line in lines} - always == set()


@pytest.mark.slow
def test_changed_bento_does_not_start(packaged: Packaged, tmp_path: Path) -> None:
    """A Bento whose model was changed after packaging ends before it listens, and says which file."""
    import shutil

    copied = Path(shutil.copytree(packaged.folder, tmp_path / "bento"))
    model = copied / "src" / "bundle" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with bento_serving(Packaged(copied, packaged.archive, TAG), tmp_path) as (process, _):
        assert process.wait(timeout=60) != 0
        assert process.stdout is not None
        assert "model.onnx\n  this file's SHA-256 is not the one in the manifest" in process.stdout.read()


def test_missed_gates_are_not_packaged(tiny: ModuleType, tmp_path: Path) -> None:
    """A bundle whose gates were missed is refused with exit code 4, and nothing is written."""
    folder = tiny.write_tiny(tmp_path / "bundle", missed=("roc_auc",))
    with pytest.raises(GateError) as caught:
        DEPLOYMENT.package(folder, tmp_path / "bentos")
    assert caught.value.exit_code == 4
    assert not (tmp_path / "bentos").exists()


def test_skewed_bundle_is_not_packaged(tiny: ModuleType, tmp_path: Path) -> None:
    """A bundle that no longer predicts its golden rows is refused, and nothing is written."""
    import polars as pl

    rows = tiny.tiny_frame(16).drop("person")
    stored = tiny.tiny_predictions(rows, task="classification", target=tiny.TINY_TARGET)
    shifted = stored.with_columns(pl.col("probability_>50K") + 1e-3)
    folder = tiny.write_tiny(tmp_path / "bundle", golden=rows.hstack(shifted))
    with pytest.raises(BundleError, match="golden rows are not predicted as stored"):
        DEPLOYMENT.package(folder, tmp_path / "bentos")
    assert not (tmp_path / "bentos").exists()


@pytest.mark.slow
def test_packaged_is_never_written_over(packaged: Packaged, bundle_folder: Path) -> None:
    """Packaging the same run to the same place again is refused, and what stands there stays."""
    before = packaged.archive.read_bytes()
    with pytest.raises(RecipeError) as caught:
        DEPLOYMENT.package(bundle_folder, packaged.folder.parent)
    assert str(caught.value) == (
        f"command line: -o\n  {packaged.folder} exists already and is never written over\n"
        "  try: engine package RUN -o OTHER_FOLDER"
    )
    assert packaged.archive.read_bytes() == before


def test_service_file_is_a_constant() -> None:
    """The service file is a constant: it names no run, no path and no column."""
    assert compile(SERVICE, "service.py", "exec")
    assert (
        SERVICE.splitlines()[0] == '"""Serves the bundle beside this file; the same file in every Bento."""'
    )
