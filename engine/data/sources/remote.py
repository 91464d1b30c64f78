"""What lies in an S3-compatible store: objects at a URL, below it, or those that a pattern names.

Parquet is read where it lies, in the columns that are asked for; other formats are fetched first. Where the
store is and who asks it is said by the environment alone (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, cast

import polars as pl

from engine.data.find import begins_as, format_by_name, format_of
from engine.data.opened import Header, Opened, Opener
from engine.data.sources.hashed import Values
from engine.data.sources.several import Several, piece, same_format
from engine.data.sources.typed import Rows, Typed, refusing, scanned
from engine.data.table import Source
from engine.errors import DataError
from engine.names import SOURCES
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, S3FileSystem

_MAX_OBJECTS = 100_000
_BLOCK = 8 * 2**20
_CONNECT_S, _REQUEST_S = 5, 60
_N_SHOWN = 200
_HERE_ONLY = ("delta", "sql")
# The folders of what was fetched, by store, object, size and time.
_FETCHED: dict[tuple[str, str, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class _Account:
    """Who asks which store, as the environment says."""

    endpoint: str
    region: str
    key: str
    secret: str
    token: str
    is_anonymous: bool

    @classmethod
    def of_environment(cls, shown: str) -> _Account:
        """Read the AWS_… variables.

        Raises
        ------
        DataError
            If none says who asks.
        """
        said = os.environ.get
        account = cls(
            endpoint=said("AWS_ENDPOINT_URL_S3") or said("AWS_ENDPOINT_URL") or "",
            region=said("AWS_REGION") or said("AWS_DEFAULT_REGION") or "us-east-1",
            key=said("AWS_ACCESS_KEY_ID", ""),
            secret=said("AWS_SECRET_ACCESS_KEY", ""),
            token=said("AWS_SESSION_TOKEN", ""),
            is_anonymous=said("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"},
        )
        if not account.is_anonymous and not (account.key and account.secret):
            what = "the environment does not say who asks the store"
            try_ = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true"
            raise DataError.of(what, file=shown, try_=try_)
        return account

    def store(self) -> S3FileSystem:
        """Return the store, to list and to fetch from."""
        from pyarrow.fs import S3FileSystem

        who: dict[str, object] = {"anonymous": True}
        if not self.is_anonymous:
            who = {"access_key": self.key, "secret_key": self.secret}
        if self.token and not self.is_anonymous:
            who["session_token"] = self.token
        if self.endpoint:
            who["endpoint_override"] = self.endpoint
        return S3FileSystem(region=self.region, connect_timeout=_CONNECT_S, request_timeout=_REQUEST_S, **who)

    def options(self) -> dict[str, str]:
        """Return what polars is told."""
        options = {"aws_region": self.region}
        if self.is_anonymous:
            options["aws_skip_signature"] = "true"
        else:
            options |= {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}
        if self.token:
            options["aws_session_token"] = self.token
        if self.endpoint:
            options |= {
                "aws_endpoint_url": self.endpoint,
                "aws_allow_http": str(self.endpoint.startswith("http://")).lower(),
            }
        return options


@dataclass
class RemoteParquet(Typed):
    """A Parquet object, of which the footer and the columns that are asked for are read."""

    account: _Account
    info: FileInfo
    format: ClassVar[str] = "parquet"

    def dtypes(self) -> Mapping[str, pl.DataType]:
        """Return the columns and their dtypes, from the footer."""
        return self._dtypes

    @cached_property
    def _dtypes(self) -> Mapping[str, pl.DataType]:
        with refusing("Parquet", shown=self.shown):
            return dict(self._scan().collect_schema())

    def header(self) -> Header:
        """Return what the footer says."""
        with refusing("Parquet", shown=self.shown):
            n_rows = int(self._scan().select(pl.len()).collect().item())
        return self.header_of(n_bytes=int(self.info.size), n_rows=n_rows)

    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some columns in order.

        Raises
        ------
        DataError
            If the object is broken, or changes while it is read.
        """
        hashed = Values()
        known = list(self.dtypes())
        places = [known.index(name) for name in names]
        for rows in scanned(self._scan(), places, n_rows=n_rows, shown=self.shown, what="Parquet"):
            hashed.update(rows.frame)
            yield rows
        with _asking(self.shown):
            now = self.account.store().get_file_info(self.info.path)
        if (now.size, now.mtime_ns) != (self.info.size, self.info.mtime_ns):
            raise DataError.of("the object changed while it was read", file=self.shown)
        self._read = Source(self.data.path, self.format, int(now.size), hashed.hexdigest())

    def _scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(
            f"s3://{self.info.path}",
            glob=False,
            hive_partitioning=False,
            storage_options=self.account.options(),
            credential_provider=None,
        )


