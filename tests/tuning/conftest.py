"""A Ray cluster of two nodes, started once for all tests that ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from tests.tuning.cluster import LOOPBACK, Cluster

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


@pytest.fixture(scope="session")
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
