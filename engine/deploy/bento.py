"""The deployment `bento`: packs a bundle into a Bento, and serves a bundle through BentoML.

A Bento is self-contained: the bundle, one constant service file, the engine's own source, and pinned
requirements. It is built in a store of its own, never in the user's.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.durable import publish_folder, writing
from engine.errors import EngineError, RecipeError

if TYPE_CHECKING:
    from engine.deploy.door import Begin
    from engine.recipe.spec import DeploySpec
    from engine.runs.bundle import Bundle

SERVICE = '''"""Serves the bundle beside this file; the same file in every Bento."""

from pathlib import Path

from engine.operate.service import create

service = create(Path(__file__).parent / "bundle")
'''
_PACKAGE = Path(__file__).resolve().parents[1]
_TAIL_LINES = 5
# BentoML and onnxruntime report their use to their makers unless told not to.
_QUIET = {"BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True, slots=True)
class Packaged:
    """What `package` wrote: a Bento's folder, its `.bento` archive, its tag `name:version`, and manifests."""

    folder: Path
    archive: Path
    tag: str
    manifests: tuple[Path, ...] = ()


class Deployment:
    """The deployment of this module, under the name `bento`."""

    name = "bento"

    def package(
        self, bundle: Path, output: Path, *, hashes: bool = False, deploy: DeploySpec | None = None
    ) -> Packaged:
        """Build a Bento of the bundle in the folder `output`, as `NAME-VERSION/` and `NAME-VERSION.bento`.

        The same bundle gives the same bytes, whoever builds it and whenever.

        Parameters
        ----------
        hashes
            Whether each requirement is pinned to the hash of its archive as well, which asks the package
            index.
        deploy
            How the recipe deploys, of which a Bento takes nothing that is not in its bundle.

        Raises
        ------
        GateError
            If the bundle's gates were missed.
        BundleError
            If a file was changed, or a golden row is not predicted as stored.
        RecipeError
            If `output` holds a Bento of this name and version already.
        EngineError
            If BentoML can't build it.
        """
        from engine.deploy.archive import moment_of, pack, settle
        from engine.deploy.tag import tag_name, tag_version
        from engine.runs.bundle import load_deployable

        loaded = load_deployable(bundle)
        name, version = tag_name(loaded.manifest.name), tag_version(loaded.model_version)
        folder, archive = output / f"{name}-{version}", output / f"{name}-{version}.bento"
        refuse_to_write_over(folder, archive)
        output.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".package-", suffix=".partial", dir=output.resolve()))
        try:
            _write_context(staging / "context", loaded)
            built = _build(staging, loaded, name=name, version=version)
            moment = moment_of(loaded.model_version)
            if hashes:
                _pin_hashes(Path(built["folder"]))
            settle(Path(built["folder"]), moment)
            with writing(archive) as file:
                pack(Path(built["folder"]), file, moment)
            publish_folder(Path(built["folder"]), folder)
        finally:
            shutil.rmtree(staging)
        return Packaged(folder, archive, built["tag"])

    def serve(
        self,
        bundle: Path,
        *,
        host: str,
        port: int,
        on_ready: Callable[[str], None] | None = None,
        find: Callable[[], Path] | None = None,
        tell: Callable[[str], None] | None = None,
        grpc_port: int | None = None,
        beside: Callable[[Bundle], Begin] | None = None,
    ) -> int:
        """Serve the bundle from this process until SIGTERM, then return 0; see `engine.deploy.server.run`.

        Parameters
        ----------
        port
            0 lets the system choose.
        on_ready
            Called once with the URL, when requests are answered; None prints it to stdout.
        find
            Returns the folder of the bundle that is to be served now, which may change; None: it doesn't.
        tell
            Hears of every bundle that takes over, or is refused.
        grpc_port
            Where the open inference protocol is spoken over gRPC as well, by the extra `grpc`.
        beside
            Returns what puts beside the door of a bundle whatever sees its requests; it may refuse.
        """
        from engine.deploy.workers import home
        from engine.runs.bundle import load_deployable

        # What may not be served is refused before BentoML is loaded, which takes longer than all else.
        loaded = load_deployable(bundle)
        begin = None if beside is None else beside(loaded)
        # A start makes many objects and leaves no garbage worth looking for; see `engine.deploy.server`.
        gc.disable()
        with home() as shared:
            # Read when BentoML is first imported: its metrics need a folder, its store is to be no one's.
            os.environ |= _QUIET | {"BENTOML_HOME": shared, "PROMETHEUS_MULTIPROC_DIR": shared}
            from engine.deploy.server import Watch, run

            watch = Watch(find, tell or _ignore) if find is not None else None
            ready = on_ready or _print_url
            run(
                loaded,
                host=host,
                port=port,
                on_ready=ready,
                watch=watch,
                grpc_port=grpc_port,
                begin=begin,
            )
        return 0


