"""The manifest of a bundle: what every file must weigh and hash to, before any library sees its bytes.

It knows which files a bundle may hold and nothing of what is in them.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from engine.durable import write_bytes
from engine.errors import BundleError, nearest

MANIFEST = "manifest.json"
# Closed: what a bundle is made of is never chosen by the bundle's own words.
BUNDLE_FILES = frozenset(
    {
        *("model.onnx", "model.skops", "decision.onnx", "margin.parquet"),
        *("schema.json", "golden.parquet", "reference.json"),
    }
)
FORMAT = 1
MAX_MANIFEST_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file must be: its size in bytes and the SHA-256 of its content in hex."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a bundle is and what its files must be.

    `name` is the recipe's, `model_version` the run's; `passed` is the verdict of the gates, `missed`
    the names of those that were not met.
    """

    format: int
    name: str
    model_version: str
    engine_version: str
    recipe_sha256: str
    passed: bool
    missed: tuple[str, ...]
    files: dict[str, FileFacts]


def write_manifest(
    folder: Path,
    *,
    name: str,
    model_version: str,
    engine_version: str,
    recipe_sha256: str,
    passed: bool,
    missed: Sequence[str] = (),
) -> Manifest:
    """Write `manifest.json` over all the files that stand in `folder`, and return it.

    Raises
    ------
    BundleError
        If `folder` holds something that is no file of a bundle.
    """
    names = _names(folder) - {MANIFEST}
    manifest = Manifest(
        format=FORMAT,
        name=name,
        model_version=model_version,
        engine_version=engine_version,
        recipe_sha256=recipe_sha256,
        passed=passed,
        missed=tuple(missed),
        files={name: _facts(folder / name) for name in sorted(names)},
    )
    write_bytes(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def read_verified(folder: Path) -> tuple[Manifest, Mapping[str, bytes]]:
    """Return the manifest and the content of every file, each hashed as it was read.

    What is parsed afterwards are these bytes and no second reading of the files, so that nobody can put
    another file in place between the check and its use.

    Raises
    ------
    BundleError
        If a file differs, is missing, is no regular file, or is not listed.
    """
    manifest = _open(folder)
    contents = {}
    for name, expected in manifest.files.items():
        if (folder / name).stat().st_size == expected.size:
            contents[name] = (folder / name).read_bytes()
            found = FileFacts(len(contents[name]), hashlib.sha256(contents[name]).hexdigest())
        else:
            found = FileFacts((folder / name).stat().st_size, "")
        _compare(folder / name, found, expected)
    return manifest, contents


def read_listed(folder: Path, manifest: Manifest, name: str) -> bytes:
    """Return the content of one file that a manifest lists, hashed as it was read.

    Raises
    ------
    BundleError
        If it is no longer what the manifest says.
    """
    try:
        content = (folder / name).read_bytes()
    except OSError as exc:
        raise BundleError.of(f"this file can't be read: {exc.strerror}", file=str(folder / name)) from None
    found = FileFacts(len(content), hashlib.sha256(content).hexdigest())
    _compare(folder / name, found, manifest.files[name])
    return content


def _open(folder: Path) -> Manifest:
    if not folder.is_dir():
        raise BundleError.of("there is no bundle here", file=str(folder))
    names = _names(folder)
    if MANIFEST not in names:
        raise BundleError.of(f"this folder has no {MANIFEST}: it is not a whole bundle", file=str(folder))
    path = folder / MANIFEST
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise BundleError.of(f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes", file=str(path))
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BundleError.of(f"the manifest can't be read: {exc}", file=str(path)) from None
    if manifest.format != FORMAT:
        raise BundleError.of(
            f"the manifest has format {manifest.format}, this engine reads {FORMAT}", file=str(path)
        )
    _same_names(folder, names - {MANIFEST}, set(manifest.files))
    return manifest


def _names(folder: Path) -> set[str]:
    """Return the names in `folder`, all of them regular files that a bundle may hold."""
    names = set()
    for path in sorted(folder.iterdir()):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise BundleError.of("a bundle holds plain files only: no links, no folders", file=str(path))
        names.add(path.name)
    strange = sorted(names - BUNDLE_FILES - {MANIFEST})
    if strange:
        raise BundleError.of(
            f"'{strange[0]}' is no file of a bundle",
            file=str(folder / strange[0]),
            suggestion=nearest(strange[0], BUNDLE_FILES),
            allowed=sorted(BUNDLE_FILES),
        )
    return names


def _same_names(folder: Path, present: set[str], listed: set[str]) -> None:
    strange = sorted(listed - BUNDLE_FILES)
    if strange:
        raise BundleError.of(
            f"the manifest lists '{strange[0]}', which is no file of a bundle",
            file=str(folder / MANIFEST),
            allowed=sorted(BUNDLE_FILES),
        )
    for name in sorted(listed - present):
        raise BundleError.of("the manifest lists this file, and it is missing", file=str(folder / name))
    for name in sorted(present - listed):
        raise BundleError.of("the manifest does not list this file", file=str(folder / name))


def _facts(path: Path) -> FileFacts:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileFacts(size, digest.hexdigest())


def _compare(path: Path, found: FileFacts, expected: FileFacts) -> None:
    if found.size != expected.size:
        raise BundleError.of(
            f"this file has {found.size} bytes, the manifest says {expected.size}", file=str(path)
        )
    if found.sha256 != expected.sha256:
        raise BundleError.of("this file's SHA-256 is not the one in the manifest", file=str(path))
