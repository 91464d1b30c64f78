"""What a record and an answer look like, as pydantic models, for BentoML's OpenAPI pages.

They describe and never decide: what is taken is decided by the schema's own decoder, in the door.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from engine.data.schema import Column
from engine.runs.bundle import Bundle

_TYPES: dict[str, type] = {
    "float64": float,
    "int64": int,
    "boolean": bool,
    "string": str,
    "datetime": dt.datetime,
}
_CONFIG = ConfigDict(extra="forbid", protected_namespaces=(), populate_by_name=False)


def request_model(bundle: Bundle) -> type[BaseModel]:
    """Return the model of a request: `records`, each with a field for every feature, by the column's name."""
    fields: dict[str, Any] = {
        f"column_{index}": _field(column) for index, column in enumerate(bundle.schema.features)
    }
    record = create_model("Record", __config__=_CONFIG, **fields)
    lists: dict[str, Any] = {
        name: (list[kind], Field(alias=field.alias))  # type: ignore[valid-type]
        for name, (kind, field) in fields.items()
    }
    columns = create_model("Columns", __config__=_CONFIG, **lists)
    most = bundle.limits.max_records
    records: Any = (
        list[record],
        Field(default=[], max_length=most, description="Rows to predict, answered in the same order."),
    )
    by_column: Any = (
        columns | None,
        Field(default=None, description="The same rows the other way, in place of `records`."),
    )
    either = _CONFIG | {
        "json_schema_extra": {"oneOf": [{"required": ["records"]}, {"required": ["columns"]}]}
    }
    return create_model("Request", __config__=either, records=records, columns=by_column)


def answer_model(bundle: Bundle) -> type[BaseModel]:
    """Return the model of an answer: a model, never a bare list, which BentoML is slow to write."""
    classes = bundle.target.classes
    fields: dict[str, Any] = {"prediction": (type(classes[0]) if classes else float, ...)}
    if classes:
        of_class: dict[str, Any] = {
            f"class_{index}": (float, Field(alias=name, ge=0, le=1))
            for index, name in enumerate(bundle.target.class_names)
        }
        fields["probabilities"] = (create_model("Probabilities", __config__=_CONFIG, **of_class), ...)
    if classes and bundle.limits.abstain_below is not None:
        fields["prediction"] = (type(classes[0]) | None, ...)
        fields["abstained"] = (bool, ...)
    prediction = create_model("Prediction", __config__=_CONFIG, **fields)
    return create_model(
        "Answer",
        __config__=_CONFIG,
        model_version=(str, ...),
        predictions=(list[prediction], ...),
    )


def _field(column: Column) -> Any:
    kind: Any = _TYPES[column.storage]
    extra = {
        "minimum": column.min,
        "maximum": column.max,
        "enum": list(column.values) if column.values is not None else None,
        "pattern": column.pattern,
        "maxLength": column.max_length,
        "x-units": column.units or None,
        "x-type": column.type,
        "nullable": True if column.nullable else None,
    }
    known: dict[str, Any] = {key: value for key, value in extra.items() if value is not None}
    return (
        kind | None if column.nullable else kind,
        Field(
            alias=column.name,
            title=column.name,
            description=column.description or None,
            json_schema_extra=known,
        ),
    )
