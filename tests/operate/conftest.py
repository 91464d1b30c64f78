"""A bundle, and the exchanges that a door would tell of, made by its own reader and model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.data.records import Decoder
from engine.deploy.body import reader_of
from engine.deploy.observe import Asked, Exchange
from engine.deploy.served import Served
from engine.runs.bundle import load_bundle

CHAMPION = "20260101-000000-aaaaaaaa"
JSON = {b"content-type": b"application/json"}
Ask = Callable[..., Exchange]


@pytest.fixture(scope="session")
def make_served(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Served]:
    """Give a function that loads a tiny bundle of a version."""

    def make(version: str = CHAMPION, **options: Any) -> Served:
        folder: Path = tmp_path_factory.mktemp("run") / "bundle"
        tiny.write_tiny(folder, model_version=version, **options)
        return Served(load_bundle(folder))

    return make


@pytest.fixture(scope="session")
def champion(make_served: Callable[..., Served]) -> Served:
    """Give the bundle that serves."""
    return make_served()


@pytest.fixture(scope="session")
def with_rules() -> Callable[..., Served]:
    """Give a function that returns a bundle with other rules for one column."""

    def change(served: Served, name: str, **rules: Any) -> Served:
        bundle = served.bundle
        columns = tuple(
            replace(column, **rules) if column.name == name else column for column in bundle.schema.columns
        )
        schema = replace(bundle.schema, columns=columns)
        return Served(replace(bundle, schema=schema, _decoder=Decoder(schema, null_texts=("", "?"))))

    return change


@pytest.fixture
def records(tiny: ModuleType) -> list[dict[str, Any]]:
    """Give the records of a request, with the id."""
    frame = tiny.tiny_frame(8, seed=3)
    return json.loads(frame.write_json())  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Give a function from records to the exchange that answers them."""

    def answer(
        served: Served, records: Sequence[Mapping[str, Any]], *, request_id: str = "a", moment_s: float = 1e9
    ) -> Exchange:
        body = json.dumps({"records": records}).encode()
        asked = Asked("predict", "/predict", JSON, request_id.encode(), body, is_small=True)
        rows, _ = reader_of(asked.endpoint, asked.path, asked.headers, served).read(asked.body)
        return Exchange(asked, served, moment_s, 0.25, 200, rows, served.score(rows))

    return answer
