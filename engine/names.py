"""Registries: a short name stands for "module:attribute", imported on first use.

A recipe names what is registered here and nothing else; no dotted path from data ever reaches an import.
Adding a family, a task or a deployment is one line below; other packages add theirs by entry points.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from engine.errors import RecipeError, nearest


@dataclass(frozen=True)
class Registry:
    """Short names of one kind of thing, ours and those of installed entry points.

    Parameters
    ----------
    noun
        What an error calls one of these, such as "family".
    entry_point_group
        Group of package entry points that add names; ours win over theirs.
    """

    noun: str
    entry_point_group: str
    builtin: Mapping[str, str]
    _loaded: dict[str, object] = field(default_factory=dict, init=False, repr=False)

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        return tuple(sorted({*self.builtin, *self._third_party()}))

    def load(self, name: str) -> object:
        """Import and return what `name` stands for.

        Raises
        ------
        RecipeError
            If no such name is registered.
        """
        if name not in self._loaded:
            target = self.builtin.get(name) or self._third_party().get(name)
            if target is None:
                raise RecipeError.of(
                    f"'{name}' is not a known {self.noun}",
                    suggestion=nearest(name, self.names()),
                    allowed=self.names(),
                )
            module, _, attribute = target.partition(":")
            self._loaded[name] = getattr(importlib.import_module(module), attribute)
        return self._loaded[name]

    def _third_party(self) -> dict[str, str]:
        return _points(self.entry_point_group)


@cache
def _points(group: str) -> dict[str, str]:
    """Return what installed packages register; every one of them is read for that, so once."""
    return {point.name: point.value for point in entry_points(group=group)}


FAMILIES = Registry(
    "family",
    "engine.families",
    MappingProxyType(
        {
            "hist_gradient_boosting": "engine.models.hist_gradient_boosting:FAMILY",
            "lightgbm": "engine.models.lightgbm:FAMILY",
            "logistic": "engine.models.linear:LOGISTIC",
            "mlp": "engine.models.mlp:FAMILY",
            "random_forest": "engine.models.random_forest:FAMILY",
            "ridge": "engine.models.linear:RIDGE",
            "sgd": "engine.models.sgd:FAMILY",
            "sklearn": "engine.models.sklearn:FAMILY",
            "xgboost": "engine.models.xgboost:FAMILY",
        }
    ),
)

TASKS = Registry(
    "task",
    "engine.tasks",
    MappingProxyType(
        {
            "classification": "engine.tasks.classification:TASK",
            "regression": "engine.tasks.regression:TASK",
        }
    ),
)

DEPLOYMENTS = Registry(
    "deployment",
    "engine.deployments",
    MappingProxyType(
        {
            "bento": "engine.deploy.bento:DEPLOYMENT",
            "kubernetes": "engine.deploy.kubernetes:DEPLOYMENT",
        }
    ),
)

STUDIES = Registry(
    "study",
    "engine.studies",
    MappingProxyType(
        {
            "baselines": "engine.studies.baselines:STUDY",
            "calibration": "engine.studies.calibration:STUDY",
            "explanations": "engine.studies.explanations:STUDY",
            "importance": "engine.studies.importance:STUDY",
            "learning_curve": "engine.studies.learning_curve:STUDY",
            "mitigation": "engine.studies.mitigation:STUDY",
            "robustness": "engine.studies.robustness:STUDY",
        }
    ),
)

SOURCES = Registry(
    "format of data",
    "engine.sources",
    MappingProxyType(
        {
            "arrow": "engine.data.sources.arrow:open_arrow",
            "csv": "engine.data.sources.csv:open_csv",
            "delta": "engine.data.sources.delta:open_delta",
            "ndjson": "engine.data.sources.ndjson:open_ndjson",
            "parquet": "engine.data.sources.parquet:open_parquet",
            "remote": "engine.data.sources.remote:open_remote",
            "several": "engine.data.sources.several:open_several",
            "sql": "engine.data.sources.sql:open_sql",
        }
    ),
)
