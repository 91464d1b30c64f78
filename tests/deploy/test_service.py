import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.deploy.bento import DEPLOYMENT
from engine.errors import EngineError
from engine.runs.bundle import load_bundle


def records_of(frame: Any) -> list[dict[str, object]]:
    """Return the feature columns of a frame as JSON records."""
    return [{**row, "since": row["since"].isoformat()} for row in frame.drop("person").iter_rows(named=True)]


@pytest.mark.parametrize("n_rows", [1, 2, 900])
def test_answers_are_the_bundles(server: Any, tiny: ModuleType, bundle_folder: Path, n_rows: int) -> None:
    """The service answers what `Bundle.predict` gives, to 1e-12, in the order asked; 900 rows go by a thread."""
    frame = tiny.tiny_frame(n_rows, seed=n_rows)
    expected = load_bundle(bundle_folder).predict(frame)
    answer = server.post({"records": records_of(frame)})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["model_version"] == "20261122-181213-0A1B2C3D"
    predictions = answer.json["predictions"]
    assert [each["prediction"] for each in predictions] == expected["prediction"].to_list()
    for name in ("<=50K", ">50K"):
        given = [each["probabilities"][name] for each in predictions]
        assert given == pytest.approx(expected[f"probability_{name}"].to_list(), rel=0, abs=1e-12)
    assert set(predictions[0]) == {"prediction", "probabilities"}


def test_regression_answers_numbers(regression_server: Any, tiny: ModuleType) -> None:
    """A continuous target is answered with a number and nothing beside it."""
    frame = tiny.tiny_frame(5, seed=4)
    expected = [tiny.tiny_margin(row) for row in frame.iter_rows(named=True)]
    predictions = regression_server.post({"records": records_of(frame)}).json["predictions"]
    assert [list(each) for each in predictions] == [["prediction"]] * 5
    assert [each["prediction"] for each in predictions] == pytest.approx(expected, rel=0, abs=1e-12)


def test_no_records(server: Any) -> None:
    """No records are a normal case, answered with none."""
    answer = server.post({"records": []})
    assert answer.status == 200
    assert answer.json == {"model_version": "20261122-181213-0A1B2C3D", "predictions": []}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"ag": 3}, "records[1].ag"),
        ({"age": "42"}, "records[1].age"),
        ({"age": True}, "records[1].age"),
        ({"age": 42.5}, "records[1].age"),
        ({"age": 12}, "records[1].age"),
        ({"age": 91}, "records[1].age"),
        ({"age": None}, "records[1].age"),
        ({"age": 10**30}, "records[1].age"),
        ({"age": 10**400}, "records[1].age"),
        ({"hours": "9"}, "records[1].hours"),
        ({"hours": 10**400}, "records[1].hours"),
        ({"hours": False}, "records[1].hours"),
        ({"hours": -1}, "records[1].hours"),
        ({"sex": "male"}, "records[1].sex"),
        ({"sex": 1}, "records[1].sex"),
        ({"job": ["clerk"]}, "records[1].job"),
        ({"member": 2}, "records[1].member"),
        ({"member": "true"}, "records[1].member"),
        ({"since": "01/02/1990"}, "records[1].since"),
        ({"since": 5}, "records[1].since"),
    ],
    ids=str,
)
def test_wrong_field_is_422(
    server: Any, record: dict[str, object], change: dict[str, object], key: str
) -> None:
    """A field that is unknown, of another type or out of range is named by record and column."""
    answer = server.post({"records": [record, record | change]})
    assert answer.status == 422
    error = answer.json["error"]
    assert error["code"] == 422
    assert [message["key"] for message in error["messages"]] == [key]
    assert set(error["messages"][0]) == {"file", "line", "key", "what", "suggestion", "allowed"}


def test_unknown_field_gets_its_neighbour(server: Any, record: dict[str, object]) -> None:
    """A misspelt column comes back with the right spelling, and its absence is told as well."""
    del record["hours"]
    messages = server.post({"records": [record | {"hour": 40}]}).json["error"]["messages"]
    unknown = next(message for message in messages if message["key"] == "records[0].hour")
    assert unknown["suggestion"] == "hours"


