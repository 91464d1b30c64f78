"""`engine init`, by its exit code, what it prints, and the recipe it leaves, which must run as written."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from engine.cli import main
from engine.recipe.text import Plain, parse

DATA = Path(__file__).resolve().parents[2] / "recipes" / "data"
QUICK = ("compute=small", "evaluation=quick", "--quiet")
_DRAWN = random.Random(0)  # noqa: S311 (test data)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def recipe(name: str) -> dict[str, Plain]:
    """Return the values of a recipe that was written."""
    return parse(Path(name).read_text(encoding="utf-8"), file=name).mapping()


def at(plain: Plain, *keys: str) -> Plain:
    """Return a value inside of a mapping."""
    for key in keys:
        assert isinstance(plain, dict)
        plain = plain[key]
    return plain


def rows(n: int, line: Callable[[int, str], Sequence[object]]) -> list[list[str]]:
    """Return n rows of which the last field, the target, follows from the rest more often than not."""
    made = []
    for i in range(n):
        answer = _DRAWN.choice(["ja", "nein"])
        made.append([str(field) for field in (*line(i, answer), answer)])
    return made


def near(answer: str) -> float:
    """Return a number that tells an answer, most of the time."""
    return _DRAWN.gauss(30.0 if answer == "ja" else 10.0, 8.0)


def german(i: int, answer: str) -> list[str]:
    """Return a row as a German spreadsheet writes it."""
    amount = f"{near(answer):.2f}".replace(".", ",") if i % 20 else "-"
    return [f"{i + 7:05d}", _DRAWN.choice(["01067", "80331"]), _DRAWN.choice(["München", "Köln"]), amount]


def english(i: int, answer: str) -> list[str]:
    """Return a row with whatever goes wrong in a file, but that it is well-formed."""
    return [
        str(i),
        f"{near(answer):.3f}" if i % 15 else "?",
        _DRAWN.choice(["True", "False"]),
        f'"two lines\nof ""text"", number {i} of many"',
        f"{_DRAWN.randint(1, 28):02d}.{_DRAWN.randint(1, 12):02d}.20{_DRAWN.randint(10, 22)}",
        f"{_DRAWN.random() * 100:.1f}%",
        _DRAWN.choice([" u", "v "]),
        _DRAWN.choice(["1", "2", "N/A"]),
    ]


GERMAN = ["Nr", "PLZ", "Stadt", "Umsatz in €", "Kündigung"]
ENGLISH = ["Unnamed: 0", "x.y", "yes ", "note: #", "null", "a=b", "2019", "größe", "target?"]
FILES = {
    "german_bom": (GERMAN, german, ";", "\r\n", "utf-8-sig"),
    "german_ansi": ([*GERMAN[:3], "Umsatz", "Kündigung"], german, ";", "\r\n", "cp1252"),
    "german_utf16": (GERMAN, german, "\t", "\n", "utf-16"),
    "english_bars": (ENGLISH, english, "|", "\n", "utf-8"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_messy_file_runs_without_an_edit(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`init` then `run`, nothing between them, on files as people have them."""
    header, line, delimiter, end, encoding = FILES[name]
    lines = [delimiter.join(fields) for fields in [header, *rows(180, line)]]
    Path(f"{name}.csv").write_bytes((end.join(lines) + end).encode(encoding))
    assert main(["init", f"{name}.csv", "--target", header[-1], "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["task"], told["positive"], told["recipe"]) == ("classification", "ja", f"{name}.yaml")
    assert main(["plan", f"{name}.yaml", "--quiet"]) == 0
    assert main(["run", f"{name}.yaml", *QUICK]) == 0


def test_what_is_written_of_a_german_file() -> None:
    """Delimiter, decimal sign, encoding and null words stand in the recipe, and leading zeros are kept."""
    lines = [";".join(fields) for fields in [GERMAN, *rows(180, german)]]
    Path("g.csv").write_bytes("\n".join(lines).encode("cp1252"))
    assert main(["init", "g.csv", "--target", "Kündigung", "--quiet"]) == 0
    written = recipe("g.yaml")
    assert written["data"] == {
        "path": "g.csv",
        "delimiter": ";",
        "decimal": ",",
        "encoding": "cp1252",
        "null_values": ["-"],
    }
    assert at(written, "schema", "columns") == {
        "Nr": {"type": "category", "role": "id"},
        "PLZ": {"type": "category", "values": ["01067", "80331"]},
        "Stadt": {"type": "category", "values": ["Köln", "München"]},
        "Umsatz in €": {"type": "number", "nullable": True},
        "Kündigung": {"type": "category", "values": ["ja", "nein"]},
    }


@pytest.mark.parametrize(
    ("file", "target", "task", "model"),
    [
        ("penguins.csv", "species", "classification", "logistic"),
        ("adult.csv", "income-per-year", "classification", "lightgbm"),
        ("diamonds.parquet", "price", "regression", "lightgbm"),
    ],
)
def test_the_shipped_data_runs_without_an_edit(file: str, target: str, task: str, model: str) -> None:
    """A recipe for data that we know runs as it was written, and passes the gate that it was given."""
    Path("recipes").mkdir()
    # Of many rows each twelfth, which takes a twelfth of the time.
    if file.endswith(".csv"):
        header, *lines = (DATA / file).read_text().splitlines(keepends=True)
        Path(file).write_text("".join([header, *lines[:: 12 if len(lines) > 1000 else 1]]))
    else:
        pl.read_parquet(DATA / file)[::12].write_parquet(file)
    assert main(["init", file, "--target", target, "--quiet"]) == 0
    path = f"recipes/{file.partition('.')[0]}.yaml"
    written = recipe(path)
    assert written["defaults"] == [
        "base",
        {"task": task},
        {"model": model},
        {"split": "stratified"},
        "_self_",
    ]
    assert at(written, "goal", "gates") is not None
    assert main(["run", path, "--quiet"]) == 0


def test_the_recipe_opens_as_ours_do(capsys: pytest.CaptureFixture[str]) -> None:
    """First the schema for editors, then what it is, how to run it, what to try; then keys with reasons."""
    Path("p.csv").write_bytes((DATA / "penguins.csv").read_bytes())
    assert main(["init", "p.csv", "--target", "species", "--quiet"]) == 0
    lines = Path("p.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[:5] == [
        "# yaml-language-server: $schema=.engine/recipe.schema.json",
        "# What 'species' is, one of 3 classes, from 7 columns of p.csv.",
        "# Written by engine init from what stands in the data: a first guess, to be read and changed.",
        "# run: engine run p.yaml",
        "# try: engine run p.yaml model=random_forest",
    ]
    assert "    bill_depth_mm: {type: number, nullable: true, min: 0}" in "\n".join(lines)
    assert Path(".engine/recipe.schema.json").is_file()
    assert capsys.readouterr().out.endswith("next     engine plan p.yaml\n         engine run p.yaml\n")


def test_rows_without_a_target_are_left_out() -> None:
    """A target with gaps is no obstacle: the recipe says that those rows are dropped, and runs."""
    made = [
        [*fields[:-1], "" if i % 9 == 0 else fields[-1]]
        for i, fields in enumerate(rows(120, lambda _, a: [near(a)]))
    ]
    Path("t.csv").write_text("\n".join(",".join(fields) for fields in [["x", "y"], *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    assert at(recipe("t.yaml"), "schema", "missing_target") == "drop"
    assert "# 14 of 120 rows (12%) have no target; they are left out and counted" in Path("t.yaml").read_text(
        encoding="utf-8"
    )
    assert main(["run", "t.yaml", *QUICK]) == 0


def test_rows_in_order_of_time_are_split_by_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Rows in the order of a date are tested on the latest; where that is not so, the date is a candidate."""
    dates = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 8, 1), eager=True)
    frame = pl.DataFrame(
        {
            "day": dates,
            "x": [_DRAWN.random() for _ in dates],
            "y": [_DRAWN.random() for _ in dates],
        }
    )
    frame.write_csv("ordered.csv")
    frame.sample(fraction=1.0, shuffle=True, seed=0).write_csv("shuffled.csv")
    for name in ("ordered", "shuffled"):
        assert main(["init", f"{name}.csv", "--target", "y", "--quiet"]) == 0
        assert main(["run", f"{name}.yaml", *QUICK]) == 0
    assert at(recipe("ordered.yaml"), "schema", "columns", "day") == {"type": "datetime", "role": "time"}
    assert {"split": "time"} in recipe("ordered.yaml")["defaults"]  # type: ignore[operator]
    assert at(recipe("shuffled.yaml"), "schema", "columns", "day") == {"type": "datetime"}
    assert "write role: time here and split: time in defaults" in Path("shuffled.yaml").read_text(
        encoding="utf-8"
    )
    capsys.readouterr()


def test_rows_of_one_person_stay_together() -> None:
    """A person's id that stands in several rows keeps them in one part; the person is no feature."""
    made = rows(240, lambda i, a: [i % 80, near(a)])
    Path("t.csv").write_text("\n".join(",".join(fields) for fields in [["patient_id", "x", "y"], *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    assert at(recipe("t.yaml"), "schema", "columns", "patient_id") == {"type": "category", "role": "group"}
    assert "too many" not in Path("t.yaml").read_text(encoding="utf-8")
    assert main(["run", "t.yaml", *QUICK]) == 0


@pytest.mark.parametrize("data", ["parts/*.csv", "by"])
def test_several_files_of_text_are_one_table(data: str) -> None:
    """A pattern, and a folder of folders that name a column, are looked at as one table, which runs as it is."""
    made = rows(120, lambda i, answer: [f"K{i:04d}", near(answer), _DRAWN.choice("ab")])
    for at_, part in enumerate((made[:70], made[70:])):
        place = Path("by") / f"half={'uv'[at_]}" if data == "by" else Path("parts")
        place.mkdir(parents=True, exist_ok=True)
        lines = [";".join(line) for line in (["customer_id", "size", "kind", "y"], *part)]
        (place / f"{at_}.csv").write_text("\n".join(lines) + "\n")
    assert main(["init", data, "--target", "y", "-o", "t.yaml", "--quiet"]) == 0
    written = recipe("t.yaml")
    assert at(written, "data") == {"path": data, "delimiter": ";"}
    assert written["name"] == data.partition("/")[0]
    assert at(written, "schema", "key") == "customer_id"
    columns = at(written, "schema", "columns")
    assert isinstance(columns, dict)
    assert list(columns) == ["customer_id", "size", "kind", "y", *(["half"] if data == "by" else [])]
    assert main(["run", "t.yaml", *QUICK, "model=logistic"]) == 0


def test_an_empty_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with one file of several is the data's fault, and says which file."""
    Path("p").mkdir()
    Path("p/a.csv").write_text("x,y\n1,a\n2,b\n")
    Path("p/b.csv").touch()
    assert main(["init", "p", "--target", "y", "--quiet"]) == 3
    assert capsys.readouterr().err == "p/b.csv\n  the file is empty (0 bytes)\n"


def test_free_text_is_taken_by_its_words() -> None:
    """A review is a feature, with the one preparation that no default gives, and a model that suits it."""
    words = {"ja": ["good", "fine", "great"], "nein": ["bad", "poor", "awful"]}
    made = rows(150, lambda i, answer: [f"the film of number {i} was a {_DRAWN.choice(words[answer])} one"])
    Path("t.csv").write_text("review,y\n" + "\n".join(",".join(line) for line in made) + "\n")
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    written = recipe("t.yaml")
    assert at(written, "schema", "columns", "review") == {"type": "text", "encode": "tfidf"}
    assert {"model": "logistic"} in at(written, "defaults")  # type: ignore[operator]
    text = Path("t.yaml").read_text()
    assert "free text: tfidf weighs its most frequent words; 150 values" in text
    assert "the film" not in text
    assert main(["run", "t.yaml", *QUICK]) == 0


def test_a_class_of_two_rows_is_made_room_for() -> None:
    """With one row for training and one for the test no row validates, and the recipe says so and runs."""
    made = [*rows(90, lambda _, a: [near(a)]), ["1.0", "selten"], ["2.0", "selten"]]
    Path("t.csv").write_text("\n".join(",".join(fields) for fields in [["x", "y"], *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    assert at(recipe("t.yaml"), "split") == {"test": 0.2, "validation": 0.0}
    assert main(["run", "t.yaml", *QUICK]) == 0


def test_names_and_values_that_yaml_and_interpolation_would_change() -> None:
    """Odd names of columns and odd values of the target stay what they are, and the recipe runs."""
    odd = ["${oc.env:HOME}", "a:b", "{x}", "???", " lead", "c#d", "*", "prediction", "ключ", "y"]
    made = [
        [*(f"{_DRAWN.random():.3f}" for _ in odd[:-1]), _DRAWN.choice(["${x}", "no"])] for _ in range(120)
    ]
    Path("t.csv").write_text("\n".join(",".join(fields) for fields in [odd, *made]), encoding="utf-8")
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    columns = at(recipe("t.yaml"), "schema", "columns")
    assert isinstance(columns, dict)
    assert list(columns) == odd
    assert columns["*"] == {"type": "number", "role": "ignore"}
    assert main(["run", "t.yaml", *QUICK]) == 0


def test_a_leak_is_said_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    """A column that alone predicts the target is named on the screen and in the recipe."""
    made = rows(160, lambda _, a: [near(a), 1 if a == "ja" else 0])
    Path("t.csv").write_text("\n".join(",".join(fields) for fields in [["x", "closed", "y"], *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    said = "look     closed: alone it leaves 0.0% of"
    assert said in capsys.readouterr().out
    assert "# LOOK: alone it leaves 0.0% of" in Path("t.yaml").read_text(encoding="utf-8")


def test_the_gate_is_met_without_what_gives_the_target_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever follows the advice and ignores the suspects meets the gate: it was measured without them."""
    made = []
    for _ in range(400):
        hour, casual = _DRAWN.randint(0, 23), _DRAWN.randint(0, 50)
        registered = 10 * hour + _DRAWN.randint(0, 40)
        made.append(f"{hour},{casual},{registered},{casual + registered}")
    Path("t.csv").write_text("\n".join(["hour,casual,registered,y", *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["scores"]["without"] == ["casual", "registered"]
    text = Path("t.yaml").read_text(encoding="utf-8")
    assert "all without 'casual', 'registered', which may give the target away" in text
    look = "    # LOOK: the target is 'casual' + 'registered', on nearly every row: if it is known only after"
    lines = text.splitlines()
    for name in ("casual", "registered"):
        place = next(at for at, line in enumerate(lines) if line.startswith(f"    {name}: "))
        assert lines[place - 1].startswith(look)
    ignored = [f"+schema.columns.{name}.role=ignore" for name in ("casual", "registered")]
    bounds = [f"~schema.columns.{name}.min" for name in ("casual", "registered")]
    assert main(["run", "t.yaml", *ignored, *bounds, *QUICK]) == 0


def test_rows_mostly_without_a_target_are_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Where more than a quarter of the rows has no target, the share is said, and that it is to be looked at."""
    made = [
        [*fields[:-1], fields[-1] if i % 5 == 0 else ""]
        for i, fields in enumerate(rows(600, lambda _, a: [near(a)]))
    ]
    Path("t.csv").write_text("\n".join(",".join(fields) for fields in [["x", "y"], *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 0
    said = "480 of 600 rows (80%) have no target"
    assert f"look     {said} and are left out: is the rest like the rows to come?" in capsys.readouterr().out
    text = Path("t.yaml").read_text(encoding="utf-8")
    assert f"  # LOOK: {said}: is the rest like the rows to come?\n  missing_target: drop" in text


@pytest.mark.parametrize(
    ("content", "arguments", "code", "message"),
    [
        (
            "a,bb,c\n1,2,3\n", ["--target", "b"], 2,
            "command line: --target\n  't.csv' has no column 'b'\n  did you mean 'bb'?\n  allowed: a, bb, c\n",
        ),
        (
            "39,State-gov,77\n40,Private,50\n", ["--target", "income"], 2,
            "command line: --target\n  't.csv' has no column 'income' (its first line is taken for the names of the "
            "columns; here it looks like data)\n  allowed: 39, State-gov, 77\n",
        ),
        (
            "a,y\n1,x\n", ["--target", "y", "--task", "cluster"], 2,
            "command line: --task\n  'cluster' is not a task\n  allowed: classification, regression\n",
        ),
        (
            "a,y\n1,x\n", ["--target", "y", "-o", "recipe.txt"], 2,
            "command line: -o\n  'recipe.txt' is not named as a recipe is\n  try: -o recipe.txt.yaml\n",
        ),
        (
            "a,y\n1,x\n", ["--target", "y", "-o", "none/r.yaml"], 2,
            "command line: -o\n  there is no folder 'none'\n",
        ),
        ("a,y\n", ["--target", "y"], 3, "t.csv\n  the file has a header and no rows\n"),
        (
            "a,y\n" + "".join(f"1,{i % 2}\n" for i in range(60)),
            ["--target", "y"], 3,
            "t.csv\n  no column is left for a model to learn from ('a': one value in all rows: nothing to learn "
            "from)\n",
        ),
        ("a,y\n1,2\n1,2,3\n", ["--target", "y"], 3, "t.csv:3\n  3 fields where the header names 2\n"),
    ],
)  # fmt: skip
def test_what_can_not_be_started_is_said(
    content: str, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line is exit 2, data that nothing can be learnt from exit 3; nothing is written."""
    Path("t.csv").write_text(content, encoding="utf-8")
    assert main(["init", "t.csv", *arguments, "--quiet"]) == code
    assert capsys.readouterr().err == message
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["t.csv"]


def test_a_recipe_is_never_replaced_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    """What stands at the recipe's place stays, unless --force says otherwise."""
    Path("p.csv").write_bytes((DATA / "penguins.csv").read_bytes())
    Path("p.yaml").write_text("name: mine\n")
    assert main(["init", "p.csv", "--target", "species", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "command line: -o\n  'p.yaml' is there already, and is not replaced unasked\n  try: --force, or -o OTHER.yaml\n"
    )
    assert main(["init", "p.csv", "--target", "Species", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "command line: --target\n  'p.csv' has no column 'Species'\n  did you mean 'species'?\n"
        "  allowed: species, island, bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g, sex, year\n\n"
        "command line: -o\n  'p.yaml' is there already, and is not replaced unasked\n  try: --force, or -o OTHER.yaml\n"
    )
    assert Path("p.yaml").read_text() == "name: mine\n"
    assert main(["init", "p.csv", "--target", "species", "--force", "--quiet"]) == 0
    assert recipe("p.yaml")["name"] == "p"


def test_what_the_engine_refuses_of_its_own_recipe_is_our_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the engine can't run what init made, that is exit 1 with the reason, and nothing is written."""
    made = [f"{_DRAWN.random()},{_DRAWN.random() * 1e39}" for _ in range(520)]
    Path("t.csv").write_text("\n".join(["x,y", *made]))
    assert main(["init", "t.csv", "--target", "y", "--quiet"]) == 1
    assert (
        "init made a recipe that the engine refuses: lightgbm takes no target beyond"
        in capsys.readouterr().err
    )
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["t.csv"]


def test_data_from_elsewhere_runs_where_it_was_named(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that the user has named from a folder is read by its recipes, from wherever it lies."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "p.csv").write_bytes((DATA / "penguins.csv").read_bytes())
    assert main(["init", str(elsewhere / "p.csv"), "--target", "species", "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["next"][1] == "engine run p.yaml"
    assert main(["run", "p.yaml", *QUICK]) == 0
    assert main(["verify", "p@latest"]) == 0


def test_data_from_elsewhere_runs_with_a_root(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nothing can be remembered of the user, the command that init prints names the data's folder."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "p.csv").write_bytes((DATA / "penguins.csv").read_bytes())
    (elsewhere / "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(elsewhere / "file"))
    assert main(["init", str(elsewhere / "p.csv"), "--target", "species", "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["next"][1] == f"engine run p.yaml --root {elsewhere}"
    assert main(["run", "p.yaml", *QUICK]) == 2
    assert main(["run", "p.yaml", "--root", str(elsewhere), *QUICK]) == 0