DEPLOYMENT = Deployment()


def refuse_to_write_over(*paths: Path) -> None:
    """Refuse what a package would be written to, if it is there.

    Raises
    ------
    RecipeError
        If one of the paths exists.
    """
    for path in paths:
        if path.exists():
            raise RecipeError.of(
                f"{path} exists already and is never written over",
                file="command line",
                key="-o",
                try_="engine package RUN -o OTHER_FOLDER",
            )


def _ignore(_words: str) -> None:
    """Tell nobody."""


def _print_url(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def _write_context(context: Path, bundle: Bundle) -> None:
    """Lay out what goes into the Bento: `service.py`, `bundle/` and `engine/`."""
    context.mkdir()
    (context / "service.py").write_text(SERVICE, encoding="utf-8")
    (context / "bundle").mkdir()
    for file in (*bundle.manifest.files, "manifest.json"):
        shutil.copyfile(bundle.folder / file, context / "bundle" / file)
    for source in sorted(_PACKAGE.rglob("*.py")):
        inside = source.relative_to(_PACKAGE.parent)
        if "_shipped" not in inside.parts:
            (context / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, context / inside)


def _pin_hashes(bento: Path) -> None:
    """Write the requirements of a built Bento again, BentoML's own among them, each with its hash."""
    from engine.deploy.requirements import with_hashes

    paths = [bento / "env" / "python" / name for name in ("requirements.in", "requirements.txt")]
    asked = {line for path in paths for line in path.read_text(encoding="utf-8").split()}
    lines = "".join(f"{line}\n" for line in with_hashes(sorted(asked)))
    for path in paths:
        path.write_text(lines, encoding="utf-8")


def _build(staging: Path, bundle: Bundle, *, name: str, version: str) -> dict[str, str]:
    from engine.deploy.requirements import requirements
    from engine.deploy.tag import tag_version

    asked, done = staging / "asked.json", staging / "done.json"
    options = {
        "name": name,
        "version": version,
        "description": _describe(bundle),
        "labels": {"model_version": tag_version(bundle.model_version), "task": bundle.task_name},
        "packages": requirements(estimator="model.skops" in bundle.manifest.files),
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    asked.write_text(json.dumps(options), encoding="utf-8")
    # Compiled files would end up in the Bento.
    own = {"BENTOML_HOME": str(staging / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = os.environ | _QUIET | own
    command = [sys.executable, "-m", "engine.deploy.build", str(asked), str(done)]
    context = staging / "context"
    result = subprocess.run(  # noqa: S603  our own interpreter and our own module
        command, cwd=context, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0 or not done.exists():
        tail = "\n".join(result.stderr.strip().splitlines()[-_TAIL_LINES:])
        raise EngineError.of(f"BentoML could not build the Bento:\n{tail}")
    built: dict[str, str] = json.loads(done.read_text(encoding="utf-8"))
    return built


def _describe(bundle: Bundle) -> str:
    columns = "\n".join(f"- `{column.name}`: {column.type}" for column in bundle.schema.features)
    return (
        f"# {bundle.manifest.name}\n\nPredicts `{bundle.target.name}`. "
        f"Model version `{bundle.model_version}`, recipe `{bundle.manifest.recipe_sha256[:8]}`.\n\n"
        f'`POST /predict` takes `{{"records": [...]}}`; a record has these columns:\n\n{columns}\n'
    )