def test_missing_field_is_422(server: Any, record: dict[str, object]) -> None:
    """A record without a column is refused, whatever the other records hold."""
    whole = dict(record)
    del record["age"]
    answer = server.post({"records": [whole, whole, record]})
    assert answer.status == 422
    assert answer.first["key"] == "records[2].age"


def test_unseen_category_is_the_declared_policy(
    server: Any, tiny: ModuleType, record: dict[str, object]
) -> None:
    """A category whose values the recipe does not list takes any text, and scores as unseen."""
    answer = server.post({"records": [record | {"job": "astronaut"}]})
    assert answer.status == 200
    from datetime import datetime

    margin = tiny.tiny_margin(record | {"job": "astronaut", "since": datetime(1990, 5, 1)})  # noqa: DTZ001
    from math import exp

    probability = answer.json["predictions"][0]["probabilities"][">50K"]
    assert probability == pytest.approx(1 / (1 + exp(-margin)), abs=1e-12)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ([], ""),
        ("text", ""),
        (None, ""),
        ({}, "records"),
        ({"records": None}, "records"),
        ({"records": {}}, "records"),
        ({"records": [None]}, "records[0]"),
        ({"records": [{}, 3]}, "records[1]"),
        ({"record": []}, "record"),
        ({"records": [], "extra": 1}, "extra"),
        ({"records": [{}] * 1001}, "records"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_envelope_is_422(server: Any, body: object, key: str) -> None:
    """What is no list of at most 1,000 objects under `records` is refused with the place."""
    answer = server.post(body)
    assert answer.status == 422
    assert answer.first["key"] == key


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"records": [{"age": NaN}]}',
        b'{"records": [{"age": Infinity}]}',
        b'{"records": [{"hours": 1e999}]}',
        b'{"records": [{"job": "\\ud800"}]}',
        b'{"records": [{"job": "\xff"}]}',
        b"[" * 100_000,
        b'\xef\xbb\xbf{"records": []}',
        b'{"records": []} trailing',
    ],
    ids=lambda body: repr(body[:28]),
)
def test_what_is_no_json_is_400(server: Any, body: bytes) -> None:
    """A body that strict JSON does not allow is a 400, NaN and endless nesting among them."""
    answer = server.post(body)
    assert answer.status == 400
    assert answer.json["error"]["code"] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=latin-1"},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
    ids=str,
)
def test_wrong_content_type_is_415(server: Any, headers: dict[str, str]) -> None:
    """Anything but JSON in UTF-8, as it is, is not read."""
    assert server.ask("POST", "/predict", b'{"records": []}', **headers).status == 415


def test_utf8_may_be_said(server: Any) -> None:
    """The content type may name the one charset that JSON has."""
    answer = server.ask(
        "POST", "/predict", b'{"records": []}', content_type='Application/JSON; charset="UTF-8"'
    )
    assert answer.status == 200


@pytest.mark.parametrize("n_bytes", [1024 * 1024 + 1, 3 * 1024 * 1024])
def test_large_body_is_413(server: Any, n_bytes: int) -> None:
    """A body above the bundle's limit of 1 MiB is refused, and the connection closed."""
    answer = server.post(b" " * n_bytes)
    assert answer.status == 413
    assert answer.first["what"] == "the body is larger than 1 MiB"
    assert answer.headers["connection"] == "close"


def test_body_of_the_limit_is_read(server: Any) -> None:
    """A body of exactly the limit is taken."""
    assert server.post(b'{"records": []}'.ljust(1024 * 1024)).status == 200


def test_unannounced_body_is_bounded_too(server: Any) -> None:
    """A chunked body has no announced length and the same limit."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    chunks = (b" " * 65536 for _ in range(20))
    connection.request(
        "POST", "/predict", body=chunks, headers={"content-type": "application/json"}, encode_chunked=True
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_slow_body_is_408(server: Any) -> None:
    """A client that announces a body and does not send it is let go after the timeout of 2 s."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
        slow.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        )
        started = time.monotonic()
        head = slow.recv(4096)
        assert head.startswith(b"HTTP/1.1 408")
        assert 1.5 < time.monotonic() - started < 8


