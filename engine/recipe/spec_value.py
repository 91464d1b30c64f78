"""The part of the spec that says what decisions are worth."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from engine.recipe.strict import Strict


class Worth(Strict):
    """A row's own worth: what stands in a column of it, times a number."""

    column: str = Field(description="a column of numbers, none missing", examples=["margin"])
    times: float = Field(1.0, description="what its values are multiplied by", examples=[-0.8])


def _as_worth(value: object) -> object:
    """Take a column's name alone for that column."""
    return Worth(column=value) if isinstance(value, str) else value


Outcome = Annotated[float | Worth, BeforeValidator(_as_worth, json_schema_input_type=float | str | Worth)]


class Value(Strict):
    """What each outcome of a binary decision is worth, in `currency` a case."""

    OUTCOMES: ClassVar = ("true_positive", "false_positive", "true_negative", "false_negative")

    true_positive: Outcome = Field(
        0.0,
        description="worth of a positive case decided positive: a number, or the column that holds each "
        "row's own",
        examples=[50, "margin"],
    )
    false_positive: Outcome = Field(
        0.0, description="worth of a negative case decided positive: the same", examples=[-9]
    )
    true_negative: Outcome = Field(
        0.0, description="worth of a negative case decided negative: the same", examples=[0]
    )
    false_negative: Outcome = Field(
        0.0,
        description="worth of a positive case decided negative: the same",
        examples=[-5, {"column": "amount", "times": -0.8}],
    )
    action_cost: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="what acting costs in each case decided positive, taken off whatever its worth; gives "
        "the metric 'return_on_cost', what acting earns for each unit of cost; null: nothing",
        examples=[5],
    )
    currency: str = Field(description="what the values are counted in", examples=["EUR"])
    horizon: str | None = Field(
        None, description="the time in which the values come about, for people", examples=["12 months"]
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that say what a row is worth, each once."""
        worths = (getattr(self, outcome) for outcome in self.OUTCOMES)
        return tuple(dict.fromkeys(worth.column for worth in worths if isinstance(worth, Worth)))
