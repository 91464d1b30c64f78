"""Starting Ray: what may fail by chance is tried again, and nothing else is."""

from __future__ import annotations

from types import ModuleType

import pytest

from engine.errors import RecipeError
from engine.tuning.ray_session import NoRayError, session


class Unlucky(ModuleType):
    """Ray's place: does not come up some times, as where a port was taken meanwhile."""

    def __init__(self, n_failures: int) -> None:
        super().__init__("ray")
        self.n_failures = n_failures
        self.n_ended = 0

    def init(self, **_: object) -> None:
        """Start, or not."""
        if self.n_failures:
            self.n_failures -= 1
            raise RuntimeError("the current node timed out during startup")

    def shutdown(self) -> None:
        """Count."""
        self.n_ended += 1

    def nodes(self) -> list[dict[str, object]]:
        """Tell of one node."""
        return [{"Alive": True, "Resources": {"CPU": 2.0}}]


def test_one_that_does_not_come_up_is_started_anew_once() -> None:
    """A second failure is told, with the way out; each try is cleared away."""
    for n_failures, n_ended in ((0, 1), (1, 2)):
        ray = Unlucky(n_failures)
        with session(ray, address=None, slots=2, threads=1, uses_gpu=False, n_bytes=0) as workers:
            assert workers.slots == 2
        assert ray.n_ended == n_ended
    ray = Unlucky(2)
    with (
        pytest.raises(NoRayError, match="timed out during startup"),
        session(ray, address=None, slots=2, threads=1, uses_gpu=False, n_bytes=0),
    ):
        raise AssertionError
    assert ray.n_failures == 0


def test_a_cluster_that_is_not_there_is_not_tried_for() -> None:
    """What a user named is told of at once."""
    ray = Unlucky(0)
    with (
        pytest.raises(RecipeError, match="no Ray cluster answers"),
        session(ray, address="127.0.0.1:1", slots=1, threads=1, uses_gpu=False, n_bytes=0),
    ):
        raise AssertionError