def open_remote(data: DataSpec, shown: str) -> Opened:
    """Open what a URL of a store names.

    Raises
    ------
    DataError
        If that is nothing, or the store does not answer.
    """
    account = _Account.of_environment(shown)
    place = data.path.partition("://")[2].strip("/")
    with _asking(shown):
        root, objects = _found(account.store(), place)
    if not objects:
        raise DataError.of(f"'{shown}' leads to no table", key="data.path")
    if len(objects) > _MAX_OBJECTS:
        raise DataError.of(f"'{shown}' leads to more than {_MAX_OBJECTS} objects", key="data.path")
    insides = [os.path.relpath(info.path, root) for info in objects]
    is_one = len(objects) == 1 and objects[0].path == place
    names = [shown] if is_one else [f"{shown} ({inside})" for inside in insides]
    opened = [_open(info, account, data, shown=name) for info, name in zip(objects, names, strict=True)]
    if is_one:
        return opened[0]
    pieces = [piece(one, inside) for one, inside in zip(opened, insides, strict=True)]
    return Several(data, shown, same_format(pieces, shown=shown))


def _found(store: S3FileSystem, place: str) -> tuple[str, list[FileInfo]]:
    """Return what the keys of all objects begin with that a place names, and these in the order of keys."""
    from pyarrow.fs import FileSelector, FileType

    parts = place.split("/")
    literal = next((at for at, part in enumerate(parts) if any(mark in part for mark in "*?[")), len(parts))
    root = "/".join(parts[:literal])
    if literal == len(parts):
        info = store.get_file_info(place)
        if info.type == FileType.File:
            return os.path.dirname(place), [info]
    listed = store.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
    found = []
    for info in listed:
        inside = PurePosixPath(os.path.relpath(info.path, root)).parts
        is_hidden = any(part.startswith((".", "_")) for part in inside)
        if info.type == FileType.File and not is_hidden and _matches(inside, parts[literal:]):
            found.append(info)
    return root, sorted(found, key=lambda info: str(info.path))


def _matches(inside: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a key is as a pattern says, part by part; `**` stands for any number of parts."""
    if not pattern:
        return True
    if pattern[0] == "**":
        rest = pattern[1:]
        return any(_matches(inside[at:], rest) for at in range(len(inside))) if rest else True
    if not inside or not fnmatchcase(inside[0], pattern[0]):
        return False
    return _matches(inside[1:], pattern[1:]) if len(pattern) > 1 else len(inside) == 1


def _open(info: FileInfo, account: _Account, data: DataSpec, *, shown: str) -> Opened:
    if not info.size:
        raise DataError.of("the object is empty (0 bytes)", file=shown)
    one = data.model_copy(update={"path": f"s3://{info.path}"})
    name = format_by_name(Path(info.path)) if data.format == "auto" else data.format
    if not name:
        with _asking(shown), account.store().open_input_file(info.path) as stream:
            name = begins_as(stream.read(min(info.size, 64)))
    if name in _HERE_ONLY:
        raise DataError.of(f"a table of format {name} is read from this machine alone", file=shown)
    if name == "parquet":
        return RemoteParquet(one, shown, account, info)
    return _fetched(info, account, one, shown=shown)


def _fetched(info: FileInfo, account: _Account, data: DataSpec, *, shown: str) -> Opened:
    """Open what was fetched of an object; a command that opens it twice fetches it once."""
    name = Path(info.path).name
    known = (account.endpoint, str(info.path), int(info.size), int(info.mtime_ns))
    path = Path(_FETCHED[known]) / name if known in _FETCHED else None
    if path is None or not path.is_file():
        if not _FETCHED:
            atexit.register(forget_fetched)
        _FETCHED[known] = _fetch(info, account, shown=shown)
        path = Path(_FETCHED[known]) / name
    here = data.model_copy(update={"path": str(path)})
    return cast("Opener", SOURCES.load(format_of(path, here)))(here, shown)


def _fetch(info: FileInfo, account: _Account, *, shown: str) -> str:
    """Fetch an object into a folder of its own, and return the folder."""
    folder = tempfile.mkdtemp(prefix="engine-fetched-")
    try:
        _refuse_full(info, folder, shown=shown)
        with (
            _asking(shown),
            account.store().open_input_stream(info.path, compression=None) as stream,
            (Path(folder) / Path(info.path).name).open("wb") as file,
        ):
            shutil.copyfileobj(stream, file, _BLOCK)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def forget_fetched() -> None:
    """Delete what was fetched; this process does it when it ends."""
    while _FETCHED:
        shutil.rmtree(_FETCHED.popitem()[1], ignore_errors=True)


def _refuse_full(info: FileInfo, folder: str, *, shown: str) -> None:
    free = shutil.disk_usage(folder).free
    if info.size > free:
        what = f"it has {info.size / 2**20:.0f} MiB, and {free / 2**20:.0f} MiB are free to fetch it into"
        raise DataError.of(what, file=shown)


@contextmanager
def _asking(shown: str) -> Iterator[None]:
    """Turn what the store, or the way to it, says into an error."""
    try:
        yield
    except OSError as error:
        why = " ".join(str(error).split())[:_N_SHOWN]
        raise DataError.of(f"the store says: {why}", file=shown) from None
