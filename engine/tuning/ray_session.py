"""Ray for one search: one of our own, on loopback and gone when we are, or a cluster that runs already.

Everything that Ray reads of the environment, prints, or leaves behind is settled here. Ray is imported by
the first search that needs it, never before.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from engine.errors import EngineError, RecipeError
from engine.tuning import watchdog

# Read by Ray when it is imported, or inherited by the processes that it starts.
_ENVIRONMENT: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # What costs processor time and tells us nothing.
    "RAY_enable_metrics_collection": "0",
    "RAY_event_stats": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_prestart_worker_first_driver": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    # Ctrl-C is the caller's; a trial's error is in its outcome.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
# Of what answers at an address and is no Ray, Ray would tell for twenty seconds.
_JOINING: Final = {"RAY_NUM_REDIS_GET_RETRIES": "4"}
# Only with this does Ray take 127.0.0.1 as a node's address, to which every listener then binds.
_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
_KEY: Final = "compute.address"
_REACH_S: Final = 3.0
_STORE_BYTES: Final = 80 << 20
# RFC 9113, 3.4: a client's first words; a server's first frame is its settings, of type 4.
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS: Final = b"\x04"
# The path of a Unix socket has 107 bytes at most; Ray adds some sixty to its folder's.
_LONGEST_FOLDER: Final = 32


class NoRayError(EngineError):
    """No Ray of our own can be started on this machine."""


@dataclass(frozen=True)
class Workers:
    """What there is: trials side by side, and a folder that goes with the session, if that is ours."""

    slots: int
    folder: str | None


@contextlib.contextmanager
def quiet_ray(*, address: str | None, threads: int) -> Iterator[ModuleType]:
    """Import Ray and give it, with the environment that it needs for as long as the block lasts."""
    own = {**_LOOPBACK, "RAY_AUTH_TOKEN": _token(), "OMP_NUM_THREADS": str(threads)}
    given = {**_ENVIRONMENT, **(own if address is None else _JOINING)}
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment(given))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        import ray

        logging.getLogger("ray").setLevel(logging.CRITICAL)
        # Ray tells of workers that died, which are our caller's to speak of.
        set_aside(ray._private.worker, "print_to_stdstream", lambda *_, **__: None, stack)  # noqa: SLF001
        if address is None:
            # For a process that had imported Ray already.
            set_aside(ray._private.ray_constants, "ENABLE_RAY_CLUSTER", False, stack)  # noqa: SLF001
        yield ray


@contextlib.contextmanager
def session(
    ray: ModuleType, *, address: str | None, slots: int, threads: int, uses_gpu: bool, n_bytes: int
) -> Iterator[Workers]:
    """Start Ray, or join the cluster at `address`; end it, or leave that one, whatever happens.

    Parameters
    ----------
    slots
        The most trials side by side.
    n_bytes
        What the object store must hold.

    Raises
    ------
    RecipeError
        If there is no cluster to join at the address, or no node of it can hold a trial.
    NoRayError
        If one of our own does not start.
    """
    with contextlib.ExitStack() as stack:
        folder = None
        where: dict[str, Any] = {"address": address}
        if address is None:
            folder = stack.enter_context(_watched_folder())
            where = {
                "address": "local",
                "num_cpus": slots * threads,
                "include_dashboard": False,
                "object_store_memory": _STORE_BYTES + 2 * n_bytes,
                "_temp_dir": folder,
            }
            if not uses_gpu:
                where["num_gpus"] = 0
        else:
            _reach(address)
        stack.callback(ray.shutdown)
        _begin(ray, address, where)
        if address is not None:
            _need_engine(ray, address)
        room = sum(_room(node, threads, uses_gpu=uses_gpu) for node in ray.nodes() if node["Alive"])
        if room < 1:
            what = f"no node has the {threads} cores{' and the GPU' if uses_gpu else ''} that a trial needs"
            raise RecipeError.of(what, key="compute.threads", suggestion="" if uses_gpu else "1")
        yield Workers(min(slots, room), folder)


def _begin(ray: ModuleType, address: str | None, where: Mapping[str, Any]) -> None:
    """Start Ray or join a cluster; one of our own is started anew once, for it may not come up.

    Its processes draw their ports by chance, and another may have taken one.
    """
    for n_left in (0,) if address is not None else (1, 0):
        try:
            with _own_signals():
                ray.init(log_to_driver=False, logging_level="CRITICAL", **where)
        except Exception as error:
            if not n_left:
                raise _no_start(error, address) from error
            ray.shutdown()
        else:
            return


def set_aside(owner: object, name: str, value: object, stack: contextlib.ExitStack) -> None:
    """Put a value in the place of an attribute until the stack closes; one that is not there is left so."""
    if hasattr(owner, name):
        stack.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)


def _room(node: dict[str, Any], threads: int, *, uses_gpu: bool) -> int:
    has = node["Resources"]
    n = int(has.get("CPU", 0)) // threads
    return min(n, int(has.get("GPU", 0))) if uses_gpu else n


def _reach(address: str) -> None:
    """Refuse an address where no HTTP/2 is spoken, as Ray's is: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S) as line:
            line.sendall(_PREFACE)
            answer = line.recv(9)
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise _unreachable(address, why.lower()) from None
    if answer[3:4] != _SETTINGS:
        raise _unreachable(address, "something else does")


def _need_engine(ray: ModuleType, address: str) -> None:
    """Refuse a cluster whose workers can't import what they would run: each would end without a word."""
    try:
        # By its value: what has a name would be looked for in a module of ours.
        ray.get(ray.remote(num_cpus=0)(lambda: bool(__import__("engine.tuning.objective"))).remote())
    except Exception as error:
        why = _first_line(getattr(error, "cause", None) or error)
        what = f"the workers of the cluster at {address} can't import the engine: {why}"
        raise RecipeError.of(what, key=_KEY, try_="the same installation on each of its machines") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _no_start(error: Exception, address: str | None) -> EngineError:
    if address is not None:
        return _unreachable(address, _first_line(error))
    return NoRayError.of(f"Ray did not start: {_first_line(error)}", try_="compute.executor=local")


def _unreachable(address: str, why: str) -> RecipeError:
    what = f"no Ray cluster answers at {address}: {why}"
    return RecipeError.of(what, key=_KEY, try_="ray start --head, on the machine of that address")


@functools.cache
def _token() -> str:
    """Make the token of this process's sessions: Ray keeps the first that it reads."""
    return os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)


@contextlib.contextmanager
def _watched_folder() -> Iterator[str]:
    """Give a folder for a session; when the block ends, or the process, all of the session goes with it."""
    parent = tempfile.gettempdir()
    folder = tempfile.mkdtemp(prefix="ray-", dir=parent if len(parent) <= _LONGEST_FOLDER else "/tmp")  # noqa: S108 (the only short path there is)
    keeper = subprocess.Popen(  # noqa: S603 (our own file)
        [sys.executable, "-I", "-S", watchdog.__file__, folder, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with _environment({watchdog.SESSION: folder}):
            yield folder
    finally:
        keeper.communicate()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Take back the signals that the block begins to answer: a stop is the command line's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
