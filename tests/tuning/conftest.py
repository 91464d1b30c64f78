"""A Ray cluster of two nodes, started once for all tests that ask for it, and commands that leave nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.tuning.watchdog import SESSION
from tests import warm
from tests.tuning.cluster import LOOPBACK, Cluster
from tests.tuning.processes import children, is_gone, session_folder, wait_for

NODES = """
import sys
from ray.cluster_utils import Cluster
size = {"num_cpus": 1, "object_store_memory": 100 << 20}
head = {"include_dashboard": False, "temp_dir": sys.argv[1], **size}
cluster = Cluster(initialize_head=True, head_node_args=head)
cluster.add_node(**size)
print("\\n" + cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests on Ray first: one process gets all of them, so each Ray that they share is started once.

    By `--dist worksteal` the first tests go to one process, and others take from the end of what it has.
    """
    here = Path(__file__).parent
    items.sort(key=lambda item: not (item.path.parent == here and item.path.name.startswith("test_ray")))


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Give two nodes on loopback."""
    # Not of pytest, whose paths are too long for a socket's.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    nodes = subprocess.Popen(
        [sys.executable, "-c", NODES, folder],
        env={**os.environ, **LOOPBACK},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert nodes.stdout is not None
        address = next(line.strip() for line in nodes.stdout if line.startswith("127.0.0.1:"))
        yield Cluster(address, nodes.pid)
    finally:
        nodes.communicate("")
        shutil.rmtree(folder)


@pytest.fixture
def command() -> Iterator[Callable[..., warm.Command]]:
    """Give what starts `engine run`, away from Ctrl-C of these tests and from what a shared Ray has set.

    What a test leaves running, as one that fails does, is ended with its Ray.
    """
    begun: list[warm.Command] = []

    def start(*arguments: object, **environment: str) -> warm.Command:
        ours = ("RAY_", "TUNE_", "OMP_", SESSION)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        begun.append(warm.start("run", *arguments, environment={**kept, **environment}, own_session=True))
        return begun[-1]

    yield start
    for process in begun:
        if process.poll() is None:
            below, folder = children(process.pid), session_folder(process.pid)
            process.kill()
            process.wait()
            wait_for(lambda pids=below, at=folder: is_gone(pids, at))  # type: ignore[misc]
