"""The sections that say where a run comes from: data, split, model, repeating it, versions, times, recipe."""

from __future__ import annotations

from collections.abc import Mapping

from engine.report.markup import (
    Html,
    code,
    details,
    joined,
    known,
    pairs,
    paragraph,
    section,
    table,
    tag,
    words,
)
from engine.report.record import Json, Record, at, elements, is_null, members, number, plain, text
from engine.report.scores import measured_title
from engine.report.section_columns import column_rows
from engine.report.words import counted, duration, metric, quantity, share, size, title

_MOST_CLASSES = 4


def data(record: Record) -> Html:
    """Return what the table is and what each of its columns holds."""
    source = at(record.data, "source")
    n_rows = number(record.data, "n_rows")
    facts = pairs(
        [
            ("Source", _code(text(source, "path"))),
            ("Format", known(text(source, "format"))),
            *_version(source),
            *_joined(source),
            *_sample(record),
            ("Rows", known(None if n_rows is None else quantity(n_rows))),
            ("Columns", known(_count(record.data, "columns"))),
            *_left_out(record),
            ("Rows equal to an earlier one", known(_duplicates(record))),
            ("Size", words(size(number(source, "n_bytes")))),
            ("SHA-256", _code(text(source, "sha256"))),
            *_content(record),
            *_dvc(record),
        ]
    )
    # Where its quality was looked at, a section of its own says what was found.
    heard = Html("") if at(record.data, "quality") is not None else _heard(record)
    columns = table(
        ("Column", "Type", "Role", "Nulls", "Distinct", "Values"), column_rows(record), numbers=range(3, 5)
    )
    return section("data", "Data", facts, heard, columns)


def _heard(record: Record) -> Html:
    warnings = [tag("li", words(_warning(item))) for item in elements(record.data, "warnings")]
    return tag("ul", *warnings, class_="warnings") if warnings else paragraph("No warnings were recorded.")


def _content(record: Record) -> list[tuple[str, Html]]:
    """Return the hash of the values alone, and in which order of rows."""
    node = at(record.data, "content")
    found = text(node, "sha256")
    if found is None:
        return []
    by = ", ".join(plain(name) for name in elements(node, "ordered_by"))
    return [
        (
            f"SHA-256 of the values, {f'in the order of {by}' if by else 'in the order of the file'}",
            code(found),
        )
    ]


def _dvc(record: Record) -> list[tuple[str, Html]]:
    """Return what DVC says of the file, and whether it is that file."""
    node = at(record.data, "dvc")
    if node is None:
        return []
    stage = f", stage {text(node, 'stage')}" if text(node, "stage") else ""
    same = {True: ", the file that was read", False: ", ANOTHER file than was read"}.get(
        at(node, "matches"), ""
    )  # type: ignore[call-overload]
    return [(f"DVC: {text(node, 'file') or 'pointer'}{stage}{same}", _code(text(node, "md5")))]


def _version(source: Json) -> list[tuple[str, Html]]:
    version = number(source, "version")
    return [] if version is None else [("Version", words(quantity(version)))]


def _joined(source: Json) -> list[tuple[str, Html]]:
    """Return each table that was joined, and how many rows found nothing in it."""
    found = []
    for table_ in elements(source, "joined"):
        n_rows, n_unmatched = (number(table_, name) or 0 for name in ("n_rows", "n_unmatched"))
        told = f" ({quantity(n_rows)} rows; {quantity(n_unmatched)} rows found none in it)"
        found.append(("Joined", Html(_code(text(table_, "path")) + words(told))))
    return found


def _sample(record: Record) -> list[tuple[str, Html]]:
    drawn, of = (number(record.data, "sample", name) for name in ("n_rows", "n_rows_read"))
    if drawn is None or of is None:
        return []
    return [("A sample", words(f"{quantity(drawn)} of {quantity(of)} rows (data.sample)"))]


def _left_out(record: Record) -> list[tuple[str, Html]]:
    n_rows = number(record.data, "n_rows_dropped", "missing_target")
    return [("Rows left out, their target missing", words(quantity(n_rows)))] if n_rows else []


