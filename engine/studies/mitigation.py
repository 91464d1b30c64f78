"""What was done for fairness, and what it cost: the same model fitted without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Message
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Subject


@dataclass(frozen=True, slots=True)
class MitigationStudy:
    """Fits the model without `model.fairness`, where there is such and baselines are asked for."""

    name: str = "mitigation"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether there is something to compare."""
        return spec.model.fairness is not None and spec.evaluation.baselines

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Find nothing wrong: what `model.fairness` says is checked whether or not it is studied."""
        del spec, has_classes
        yield from ()

    def does(self, spec: Spec) -> str:
        """Say what is compared."""
        del spec
        return "the model without model.fairness"

    def n_fits(self, spec: Spec) -> int:
        """Return 1, and 0 where only the decision is another."""
        return 0 if spec.model.fairness is not None and spec.model.fairness.kind == "thresholds" else 1

    def look(self, subject: Subject) -> Finding:
        """Fit the model without it and compare on the test rows."""
        from engine.training.baselines import score_unmitigated

        return Finding(
            score_unmitigated(
                subject.divided,
                model=subject.judgement.test,
                fitted=subject.model.candidate,
                schema=subject.schema,
                task=subject.task,
                spec=subject.spec,
            )
        )


STUDY = MitigationStudy()
