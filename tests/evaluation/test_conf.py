from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engine.recipe.spec import EvaluationSpec

FOLDER = Path(__file__).parents[2] / "conf" / "evaluation"


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_each_file_is_complete_and_says_what_it_is(name: str) -> None:
    """Every field is there and no other, the depth is the file's name, and the header names command and override."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    spec = EvaluationSpec.model_validate(yaml.safe_load(text))
    assert spec.depth == name
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert any(f"# run: engine run recipes/adult.yaml evaluation={name}" == line for line in header)
    assert any(line.startswith("# try: ") for line in header)
    assert any("leaves out" in line for line in header)


def test_there_are_three() -> None:
    """No file of the group goes unread by these tests."""
    assert sorted(path.stem for path in FOLDER.rglob("*.yaml")) == ["full", "quick", "standard"]
