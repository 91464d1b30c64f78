"""What a record and an answer look like, as pydantic models, for BentoML's OpenAPI pages.

They describe and never decide: what is taken is decided by the schema's own decoder, in the door.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from engine.data.schema import Column
from engine.deploy.reasons import PARAMETER, SCHEMA
from engine.runs.bundle import Bundle
from engine.runs.margins import has_margin

_TYPES: dict[str, type] = {
    "float64": float,
    "int64": int,
    "boolean": bool,
    "string": str,
    "datetime": dt.datetime,
}
_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_MESSAGE = {
    "type": "object",
    "description": "One mistake: where it stands, what is wrong, the nearest spelling, what is allowed.",
    "required": ["file", "line", "key", "what", "suggestion", "allowed"],
    "properties": {
        "file": {"type": "string"},
        "line": {"type": "integer", "nullable": True},
        "key": {"type": "string", "example": "records[0].age"},
        "what": {"type": "string"},
        "suggestion": {"type": "string"},
        "allowed": {"type": "array", "items": {"type": "string"}},
    },
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "messages"],
            "properties": {"code": {"type": "integer"}, "messages": {"type": "array", "items": _MESSAGE}},
        }
    },
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


def documented(spec: Mapping[str, Any], bundle: Bundle, *, tables: Iterable[str]) -> dict[str, Any]:
    """Return BentoML's OpenAPI page with what the door adds: its refusals, other formats, an example row.

    Parameters
    ----------
    spec
        As BentoML makes it; not changed.
    tables
        The content types of tables that the door takes and gives.
    """
    # By way of JSON: BentoML's statuses are numbers there.
    described: dict[str, Any] = json.loads(json.dumps(spec))
    # BentoML's own words tell whose tool it is, and no version.
    what = f"Predicts {bundle.target.name}"
    title, version = described["info"]["title"], bundle.manifest.model_version
    described["info"] = {"title": title, "version": version, "description": what}
    described["components"]["schemas"]["Error"] = _ERROR
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    predict = described["paths"]["/predict"]["post"]
    predict["description"] = f"{what} with {version}."
    answer = predict["responses"]["200"]
    asked = predict["requestBody"]["content"]
    asked["application/json"]["example"] = {"records": [_example(bundle)]}
    for kind in tables:
        asked[kind] = answer["content"][kind] = {"schema": {"type": "string", "format": "binary"}}
    predict["responses"] = {
        "200": answer,
        **{str(int(status)): {"description": status.phrase, "content": refusal} for status in _REFUSALS},
    }
    if has_margin(bundle):
        predict["parameters"] = [*predict.get("parameters", ()), PARAMETER]
        described["components"]["schemas"]["Prediction"]["properties"]["explanation"] = SCHEMA
    content = {"application/json": {"schema": {"type": "object"}}}
    told = {"description": "The columns of a record, and the limits of a request", "content": content}
    described["paths"]["/schema"] = {"get": {"responses": {"200": told}}}
    return described


def _example(bundle: Bundle) -> dict[str, Any]:
    """Return the first golden row as a record; nobody's personal data is in one."""
    row = bundle.golden.head(1).select([column.name for column in bundle.schema.features]).row(0, named=True)
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in row.items()
    }
