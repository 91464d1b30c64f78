"""The log holds what was asked and answered, typed by the schema, without what is sensitive."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from pydantic import ValidationError

from engine.deploy.body import reader_of
from engine.deploy.observe import Asked, Exchange
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.operate import rows
from engine.operate.aside import Aside
from engine.operate.files import Files
from engine.operate.life import logging_of
from engine.operate.log import Logging, Recorder
from engine.operate.meters import meters
from engine.recipe.spec import CacheSpec, LogSpec
from engine.recipe.strict import Strict
from engine.runs.contract import CacheFacts, LogFacts

Records = list[dict[str, Any]]
Ask = Callable[..., Exchange]
CHAMPION = "20260101-000000-aaaaaaaa"
MOST_LOGGED = {"folder": "log", "share": 1.0, "max_rows": 10**6, "max_s": 86_400.0}


def counted(outcome: str) -> float:
    """Return how many requests the log counts so far."""
    from prometheus_client import REGISTRY

    return REGISTRY.get_sample_value("engine_aside_total", {"where": "log", "outcome": outcome}) or 0.0


def to(folder: Path, **options: Any) -> Logging:
    """Return a log of every request, in files that are written at the end."""
    return Logging(folder, **{"share": 1.0, "max_rows": 10**6, "max_s": 1e6} | options)


def written(folder: Path) -> pl.DataFrame:
    """Return all that was logged of the champion."""
    return pl.read_parquet(sorted((folder / "answers" / CHAMPION).glob("*.parquet")))


def test_a_row_of_the_log(champion: Served, records: Records, ask: Ask, tmp_path: Path) -> None:
    """Each row has its time, request and answer, its id and features in their types, and no sensitive one."""
    recorder = Recorder(to(tmp_path), meters=meters())
    recorder.saw(ask(champion, records[:2], request_id="first"))
    recorder.saw(ask(champion, records[2:3], request_id="second"))
    recorder.close()
    found = written(tmp_path)
    told = champion.bundle.predict_records(records[:3])
    assert found.select(told.columns).equals(told)
    assert found["request_id"].to_list() == ["first", "first", "second"]
    assert found["request_row"].to_list() == [0, 1, 0]
    assert found["request_time"].to_list() == [datetime.fromtimestamp(1e9, UTC)] * 3
    assert found["request_seconds"].to_list() == [0.25] * 3
    assert set(found["model_version"]) == {CHAMPION}
    assert found["person"].to_list() == [row["person"] for row in records[:3]]
    assert "sex" not in found.columns
    held = {"age": pl.Int64, "hours": pl.Float64, "job": pl.String, "member": pl.Boolean}
    assert {name: found.schema[name] for name in held} == held
    assert found.schema["since"] == pl.Datetime("us")
    assert found["hours"].to_list() == [row["hours"] for row in records[:3]]


def test_a_name_that_the_log_uses_itself() -> None:
    """A column of the table that is called as one of the log's own is logged under another name."""
    own, other = pl.DataFrame({"request_id": ["a"]}), pl.DataFrame({"request_id": [1], "age": [2]})
    assert rows.beside(own, other).columns == ["request_id", "input_request_id", "age"]


def test_requests_of_every_form(champion: Served, records: Records, tmp_path: Path) -> None:
    """Records, columns, tensors and tables are logged alike, with their ids where they have them."""
    names = list(records[0])
    columns = {name: [row[name] for row in records] for name in names}
    kinds = {"age": "INT64", "hours": "FP64", "member": "BOOL", "person": "INT64"}
    tensors = [
        {"name": name, "shape": [8], "datatype": kinds.get(name, "BYTES"), "data": cells}
        for name, cells in columns.items()
    ]
    frame = pl.DataFrame(columns).with_columns(pl.col("since").str.to_datetime(time_unit="us"))
    table = io.BytesIO()
    frame.write_parquet(table)
    bodies: list[tuple[str, bytes, bytes]] = [
        ("predict", b"application/json", json.dumps({"records": records}).encode()),
        ("predict", b"application/json", json.dumps({"columns": columns}).encode()),
        ("infer", b"application/json", json.dumps({"inputs": tensors}).encode()),
        ("predict", b"application/vnd.apache.parquet", table.getvalue()),
    ]
    recorder = Recorder(to(tmp_path), meters=meters())
    for endpoint, kind, body in bodies:
        asked = Asked(endpoint, "/v2/models/tiny_income/infer", {b"content-type": kind}, b"a", body, True)
        read, _ = reader_of(endpoint, asked.path, asked.headers, champion).read(body)
        recorder.saw(Exchange(asked, champion, 1e9, 0.1, 200, read, champion.score(read)))
    recorder.close()
    found = written(tmp_path)
    parts = [found.slice(8 * part, 8) for part in range(4)]
    assert found.height == 32
    assert parts[0]["person"].to_list() == columns["person"]
    assert all(part.equals(parts[0]) for part in parts[1:])