def _duplicates(record: Record) -> str | None:
    """Return how many rows repeat another, and which columns were not compared."""
    n_rows = _whole(record.data, "n_duplicate_rows")
    declared = members(record.recipe, "schema", "columns")
    roles = {text(declared, name, "role") for name in declared}
    apart = [said for role, said in (("id", "ids"), ("ignore", "ignored columns")) if role in roles]
    return f"{n_rows}, {' and '.join(apart)} aside" if n_rows and apart else n_rows


def _count(node: Json, key: str) -> str | None:
    found = at(node, key)
    return f"{len(found):,}" if isinstance(found, list | dict) else None


def _warning(item: Json) -> str:
    return (text(item, "what") or plain(item)) if isinstance(item, dict) else plain(item)


def _code(value: str | None) -> Html:
    return known(None) if value is None else code(value)


def split(record: Record) -> Html:
    """Return how the rows were parted, with the hash of each part."""
    node = at(record.data, "split")
    sizes = members(node, "sizes")
    if not sizes:
        return section("split", "Split", tag("p", known(None)))
    total = sum(number(sizes, part) or 0 for part in sizes)
    rows = (
        [
            words(title(part)),
            words(quantity(number(sizes, part))),
            words(share((number(sizes, part) or 0) / total if total else None)),
            words(_target_in(record, part)),
            _code(text(node, "sha256", part)),
        ]
        for part in sizes
    )
    n_folds, n_left_out = number(node, "n_folds"), number(node, "n_left_out")
    folds = f", {counted(n_folds, 'fold')}" if n_folds else ""
    kind = tag(
        "p",
        words("Kind: "),
        _code(text(node, "kind")),
        words(", seed "),
        known(text(record.facts, "seed")),
        words(folds),
        words(f", {counted(n_left_out, 'row')} left out in the gap in time" if n_left_out else ""),
    )
    header = ("Part", "Rows", "Share", "Target", "SHA-256 of its row numbers")
    body = table(header, rows, numbers=range(1, 3))
    return section("split", "Split", kind, body)


def _target_in(record: Record, part: str) -> str:
    """Return the target's mean in a part, or the rows of each class: the first few by the number of rows."""
    found = members(record.data, "target_by_part", part)
    counts = sorted(
        ((number(found, name) or 0, name) for name in found), key=lambda pair: (-pair[0], pair[1])
    )
    said = [f"{name} {quantity(count)}" for count, name in counts[:_MOST_CLASSES]]
    rest = len(counts) - len(said)
    return ", ".join([*said, *([f"{rest} more classes"] if rest else [])]) or "-"


def model(record: Record) -> Html:
    """Return what was fitted, with which parameters."""
    node = at(record.facts, "model")
    family = text(node, "family") or text(record.recipe, "model", "family")
    threshold = number(record.facts, "threshold")
    apart = "; groups have their own" if members(record.facts, "thresholds") else ""
    classes = [plain(name) for name in elements(record.facts, "target", "classes")]
    entries = [
        ("Family", _code(family)),
        *([] if is_null(node, "estimator") else [("Estimator", _code(text(node, "estimator")))]),
        ("Iterations kept", known("none" if is_null(node, "n_iterations") else _whole(node, "n_iterations"))),
        ("Input columns after preparation", known(_whole(node, "n_features"))),
        ("Target", _code(text(record.facts, "target", "name"))),
        *([("Classes", joined(_spaced(classes)))] if classes else []),
        *([("Threshold", words(metric(threshold) + apart))] if threshold is not None else []),
        ("Deployed as", known(text(node, "deployed_as"))),
        ("Largest difference to the library", known(_parity(node))),
        *_latency(record),
    ]
    params = members(node, "params") or members(record.recipe, "model", "params")
    rows = ([code(name), code(plain(value))] for name, value in params.items())
    set_ = (
        table(("Parameter", "Value"), rows, numbers=range(0), kind="snug")
        if params
        else paragraph("No parameter was set.")
    )
    return section("model", "Model", pairs(entries), set_)


def _spaced(names: list[str]) -> list[Html]:
    return [Html(code(name) + " ") for name in names]


def _whole(node: Json, key: str) -> str | None:
    found = number(node, key)
    return None if found is None else quantity(found)


