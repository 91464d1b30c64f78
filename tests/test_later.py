from __future__ import annotations

import gc
import subprocess
import sys

import pytest

SCRIPT = """\
import sys
from engine.later import lightly

with lightly():
    import numpy as np
    import polars as pl
    loaded = [name in sys.modules for name in ("numpy._core", "polars.dataframe")]
    first = np
print(loaded)
{use}
print([name in sys.modules for name in ("numpy._core", "polars.dataframe")])
"""


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("pass", "[False, False]\n[False, False]\n"),
        ("print(np.arange(3).sum(), first is np)", "[False, False]\n3 True\n[True, False]\n"),
        ("import numpy.linalg\nprint(np.linalg.norm([3, 4]))", "[False, False]\n5.0\n[True, False]\n"),
        ("print(pl.DataFrame({'a': [1]}).shape)", "[False, False]\n(1, 1)\n[False, True]\n"),
        ("import numpy\nprint(isinstance(numpy.zeros(1), np.ndarray))", "[False, False]\nTrue\n[True, False]\n"),
        ("print(hasattr(np, 'no such thing'))", "[False, False]\nFalse\n[True, False]\n"),
    ],
)  # fmt: skip
def test_a_library_is_loaded_when_it_is_used(use: str, expected: str) -> None:
    """A stand-in loads its library at the first use, and is then as good as the library."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(use=use)], capture_output=True, text=True, check=True
    )
    assert done.stdout == expected


def test_what_is_loaded_already_is_left_alone() -> None:
    """Inside of a process that uses numpy nothing changes, and garbage is collected as before."""
    import numpy as np

    from engine.later import lightly

    before = gc.get_threshold()
    with lightly():
        import numpy as inside  # noqa: ICN001 (another name, to compare)

        assert inside is np
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