def test_a_request_without_ids(champion: Served, records: Records, ask: Ask, tmp_path: Path) -> None:
    """An id that a request has not is null, whatever the requests beside it have."""
    recorder = Recorder(to(tmp_path), meters=meters())
    without = {name: cell for name, cell in records[0].items() if name != "person"}
    recorder.saw(ask(champion, [records[0]]))
    recorder.saw(ask(champion, [without]))
    recorder.close()
    assert written(tmp_path)["person"].to_list() == [records[0]["person"], None]


def test_files_are_turned_by_rows(champion: Served, records: Records, ask: Ask, tmp_path: Path) -> None:
    """A file is whole and named when it has its rows; the rest is written at the end."""
    files = Files(tmp_path / "log", max_rows=2, max_s=1e6, done=print, drop=print)
    frame = rows.requests([ask(champion, records[:2])])
    files.add(frame, n_requests=1)
    files.add(frame[:1], n_requests=1)
    assert files.look()
    assert [pl.read_parquet(file).height for file in sorted((tmp_path / "log").iterdir())] == [2]
    files.write()
    assert [pl.read_parquet(file).height for file in sorted((tmp_path / "log").iterdir())] == [2, 1]
    assert not files.look()


def test_files_are_turned_by_age(champion: Served, records: Records, ask: Ask, tmp_path: Path) -> None:
    """A row that has waited its seconds is written, be it alone."""
    files = Files(tmp_path / "log", max_rows=100, max_s=0.0, done=print, drop=print)
    files.add(rows.requests([ask(champion, records[:1])]), n_requests=1)
    assert not files.look()
    assert len(list((tmp_path / "log").iterdir())) == 1


def test_a_full_queue_drops_and_counts(champion: Served, records: Records, ask: Ask, tmp_path: Path) -> None:
    """What finds no room is counted and never waited for; what had room is written."""
    recorder = Recorder(to(tmp_path), meters=meters())
    exchange = ask(champion, records[:1])
    dropped, done = counted("dropped"), counted("done")
    began = time.monotonic()
    for _ in range(11_000):
        recorder.saw(exchange)
    assert time.monotonic() - began < 5
    recorder.close()
    assert counted("dropped") - dropped >= 11_000 - 5_000 - 1024
    assert counted("dropped") - dropped + counted("done") - done == 11_000
    assert written(tmp_path).height == counted("done") - done


