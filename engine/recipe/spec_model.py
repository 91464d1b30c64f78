"""The part of the spec that says which model is fitted, and how its parameters are searched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from engine.recipe.strict import Scalar, Strict, as_tuple

Balance = Literal["weights", "under", "over"]
Calibration = Literal["sigmoid", "isotonic"]


class AtLeast(Strict):
    """The least value of a ratio between groups."""

    min: float = Field(gt=0, le=1, description="the least that the lowest is of the highest", examples=[0.85])


class AtMost(Strict):
    """The largest value of a difference between groups."""

    max: float = Field(
        gt=0, le=1, description="the most that the highest is above the lowest", examples=[0.1]
    )


class Bounds(Strict):
    """What groups are kept to, each as the gate of that name measures it."""

    demographic_parity_ratio: AtLeast | None = Field(
        None, description="of the shares decided positive", examples=[{"min": 0.85}]
    )
    demographic_parity_difference: AtMost | None = Field(
        None, description="of the shares decided positive", examples=[{"max": 0.1}]
    )
    equalized_odds_ratio: AtLeast | None = Field(
        None, description="of true and of false positive rates", examples=[{"min": 0.8}]
    )
    equalized_odds_difference: AtMost | None = Field(
        None, description="of true and of false positive rates", examples=[{"max": 0.1}]
    )

    @property
    def limits(self) -> dict[str, float]:
        """The limit of each measure that has one: the least of a ratio, the largest of a difference."""
        said = ((name, getattr(self, name)) for name in Bounds.model_fields)
        return {
            name: bound.min if isinstance(bound, AtLeast) else bound.max
            for name, bound in said
            if bound is not None
        }


class FairnessSpec(Strict):
    """What is done before, in or after the fit so that groups of people are decided for more alike."""

    kind: Literal["reweigh", "sample", "adversarial", "reductions", "thresholds"] = Field(
        description="before the fit: reweigh, training rows weigh so that group and class are independent; "
        "sample, they are drawn so (Kamiran and Calders, 2012). In the fit: adversarial, the network learns "
        "to give a second one no clue to the group (Zhang et al., 2018); reductions, fits with other weights "
        "are mixed until they keep to bounds (Agarwal et al., 2018). After it: thresholds, validation rows "
        "choose one for each group that keep to bounds (Hardt et al., 2016)",
        examples=["thresholds"],
    )
    by: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...])
    ] = Field(description="the columns whose values make the groups", examples=["sex", ["sex", "race"]])
    bounds: Bounds | None = Field(
        None,
        description="thresholds and reductions alone: the gaps between groups that they keep to, on "
        "validation and on training rows; a gate on test rows is met more surely with some room",
        examples=[{"demographic_parity_ratio": {"min": 0.85}}],
    )
    strength: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="adversarial alone: how much it counts, beside the loss, that the group can't be told",
        examples=[1.0],
    )


class ModelSpec(Strict):
    """A family and its parameters, named as the library names them."""

    family: str = Field(
        description="the kind of model; `model: NAME` in defaults sets it and its params",
        examples=["lightgbm"],
    )
    estimator: str | None = Field(
        None,
        description="for the family sklearn alone: the class of scikit-learn, by its name",
        examples=["ExtraTreesClassifier"],
    )
    # An option file of the user's own may say neither: the library's defaults are a whole model.
    params: dict[str, Scalar | tuple[Scalar, ...] | dict[str, Scalar] | None] = Field(
        {},
        description="the family's own parameters, by the names of its library",
        examples=[{"num_leaves": 63}],
    )
    balance: Balance | None = Field(
        None,
        description="what evens out classes of different size, in training rows alone: weights, under (fewer "
        "rows of the others), over (rows of the rare ones repeated); null: nothing",
        examples=["weights"],
    )
    fairness: FairnessSpec | None = Field(
        None,
        description="what is done in training, in training rows alone, so that groups are decided for more "
        "alike; the report shows the scores with it and without; null: nothing",
        examples=[{"kind": "reweigh", "by": "sex"}],
    )
    calibration: Calibration | None = Field(
        None,
        description="what corrects a classifier's probabilities, by how often they came true on validation "
        "rows: sigmoid, two numbers a class (Platt, 1999); isotonic, a rising curve, for 1000 such rows or "
        "more (Zadrozny and Elkan, 2002); the threshold is chosen after it; null: nothing",
        examples=["isotonic"],
    )
    space: dict[str, str] = Field(
        {},
        description="what tuning may try for each parameter, as sweeps of Hydra's grammar",
        examples=[{"learning_rate": "tag(log, interval(0.01, 0.3))"}],
    )


class TuneSpec(Strict):
    """How parameters are searched."""

    kind: Literal["none", "grid", "random", "bayes", "asha", "pbt"] = Field(
        description="none: the params are taken as they are; grid: every combination of listed values; "
        "random: drawn from the space; bayes: drawn where trials before were good (TPE); asha: drawn at "
        "random, and stopped early where a trial is behind; pbt: a population trained side by side, in which "
        "the worst go on from the best with params a little changed",
        examples=["bayes"],
    )
    trials: Annotated[int, Field(ge=1)] | None = Field(
        description="the number of trials, the params as they stand being the first; null: all of a grid",
        examples=[60],
    )
    max_seconds: Annotated[float, Field(gt=0)] | None = Field(
        description="begin no trial after so many seconds; what is found then depends on the machine",
        examples=[600],
    )
    max_concurrent_trials: int = Field(
        ge=1,
        description="trials under way at once at most; what is proposed waits for all trials before these, "
        "however many cores there are, so that the result depends on none",
        examples=[1],
    )
    objective: Literal["validation", "folds"] = Field(
        description="the rows that score a trial: the validation part, or the folds of split kind kfold",
        examples=["folds"],
    )
    nested: bool = Field(
        description="cross-validate the whole search: it is done anew inside the training rows of each fold, "
        "and what wins there is judged on the fold, by rows that chose nothing; needs a split with folds",
        examples=[True],
    )
    finalists: int = Field(
        ge=1,
        description="the best trials that differ, of which repeats choose one; beyond them the params as "
        "they stand are always one, where there are several",
        examples=[5],
    )
    repeats: int = Field(
        ge=0,
        description="fits of each finalist with other seeds, but of a model that makes no random choice; the "
        "best mean wins; 0: the best trial",
        examples=[4],
    )
    reduction_factor: Annotated[int, Field(ge=2)] | None = Field(
        description="asha: of so many trials at a rung one goes on", examples=[4]
    )
    rungs: Annotated[int, Field(ge=1, le=10)] | None = Field(
        description="asha: how often a trial may be stopped; first after 1 / reduction_factor ** rungs of "
        "its rounds or epochs",
        examples=[2],
    )
    population: Annotated[int, Field(ge=2)] | None = Field(
        description="pbt: members; each trains one trial a generation, until there are `trials` of them",
        examples=[16],
    )
    interval: Annotated[int, Field(ge=1)] | None = Field(
        description="pbt: epochs of one generation; the model's own max_epochs and patience end nothing",
        examples=[2],
    )
    quantile: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        description="pbt: the share of members that take over weights and params, and of those they take "
        "them from",
        examples=[0.2],
    )
    perturbation: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        description="pbt: factors, by one of which a number that was taken over is multiplied",
        examples=[[0.5, 2.0]],
    )
    models: dict[str, ModelSpec] | tuple[str, ...] = Field(
        description="the options of model to search among; none: only the one that is chosen",
        examples=[["lightgbm", "xgboost"]],
    )
    space: dict[str, str] | None = Field(
        description="what is searched, in the place of the own space of each model that has such a param: "
        "sweeps in Hydra's grammar; a model that has none of them keeps its own",
        examples=[{"learning_rate": "tag(log, interval(0.001, 0.3))"}],
    )
