import json
import os
from pathlib import Path

import pytest

from engine.errors import BundleError
from engine.runs.manifest import BUNDLE_FILES, read_verified, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a sealed bundle of two files."""
    (tmp_path / "model.onnx").write_bytes(b"abc")
    (tmp_path / "schema.json").write_bytes(b"{}")
    write_manifest(
        tmp_path, name="n", model_version="v1", engine_version="0.1.0", recipe_sha256="0" * 64, passed=True
    )
    return tmp_path


def rewrite(folder: Path, **changes: object) -> None:
    """Change keys of the manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_manifest_holds_known_digests(folder: Path) -> None:
    """The SHA-256 of `abc` is the one of FIPS 180-2, appendix B.1, and its size is 3."""
    written = json.loads((folder / "manifest.json").read_text())
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert written["files"]["model.onnx"] == {"size": 3, "sha256": expected}
    assert list(written["files"]) == ["model.onnx", "schema.json"]


def test_equal_files_give_equal_bytes(folder: Path) -> None:
    """Writing the manifest again over the same files gives the same bytes."""
    first = (folder / "manifest.json").read_bytes()
    write_manifest(
        folder, name="n", model_version="v1", engine_version="0.1.0", recipe_sha256="0" * 64, passed=True
    )
    assert (folder / "manifest.json").read_bytes() == first


def test_verify_takes_what_was_written(folder: Path) -> None:
    """An untouched bundle verifies, and its bytes are those on the disk."""
    manifest, contents = read_verified(folder)
    assert contents == {"model.onnx": b"abc", "schema.json": b"{}"}
    assert manifest.passed
    assert manifest.missed == ()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"abd", "this file's SHA-256 is not the one in the manifest"),
        (b"abcd", "this file has 4 bytes, the manifest says 3"),
        (b"", "this file has 0 bytes, the manifest says 3"),
    ],
)
def test_changed_file_is_refused(folder: Path, content: bytes, what: str) -> None:
    """Any other content of a file is named, with what differs."""
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert str(caught.value) == f"{folder}/model.onnx\n  {what}"


def test_missing_file_is_refused(folder: Path) -> None:
    """A listed file that is gone is named."""
    (folder / "schema.json").unlink()
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert str(caught.value) == f"{folder}/schema.json\n  the manifest lists this file, and it is missing"


def test_unlisted_file_is_refused(folder: Path) -> None:
    """A file of a bundle that the manifest does not list is named."""
    (folder / "model.skops").write_bytes(b"x")
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert str(caught.value) == f"{folder}/model.skops\n  the manifest does not list this file"


def test_stranger_is_refused(folder: Path) -> None:
    """A file that no bundle has is refused whatever the manifest says, with the five facts."""
    (folder / "model.pkl").write_bytes(b"x")
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert str(caught.value) == (
        f"{folder}/model.pkl\n"
        "  'model.pkl' is no file of a bundle\n"
        "  did you mean 'model.skops'?\n"
        "  allowed: decision.onnx, golden.parquet, margin.parquet, model.onnx, model.skops, reference.json, schema.json"
    )


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo"])
def test_only_plain_files(folder: Path, kind: str) -> None:
    """A link, a folder or a pipe in a bundle is refused before it is opened."""
    path = folder / "golden.parquet"
    if kind == "symlink":
        path.symlink_to(folder / "model.onnx")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert str(caught.value) == f"{path}\n  a bundle holds plain files only: no links, no folders"


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/b", "model.pkl"])
def test_listed_paths_are_names(folder: Path, name: str) -> None:
    """A manifest that lists anything but the names of a bundle is refused."""
    rewrite(folder, files={name: {"size": 3, "sha256": "0" * 64}})
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert caught.value.messages[0].what == f"the manifest lists '{name}', which is no file of a bundle"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1}'],
    ids=["empty", "cut", "list", "not text", "deep", "incomplete"],
)
def test_broken_manifest_is_refused(folder: Path, content: bytes) -> None:
    """A manifest that can't be read is an error of ours, never of the parser."""
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match="the manifest can't be read: "):
        read_verified(folder)


def test_unknown_key_of_manifest_is_refused(folder: Path) -> None:
    """A manifest with a key of tomorrow is not half understood."""
    rewrite(folder, loader="pickle")
    with pytest.raises(BundleError, match="unknown field `loader`"):
        read_verified(folder)


def test_other_format_is_refused(folder: Path) -> None:
    """A manifest of another format says which one is read here."""
    rewrite(folder, format=2)
    with pytest.raises(BundleError, match="the manifest has format 2, this engine reads 1"):
        read_verified(folder)


def test_large_manifest_is_refused(folder: Path) -> None:
    """A manifest is bounded before it is read."""
    (folder / "manifest.json").write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(BundleError, match="the manifest is larger than 1048576 bytes"):
        read_verified(folder)


@pytest.mark.parametrize("made", [True, False])
def test_no_bundle(tmp_path: Path, made: bool) -> None:
    """A folder without a manifest, and no folder at all, are told apart from a damaged bundle."""
    folder = tmp_path / "bundle"
    what = "there is no bundle here"
    if made:
        folder.mkdir()
        what = "this folder has no manifest.json: it is not a whole bundle"
    with pytest.raises(BundleError) as caught:
        read_verified(folder)
    assert str(caught.value) == f"{folder}\n  {what}"
    assert caught.value.exit_code == 2


def test_no_pickle_may_be_listed() -> None:
    """None of the files a bundle may hold is of a kind that runs code when it is read."""
    assert {name.rpartition(".")[2] for name in BUNDLE_FILES} == {"onnx", "skops", "json", "parquet"}
