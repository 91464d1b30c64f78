"""Composed recipes of earlier engines."""

from engine.recipe import text
from engine.recipe.find import shipped
from engine.recipe.older import complete


def test_a_stored_recipe_gets_the_keys_that_came_later() -> None:
    """What it lacks is what the base chooses, and what it says stays."""
    found = complete({"tune": {"kind": "none"}, "compute": {"threads": 3, "executor": "ray"}, "seed": 4})
    none = text.read(shipped("conf") / "tune" / "none.yaml").mapping()
    assert found["tune"] == none
    assert found["compute"] == {"threads": 3, "executor": "ray", "address": None, "memory_mib": None}
    assert found["seed"] == 4


def test_a_whole_recipe_is_left_as_it_is() -> None:
    """Keys that are there are not touched, sections that are not there are not made."""
    whole = {"governance": None, "compute": {"executor": "local", "address": "x:1", "memory_mib": 1}}
    assert complete(whole) == whole


def test_no_study_is_made_that_was_not_made_then() -> None:
    """Of whatever depth: the key that an old recipe lacks is said as the engine then did without it."""
    found = complete({"evaluation": {"depth": "quick"}})["evaluation"]
    assert isinstance(found, dict)
    assert (found["explain_rows"], found["importance_rows"], found["learning_curve"]) == (0, 0, [])