def test_client_that_leaves_harms_nobody(server: Any) -> None:
    """A client that hangs up in the middle of its body leaves the service answering."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as gone:
        gone.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        )
    assert server.post({"records": []}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"), [("GET", "/predict", "POST"), ("POST", "/schema", "GET")]
)
def test_wrong_method_is_405(server: Any, method: str, path: str, allow: str) -> None:
    """Another method is refused with the one that is answered."""
    answer = server.ask(method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allow


def test_many_mistakes_are_bounded(server: Any) -> None:
    """A thousand wrong records are answered with the first fifty mistakes, and that there are more."""
    messages = server.post({"records": [{"x": 1}] * 1000}).json["error"]["messages"]
    assert len(messages) == 51
    assert messages[-1]["what"] == "more than 50 mistakes: these are the first"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health(server: Any, path: str) -> None:
    """BentoML's health pages stay, and say ready from the moment the URL is told."""
    assert server.ask("GET", path).status == 200


def test_metrics_count_what_the_door_answers(server: Any, record: dict[str, object]) -> None:
    """Requests that never reach BentoML's own pipeline are in its metrics: answers, rows, broken columns."""

    def counted() -> dict[str, float]:
        lines = server.ask("GET", "/metrics").body.decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    before = counted()
    server.post({"records": [record] * 3})
    server.post(b"{")
    server.post({"records": [record | {"age": "x", "strange": 1}]})
    after = counted()
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['engine_requests_total{endpoint="predict",status="200"}'] == 1
    assert grown['engine_requests_total{endpoint="predict",status="400"}'] == 1
    assert grown['engine_requests_total{endpoint="predict",status="422"}'] == 1
    assert grown['engine_request_seconds_count{endpoint="predict"}'] == 3
    assert grown["engine_rows_total"] == 3
    assert grown['engine_schema_violations_total{column="age"}'] == 1
    assert grown['engine_schema_violations_total{column=""}'] == 1


def test_every_answer_says_who_gave_it(server: Any, record: dict[str, object]) -> None:
    """An answer of any status has the model's version and a request id: the client's, if it is fit for a log."""
    body = json.dumps({"records": [record]}).encode()
    ids = []
    for given, content in (("abc-1", body), ("not fit for a log", body), ("x" * 200, body), ("", b"{")):
        answer = server.ask("POST", "/predict", content, content_type="application/json", x_request_id=given)
        assert answer.headers["x-model-version"] == "20261122-181213-0A1B2C3D"
        ids.append(answer.headers["x-request-id"])
    assert ids[0] == "abc-1"
    assert len(set(ids)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{12}-[0-9]+", each) for each in ids[1:])


def test_columns_are_records_the_other_way(server: Any, tiny: ModuleType) -> None:
    """Rows given as columns are answered as the same rows given as records, by either reader."""
    rows = records_of(tiny.tiny_frame(40, seed=3))
    unusual = [row | {"age": float(str(row["age"]))} for row in rows]
    for table in (rows, unusual):
        columns = {name: [row[name] for row in table] for name in table[0]}
        assert server.post({"columns": columns}).json == server.post({"records": rows}).json


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        ({"age": [3]}, "columns.age[0]", "min 17: 3 is below it"),
        ({"age": [40, 41]}, "columns.hours", "1 values, and the columns before have 2"),
        ({"age": 40}, "columns.age", "a column must be a list of values"),
        ({"ag": [40]}, "columns.ag", "this column is not known"),
    ],
)
def test_wrong_columns_are_422(
    server: Any, record: dict[str, object], change: dict[str, object], key: str, what: str
) -> None:
    """What is wrong with a column is told by its name, and of a value by its row."""
    answer = server.post({"columns": {name: [value] for name, value in record.items()} | change})
    assert answer.status == 422
    assert (answer.first["key"], answer.first["what"]) == (key, what)


