"""What a recipe may say of the population, word for word."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from engine.data.quality.population import check_population
from engine.recipe.spec import Spec

SpecOf = Callable[..., Spec]
MakeSpec = Callable[[Mapping[str, object]], Spec]
COLUMNS = {
    "sex": {"type": "category", "values": ["f", "m"]},
    "old": {"type": "boolean"},
    "size": {"type": "number"},
    "age": {"type": "integer"},
    "note": {"type": "category", "role": "ignore"},
    "born": {"type": "datetime"},
    "y": {"type": "number"},
}


def said(population: object, spec_of: SpecOf) -> list[str]:
    """Return what is said of a population."""
    spec = spec_of(COLUMNS)
    data = spec.data.model_copy(update={"population": population})
    return [str(message) for message in check_population(spec.model_copy(update={"data": data}))]


@pytest.mark.parametrize(
    "population",
    [
        None,
        {},
        {"size": {"..1.5": 0.2, "1.5..3": 0.5, "10..": 0.1}, "age": {"18..65": 0.6}},
        {"age": {"18": 0.6}},
        {"sex": {"f": 0.51, "m": 0.49}},
        {"sex": {"f": 0.5}, "old": {"true": 0.2, "false": 0.8}},
    ],
)
def test_a_population_is_taken(population: object, spec_of: SpecOf) -> None:
    """Shares of the values that a column has, all of them or some."""
    assert said(population, spec_of) == []


@pytest.mark.parametrize(
    ("population", "expected"),
    [
        (
            {"sx": {"f": 0.5}},
            "data.population.sx\n  'sx' is not a declared column\n  did you mean 'sex'?\n  allowed: sex, old, size, age, y",
        ),
        (
            {"size": {"1": 0.5}},
            "data.population.size.1\n  '1' is no range of numbers, such as '..30', '30..60' or '60..'",
        ),
        (
            {"age": {"..30": 0.5, "60": 0.5}},
            "data.population.age.60\n  '60' is no range of numbers, such as '..30', '30..60' or '60..'",
        ),
        (
            {"age": {"..30": 0.5, "20..": 0.5}},
            "data.population.age\n  two ranges overlap: '..30' and '20..'",
        ),
        ({"size": {"..30": 2}}, "data.population.size...30\n  2 is no share: it is between 0 and 1"),
        (
            {"born": {"..30": 0.5}},
            "data.population.born\n  'born' is of type datetime, of whose values no shares can be said\n"
            "  allowed: sex, old, size, age, y",
        ),
        (
            {"note": {"a": 0.5}},
            "data.population.note\n  'note' is ignored, of whose values no shares can be said\n  allowed: sex, old, size, age, y",
        ),
        (
            {"sex": {"fm": 0.5}},
            "data.population.sex.fm\n  'fm' is none of the column's values\n  did you mean 'm'?\n  allowed: f, m",
        ),
        ({"sex": {"f": 51.0}}, "data.population.sex.f\n  51 is no share: it is between 0 and 1"),
        (
            {"sex": {"f": 0.8, "m": 0.4}},
            "data.population.sex\n  the shares sum to 1.2, and to 1 at most can they",
        ),
        ({"sex": {}}, "data.population.sex\n  no value has a share"),
    ],
)
def test_what_is_wrong_is_said(population: object, expected: str, spec_of: SpecOf) -> None:
    """Each mistake has its whole message."""
    assert said(population, spec_of)[0] == expected
