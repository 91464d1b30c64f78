"""How much of the goal's metric each column carries, on test rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Message
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Subject


@dataclass(frozen=True, slots=True)
class ImportanceStudy:
    """Shuffles each column and measures what the score loses (`evaluation.importance_rows`)."""

    name: str = "importance"

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether rows are given to it."""
        return spec.evaluation.importance_rows > 0

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Find nothing wrong: any model can be asked."""
        del spec, has_classes
        yield from ()

    def does(self, spec: Spec) -> str:
        """Say how many rows are asked."""
        return (
            f"each column shuffled among {spec.evaluation.importance_rows} rows, to see what the score loses"
        )

    def n_fits(self, spec: Spec) -> int:
        """Return 0: it asks the model that there is."""
        del spec
        return 0

    def look(self, subject: Subject) -> Finding:
        """Shuffle columns of test rows."""
        from engine.evaluation.evaluate import metrics_for
        from engine.evaluation.importance import permutation_importance

        spec = subject.spec
        test = subject.divided.test.sample(spec.evaluation.importance_rows, seed=spec.seed)
        metrics = metrics_for(spec, task=subject.task, target=subject.target)
        found = permutation_importance(
            test.frame,
            columns=subject.features,
            y=test.y,
            weights=test.weights,
            worth=test.worth,
            score=subject.model.scorer.score,
            metric=metrics[spec.goal.metric],
            confidence=spec.evaluation.confidence,
            seed=spec.seed,
        )
        return Finding(found.to_json())


STUDY = ImportanceStudy()
