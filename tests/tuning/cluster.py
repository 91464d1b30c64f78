"""What a driver must know of the cluster of two nodes that `conftest.py` starts."""

from __future__ import annotations

from dataclasses import dataclass

# Two nodes on loopback, which a driver must be told of too.
LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "ab" * 32,
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True)
class Cluster:
    """Where the cluster answers, and the process that has started its nodes."""

    address: str
    pid: int
