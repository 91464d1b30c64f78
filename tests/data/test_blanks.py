"""Fields of nothing but blanks are found wherever they stand, and are refused in a column of numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli import main
from engine.data.blanks import has_blank_field

_FIELD = st.sampled_from(["", " ", "  ", "\t", '" "', "1", " 1", "1 ", "a b", '"x"'])


@given(
    rows=st.lists(st.lists(_FIELD, min_size=2, max_size=3), min_size=1, max_size=4),
    delimiter=st.sampled_from(",;|\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    is_closed=st.booleans(),
)
def test_a_blank_field_is_found_wherever_it_stands(
    rows: list[list[str]], delimiter: str, end: str, *, is_closed: bool
) -> None:
    """In every place of every row, and nowhere else."""
    text = end.join(delimiter.join(row) for row in rows) + (end if is_closed else "")
    fields = [field for line in text.split(end) for field in line.split(delimiter)]
    blank = re.compile(r'[ \t]+|"[ \t]+"')
    assert has_blank_field(text.encode(), delimiter=delimiter) == any(map(blank.fullmatch, fields))


@pytest.mark.parametrize("field", [" ", '" "', "\t"])
def test_a_blank_is_no_missing_number(field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused with its row, as any text is; where it means null the recipe says so."""
    rows = [
        f"{at % 37},{field if at == 200 else at % 11},{'yes' if at * 7 % 13 > 5 else 'no'}"
        for at in range(300)
    ]
    (tmp_path / "t.csv").write_text("x,b,y\n" + "\n".join(rows) + "\n")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "defaults: [base, task: classification, model: logistic, _self_]\nname: blank\ndata: {path: t.csv}\n"
        "schema:\n  target: y\n  columns:\n    x: {type: integer}\n    b: {type: number, nullable: true}\n"
        "    y: {type: category}\n"
    )
    assert main(["plan", str(recipe), "--check-data", "--quiet"]) == 3
    assert "row 201" in capsys.readouterr().err
    declared = f'data.null_values=["{field.strip(chr(34))}"]'
    assert main(["plan", str(recipe), "--check-data", "--quiet", declared]) == 0
