"""The model beside a constant and a linear model: what it adds to what anybody gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Message
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Subject


@dataclass(frozen=True, slots=True)
class BaselinesStudy:
    """Fits a constant and a linear model and holds the model against them (`evaluation.baselines`)."""

    name: str = "baselines"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether the recipe asks for baselines."""
        return spec.evaluation.baselines

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Find nothing wrong: every target has both."""
        del spec, has_classes
        yield from ()

    def does(self, spec: Spec) -> str:
        """Name the two."""
        return f"a constant and {'ridge' if spec.task.kind == 'regression' else 'logistic'}"

    def n_fits(self, spec: Spec) -> int:
        """Return 2."""
        del spec
        return 2

    def look(self, subject: Subject) -> Finding:
        """Fit both and score them on the test rows."""
        from engine.training.baselines import score_baselines

        own = subject.judgement.test
        return Finding(
            score_baselines(
                subject.divided, model=own, schema=subject.schema, task=subject.task, spec=subject.spec
            )
        )


STUDY = BaselinesStudy()