def test_a_disk_that_refuses(
    champion: Served, records: Records, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows that can't be written are counted as dropped and told, and the next ones are tried again."""
    (tmp_path / "answers").write_text("a file where a folder should be")
    recorder = Recorder(to(tmp_path), meters=meters())
    dropped = counted("dropped")
    recorder.saw(ask(champion, records[:1]))
    with caplog.at_level(logging.ERROR, "engine.serve"):
        recorder.close()
    assert counted("dropped") - dropped == 1
    assert "the rows of 1 requests can't be written to" in caplog.text


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """What breaks off while it is written, which is no OSError, is counted as dropped and leaves no file."""
    write = """
import resource, sys
from pathlib import Path
import polars as pl
from engine.operate.files import Files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
told = {"done": lambda n: print("done", n), "drop": lambda n: print("dropped", n)}
files = Files(Path(sys.argv[1]), max_rows=1, max_s=1e6, **told)
files.add(pl.DataFrame({"a": range(10_000)}), n_requests=3)
files.add(pl.DataFrame({"a": [1]}), n_requests=1)
"""
    ended = subprocess.run(
        [sys.executable, "-c", write, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.stdout.splitlines() == ["dropped 3", "done 1"]
    assert "the rows of 3 requests can't be written to" in ended.stderr
    assert [file.suffix for file in tmp_path.iterdir()] == [".parquet"]


def test_a_queue_is_full_of_tables(champion: Served, ask: Ask, records: Records) -> None:
    """What a small body was read into takes room, which is free again once it is worked off."""
    small = ask(champion, records[:1])
    table = pl.DataFrame({"age": pl.zeros(600_000, dtype=pl.Int64, eager=True)})
    many = small._replace(rows=Rows(table.height, table))
    wide = small._replace(rows=Rows(600_000, {"age": [None] * 600_000}))
    for large in (many, wide):
        seen: list[Exchange] = []
        aside = Aside(seen.extend, name="tables", drop=print, max_exchanges=100, period_s=0.5)
        assert aside.put(large)
        assert not aside.put(large)
        assert aside.put(small)
        while len(seen) < 2:
            time.sleep(0.01)
        assert aside.put(large)
        aside.close()
        assert len(seen) == 3


def test_a_share_is_the_same_everywhere(champion: Served, records: Records, ask: Ask, tmp_path: Path) -> None:
    """Of many ids about the share is logged, and it is the same ones by another process."""
    seen = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        recorder = Recorder(to(folder, share=0.25), meters=meters())
        for number in range(400):
            recorder.saw(ask(champion, records[:1], request_id=f"request-{number}"))
        recorder.close()
        seen.append(written(folder)["request_id"].to_list())
    assert seen[0] == seen[1]
    assert 60 < len(seen[0]) < 140


def test_two_bundles_have_files_of_their_own(
    champion: Served, make_served: Callable[..., Served], records: Records, ask: Ask, tmp_path: Path
) -> None:
    """Requests that a canary's candidate answered lie in its own folder, in one file however they alternate."""
    candidate = make_served("20260101-000001-bbbbbbbb")
    recorder = Recorder(to(tmp_path), meters=meters())
    for number in range(6):
        recorder.saw(ask((champion, candidate)[number % 2], records[:1], request_id=str(number)))
    recorder.close()
    found = {
        folder.name: [pl.read_parquet(file)["request_id"].to_list() for file in folder.iterdir()]
        for folder in (tmp_path / "answers").iterdir()
    }
    assert found == {CHAMPION: [["0", "2", "4"]], "20260101-000001-bbbbbbbb": [["1", "3", "5"]]}


@pytest.mark.parametrize("folder", ["/var/log", "../log", "log/../../x", ".hidden", "log//x", ""])
def test_a_recipe_logs_below_where_it_is_served(folder: str) -> None:
    """A recipe, which a stranger may have written, names no folder elsewhere."""
    with pytest.raises(ValidationError):
        LogSpec(folder=folder, share=1.0, max_rows=10, max_s=1.0)


@pytest.mark.parametrize(
    ("spec", "facts", "most", "beyond"),
    [
        (LogSpec, LogFacts, MOST_LOGGED, "max_rows"),
        (LogSpec, LogFacts, MOST_LOGGED, "max_s"),
        (CacheSpec, CacheFacts, {"entries": 10**6, "ttl_s": 60.0}, "entries"),
    ],
)
def test_nobody_has_a_service_hold_all(
    spec: type[Strict], facts: type[msgspec.Struct], most: dict[str, Any], beyond: str
) -> None:
    """Neither a recipe nor a bundle, either of them a stranger's, has more rows or seconds held than so many."""
    assert msgspec.to_builtins(msgspec.convert(most, facts)) == spec(**most).model_dump()
    with pytest.raises(ValidationError, match=beyond):
        spec(**most | {beyond: most[beyond] + 1})
    with pytest.raises(msgspec.ValidationError, match=beyond):
        msgspec.convert(most | {beyond: most[beyond] + 1}, facts)


def test_what_a_bundle_says_of_its_log(
    make_served: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe's log travels in the bundle; a folder of the command line takes its place, and its rules stay."""
    monkeypatch.chdir(tmp_path)
    bundle = make_served(log=LogSpec(folder="log/own", share=0.5, max_rows=7, max_s=2.0)).bundle
    assert logging_of(bundle, None) == Logging(tmp_path / "log" / "own", share=0.5, max_rows=7, max_s=2.0)
    assert logging_of(bundle, Path("/other")) == Logging(Path("/other"), share=0.5, max_rows=7, max_s=2.0)
    assert logging_of(make_served().bundle, None) is None