def _parity(node: Json) -> str | None:
    parity = at(node, "parity")
    largest, n_rows, n_beyond = (number(parity, key) for key in ("largest", "n_rows", "n_beyond"))
    if largest is None:
        return None
    over = f" over {quantity(n_rows)} rows" if n_rows is not None else ""
    beyond = f", {quantity(n_beyond)} beyond the tolerance" if n_beyond is not None else ""
    return f"{quantity(largest)}{over}{beyond}"


def _latency(record: Record) -> list[tuple[str, Html]]:
    measured = members(record.facts, "latency")
    return [(measured_title(name), words(quantity(number(measured, name)))) for name in measured]


def _scalar(value: Json) -> str:
    return quantity(value) if isinstance(value, int | float) and not isinstance(value, bool) else plain(value)


def reproduce(record: Record) -> Html:
    """Return the commands that make this run again."""
    run = text(record.facts, "run")
    lines = [f"engine verify {run}" if run else "engine verify RUN", "engine run recipe.yaml"]
    told = [
        "run it again from this folder and compare bit for bit",
        "from inside this folder: the same recipe as a new run",
    ]
    items = (
        tag("li", tag("pre", code(line)), tag("span", words(why), class_="note"))
        for line, why in zip(lines, told, strict=True)
    )
    hashes = pairs(
        [
            ("Recipe SHA-256", _code(text(record.facts, "recipe_sha256"))),
            ("Data SHA-256", _code(text(record.facts, "data_sha256"))),
            ("Seed", known(text(record.facts, "seed"))),
            ("Git", known(_git(record))),
        ]
    )
    return section("reproduce", "How to reproduce", tag("ul", *items, class_="commands"), hashes)


def _git(record: Record) -> str | None:
    node = at(record.facts, "git")
    if node is None:
        return "not in a repository" if is_null(record.facts, "git") else None
    dirty = at(node, "dirty")
    state = (
        {True: ", with uncommitted changes", False: ", clean"}.get(dirty is True, "")
        if dirty is not None
        else ""
    )
    kept = text(node, "diff")
    return f"{text(node, 'commit') or 'no commit'}{state}{f', kept in {kept}' if kept else ''}"


def versions(record: Record) -> Html:
    """Return what the run was made with, and on what machine."""
    own = [("engine", text(record.facts, "engine_version")), ("Python", text(record.facts, "python"))]
    named = [
        *own,
        *((name, text(record.facts, "packages", name)) for name in members(record.facts, "packages")),
    ]
    rows = ([words(name), known(version)] for name, version in named)
    machine = [
        (measured_title(key), known(_described(value)))
        for key, value in members(record.facts, "hardware").items()
    ]
    return section(
        "versions",
        "Versions and machine",
        pairs(machine or [("Machine", known(None))]),
        details("Packages", table(("Package", "Version"), rows, numbers=range(0), kind="snug")),
    )


def _described(value: Json) -> str | None:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_scalar(item)}" for key, item in value.items())
    return None if value is None else _scalar(value)


def timings(record: Record) -> Html:
    """Return how long each step took and how much memory it reached."""
    steps = elements(record.facts, "steps")
    if not steps:
        return section("timings", "Time and memory", tag("p", known(None)))
    seconds = [number(step, "seconds") for step in steps]
    rows = [
        [known(text(step, "name")), words(duration(taken)), known(_mib(step))]
        for step, taken in zip(steps, seconds, strict=True)
    ]
    whole = duration(sum(taken or 0.0 for taken in seconds))
    note = paragraph(f"{whole} for the steps recorded before this page was drawn.")
    return section(
        "timings", "Time and memory", table(("Step", "Time", "Peak memory"), rows, kind="snug"), note
    )


def _mib(step: Json) -> str | None:
    peak = number(step, "peak_mib")
    return None if peak is None else f"{peak:,.0f} MiB"


def recipe(record: Record) -> Html:
    """Return the composed recipe as it runs again."""
    if not record.recipe_text:
        return section("recipe", "Recipe", tag("p", known(None)))
    return section("recipe", "Recipe", details("recipe.yaml", tag("pre", code(record.recipe_text))))
