"""How a file is read for one scoring: few keys, each held against what it takes."""

from __future__ import annotations

import pytest

from engine.errors import RecipeError
from engine.recipe.rereading import Rereading, reread
from engine.recipe.spec_table import DataSpec

TRAINED = DataSpec(path="-", format="auto", delimiter=",", decimal=".", encoding="utf-8", null_values=("?",))
ALLOWED = (
    "data.format, data.delimiter, data.decimal, data.encoding, data.null_values, data.table, data.version, "
    "data.max_rows, data.max_columns, data.max_mib and 4 more"
)


def test_what_is_said_replaces_what_the_training_data_was_read_by() -> None:
    """Each key of reading is taken in Hydra's grammar; what is not said stays as it was in training."""
    assert reread(TRAINED, []) == Rereading(TRAINED)
    found = reread(TRAINED, ["data.delimiter=';'", "data.decimal=','", "data.null_values=[-,NA]"])
    expected = {"delimiter": ";", "decimal": ",", "null_values": ("-", "NA")}
    assert found == Rereading(TRAINED.model_copy(update=expected))
    assert reread(TRAINED, ["data.encoding=cp1252", "data.format=csv"]).data.null_values == ("?",)
    assert reread(TRAINED, ["schema.extra=ignore"]).leaves_out is True
    assert reread(TRAINED, ["schema.extra=error"]).leaves_out is False


@pytest.mark.parametrize(
    ("given", "executor", "address"),
    [
        ([], "local", None),
        (["compute=ray"], "ray", None),
        (["compute=cpu"], "local", None),
        (["compute.executor=ray"], "ray", None),
        (["compute=cpu", "compute.address='10.0.0.7:6379'"], "ray", "10.0.0.7:6379"),
        (["compute.executor=local", "compute.address='10.0.0.7:6379'"], "local", "10.0.0.7:6379"),
    ],
)
def test_who_scores_is_said_as_in_a_recipe(given: list[str], executor: str, address: str | None) -> None:
    """Ray scores where an option or a key says so, or a cluster is named."""
    read = reread(TRAINED, given)
    assert (read.executor, read.address) == (executor, address)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "model.params.C=1",
            "command line: model.params.C\n  'model.params.C' can't be changed after training: only how the rows are "
            f"read and where they are scored can\n  allowed: {ALLOWED}",
        ),
        (
            "data.delimitr=x",
            "command line: data.delimitr\n  'data.delimitr' can't be changed after training: only how the rows are "
            f"read and where they are scored can\n  did you mean 'data.delimiter'?\n  allowed: {ALLOWED}",
        ),
        (
            "~data.delimiter",
            "command line: data.delimiter\n  'data.delimiter' can't be changed after training: only how the rows are "
            f"read and where they are scored can\n  did you mean 'data.delimiter'?\n  allowed: {ALLOWED}",
        ),
        (
            "data.null_values=NA,-",
            "command line: data.null_values\n  'data.null_values=NA,-' has several values, and a file is scored in one "
            "way\n  try: 'data.null_values=[NA,-]'",
        ),
        (
            "data.encoding=utf8",
            "command line: data.encoding\n  'utf8' is not allowed\n  did you mean 'utf-8'?\n  allowed: utf-8, utf-16, "
            "latin-1, cp1252\n  try: engine options data.encoding",
        ),
        (
            "schema.extra=drop",
            "command line: schema.extra\n  'drop' is not allowed\n  did you mean 'ignore'?\n  allowed: error, ignore\n"
            "  try: engine options schema.extra",
        ),
        (
            "compute=rai",
            "command line: compute\n  'rai' is not an option of compute\n  did you mean 'ray'?\n"
            "  allowed: cpu, gpu, ray, small\n  try: engine options compute",
        ),
        (
            "semi.csv",
            "command line\n  'semi.csv' is not an override: it has no '='\n  try: key=value, +key=value or ~key",
        ),
    ],
)
def test_everything_else_is_refused(given: str, message: str) -> None:
    """What a finished run can't change, and what a key does not take, is said with what can be given."""
    with pytest.raises(RecipeError) as caught:
        reread(TRAINED, [given])
    assert str(caught.value) == message


def test_all_mistakes_come_in_one_report() -> None:
    """Wrong keys and wrong values are said together."""
    with pytest.raises(RecipeError) as caught:
        reread(TRAINED, ["seed=1", "data.decimal=x", "data.delimiter=ab"])
    assert [message.key for message in caught.value.messages] == ["seed", "data.delimiter", "data.decimal"]