def test_slow_headers_are_let_go(server: Any) -> None:
    """Who connects and sends nothing, or half of its headers, is let go after some seconds."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=15) as idle,
        socket.create_connection(("127.0.0.1", server.port), timeout=15) as slow,
    ):
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        assert idle.recv(10) == b""
        assert slow.recv(10) == b""


def test_many_idle_connections_lock_nobody_out(server: Any, record: dict[str, object]) -> None:
    """With 300 connections that send half a request each, others are answered."""
    half = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{"
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(300)]
    try:
        for each in idle:
            each.sendall(half)
        assert server.post({"records": [record]}).status == 200
        assert server.post({"records": [record] * 900}).status == 200
    finally:
        for each in idle:
            each.close()


def test_schema_shows_the_columns(server: Any) -> None:
    """`GET /schema` says what a record holds and what a request may ask."""
    schema = server.ask("GET", "/schema").json
    assert [column["name"] for column in schema["columns"]] == [
        "age",
        "hours",
        "sex",
        "job",
        "member",
        "since",
    ]
    assert schema["limits"] == {
        "max_records": 1000,
        "max_body_mib": 1.0,
        "timeout_s": 2.0,
        "max_concurrent": 64,
        "abstain_below": None,
    }
    assert schema["target"] == {"name": "income", "kind": "binary", "classes": ["<=50K", ">50K"]}


def test_docs_describe_the_wire(server: Any, record: dict[str, object]) -> None:
    """The OpenAPI page names the recipe's columns and bounds, and a real answer validates against it."""
    from jsonschema import Draft202012Validator

    docs = server.ask("GET", "/docs.json").json
    told = {"version": server.ask("GET", "/schema").json["model_version"], "description": "Predicts income"}
    assert docs["info"] == {"title": "tiny_income", **told}
    schemas = docs["components"]["schemas"]
    age = schemas["Record"]["properties"]["age"]
    assert (age["type"], age["minimum"], age["maximum"], age["x-units"]) == ("integer", 17, 90, "years")
    assert age["description"] == "at the census"
    assert schemas["Record"]["properties"]["sex"]["enum"] == ["Female", "Male"]
    answered = docs["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    asked = docs["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    request = {"records": [record, record]}
    for schema, instance in ((asked, request), (answered, server.post(request).json)):
        Draft202012Validator({**schema, "components": docs["components"]}).validate(instance)
    page = server.ask("GET", "/")
    assert page.status == 200
    assert b"https://" not in page.body


@pytest.mark.slow
def test_no_request_that_its_own_page_allows_is_a_fault(server: Any) -> None:
    """Schemathesis, by the service's own OpenAPI page, finds no 5xx and no answer that the page does not have."""
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/docs.json"),
            *("--checks", checks, "--phases", "coverage,fuzzing", "--max-examples", "20", "--seed", "1"),
            *("--include-path", "/predict", "--include-path", "/schema", "--no-color"),
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_loopback_only(server: Any) -> None:
    """The service listens on 127.0.0.1 and on no other address of the machine."""
    import psutil

    listening = [
        each.laddr.ip
        for each in psutil.Process(server.process.pid).net_connections()
        if each.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_a_thousand_answers_without_a_pickle_or_a_process(server: Any, record: dict[str, object]) -> None:
    """A service that would unpickle or begin a process has ended at once: this one answers a thousand times."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    body = json.dumps({"records": [record]})
    statuses = set()
    for _ in range(1000):
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        statuses.add(answer.status)
    connection.close()
    assert statuses == {200}
    assert server.process.poll() is None


def test_one_process(server: Any) -> None:
    """The service is one process, without children."""
    import psutil

    assert psutil.Process(server.process.pid).children() == []


def test_sigterm_ends_it_cleanly(
    serve: Callable[[Path], AbstractContextManager[Any]], bundle_folder: Path, record: dict[str, object]
) -> None:
    """SIGTERM ends the service with exit code 0 and frees the port, an idle connection notwithstanding."""
    with serve(bundle_folder) as running:
        idle = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        body = json.dumps({"records": [record]})
        idle.request("POST", "/predict", body=body, headers={"content-type": "application/json"})
        assert idle.getresponse().read()
        assert running.end() == 0
        idle.close()
        with pytest.raises(ConnectionRefusedError):
            running.ask("GET", "/livez")


def test_sigint_is_an_interruption(
    serve: Callable[[Path], AbstractContextManager[Any]], bundle_folder: Path
) -> None:
    """SIGINT leaves by KeyboardInterrupt, which the command line answers with 130."""
    with serve(bundle_folder) as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(timeout=20) != 0
        assert "KeyboardInterrupt" in running.process.stderr.read()


def test_missed_gates_are_not_served(tiny: ModuleType, tmp_path: Path) -> None:
    """A bundle whose gates were missed ends with exit code 4 before anything listens."""
    urls: list[str] = []
    with pytest.raises(EngineError, match=r"were missed \(roc_auc\)") as caught:
        DEPLOYMENT.serve(
            tiny.write_tiny(tmp_path / "bundle", missed=("roc_auc",)),
            host="127.0.0.1",
            port=0,
            on_ready=urls.append,
        )
    assert caught.value.exit_code == 4
    assert urls == []


def test_taken_port_is_told(server: Any, bundle_folder: Path) -> None:
    """A port in use is one message and an exit code, no traceback."""
    code = (
        "import sys; from pathlib import Path; from engine.deploy.bento import DEPLOYMENT\n"
        "from engine.errors import EngineError\n"
        "try: DEPLOYMENT.serve(Path(sys.argv[1]), host='127.0.0.1', port=int(sys.argv[2]), on_ready=print)\n"
        "except EngineError as error: print(error, file=sys.stderr); sys.exit(error.exit_code)\n"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", code, str(bundle_folder), str(server.port)],
        cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == (
        f"command line: --port\n  port {server.port} of 127.0.0.1 is taken\n  try: engine serve RUN --port 0\n"
    )


TABLES = {"arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet"}


def body_of(frame: pl.DataFrame, kind: str) -> bytes:
    """Return a frame as a body."""
    written = io.BytesIO()
    if kind == "arrow":
        frame.write_ipc_stream(written)
    else:
        frame.write_parquet(written)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
@pytest.mark.parametrize("n_rows", [3, 900])
def test_tables_are_taken_and_given(
    server: Any, tiny: ModuleType, bundle_folder: Path, kind: str, n_rows: int
) -> None:
    """An Arrow stream or a Parquet file is answered in JSON, or in the format that Accept asks for."""
    frame = tiny.tiny_frame(n_rows, seed=8)
    expected = load_bundle(bundle_folder).predict(frame)
    body = body_of(frame, kind)
    told = server.ask("POST", "/predict", body, content_type=TABLES[kind])
    assert [each["prediction"] for each in told.json["predictions"]] == expected["prediction"].to_list()
    given = server.ask("POST", "/predict", body, content_type=TABLES[kind], accept=TABLES[kind])
    assert given.headers["content-type"] == TABLES[kind]
    read = pl.read_ipc_stream if kind == "arrow" else pl.read_parquet
    assert_frame_equal(read(io.BytesIO(given.body)), expected)


def test_wrong_tables_are_422(server: Any, tiny: ModuleType) -> None:
    """What breaks the contract in a table is told by its column, and a damaged one as such."""
    frame = tiny.tiny_frame(3).with_columns(age=pl.lit(3, pl.Int64))
    answer = server.ask("POST", "/predict", body_of(frame, "arrow"), content_type=TABLES["arrow"])
    assert answer.status == 422
    assert answer.first["key"] == "age"
    answer = server.ask(
        "POST", "/predict", body_of(frame.drop("sex"), "parquet"), content_type=TABLES["parquet"]
    )
    assert answer.status == 422
    assert answer.first["key"] == "sex"
    assert server.ask("POST", "/predict", b"PAR1", content_type=TABLES["parquet"]).status == 422


def infer(server: Any, rows: list[dict[str, Any]], **changes: Any) -> Any:
    """Ask by the open inference protocol."""
    kinds = {"age": "INT32", "hours": "FP64", "member": "BOOL"}
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": kinds.get(name, "BYTES"), "data": [row[name] for row in rows]}
        for name in rows[0]
    ]  # fmt: skip
    body = json.dumps({"id": "7", "inputs": inputs} | changes).encode()
    return server.ask("POST", "/v2/models/tiny_income/infer", body, content_type="application/json")


def test_open_inference_protocol(server: Any, tiny: ModuleType) -> None:
    """Clients of KServe and Triton find the model, its tensors and its readiness, and the same predictions."""
    assert server.ask("GET", "/v2/health/ready").json == {"ready": True}
    assert server.ask("GET", "/v2/models/tiny_income/ready").json == {"name": "tiny_income", "ready": True}
    model = server.ask("GET", "/v2/models/tiny_income").json
    assert model["inputs"][0] == {"name": "age", "datatype": "INT64", "shape": [-1]}
    assert [(each["name"], each["shape"]) for each in model["outputs"]] == [
        ("prediction", [-1]),
        ("probabilities", [-1, 2]),
    ]
    rows = records_of(tiny.tiny_frame(5, seed=2))
    expected = server.post({"records": rows}).json["predictions"]
    answer = infer(server, rows).json
    assert (answer["id"], answer["model_version"]) == ("7", "20261122-181213-0A1B2C3D")
    prediction, probabilities = answer["outputs"]
    assert prediction["data"] == [each["prediction"] for each in expected]
    assert probabilities["data"] == [p for each in expected for p in each["probabilities"].values()]
    assert probabilities["shape"] == [5, 2]
    assert probabilities["parameters"] == {"classes": "<=50K,>50K"}
    assert [
        each["name"] for each in infer(server, rows, outputs=[{"name": "prediction"}]).json["outputs"]
    ] == ["prediction"]
    one = {"name": "age", "shape": [5, 1], "datatype": "INT64", "data": [[row["age"]] for row in rows]}
    inputs = json.loads(json.dumps([one]))
    assert "this input is missing" in infer(server, rows, inputs=inputs).json["error"]


@pytest.mark.parametrize(
    ("path", "changes", "status", "what"),
    [
        ("/v2/models/other/infer", {}, 404, "this serves the model tiny_income"),
        ("/v2/models/tiny_income/versions/9/infer", {}, 404, "this serves the model tiny_income"),
        ("/v2/nowhere/infer", {}, 404, "there is no path /v2/nowhere/infer"),
        ("/v2/models/tiny_income/infer", {"inputs": []}, 422, "this input is missing"),
        ("/v2/models/tiny_income/infer", {"inputs": 3}, 422, "Expected `array`, got `int`"),
        ("/v2/models/tiny_income/infer", {"age": {"datatype": "FP32"}}, 422, "the datatype FP32 is none of"),
        (
            "/v2/models/tiny_income/infer",
            {"age": {"shape": [2]}},
            422,
            "the shape [2] is not that of 1 values",
        ),
        ("/v2/models/tiny_income/infer", {"age": {"data": [3]}}, 422, "min 17: 3 is below it"),
        ("/v2/models/tiny_income/infer", {"age": {"name": "ag"}}, 422, "this input is not known"),
        (
            "/v2/models/tiny_income/infer",
            {"outputs": [{"name": "x"}]},
            422,
            "outputs.x\n  there is no such output",
        ),
    ],
)
def test_wrong_tensors_are_refused(
    server: Any, record: dict[str, object], path: str, changes: dict[str, Any], status: int, what: str
) -> None:
    """What is wrong with a request of the protocol is one text under `error`, as the protocol has it."""
    kinds = {"age": "INT64", "hours": "FP64", "member": "BOOL"}
    inputs = [
        {"name": name, "shape": [1], "datatype": kinds.get(name, "BYTES"), "data": [value]} | changes.get(name, {})
        for name, value in record.items()
    ]  # fmt: skip
    asked = {"inputs": changes.get("inputs", inputs), "outputs": changes.get("outputs", [])}
    answer = server.ask("POST", path, json.dumps(asked).encode(), content_type="application/json")
    assert answer.status == status
    assert what in answer.json["error"]
