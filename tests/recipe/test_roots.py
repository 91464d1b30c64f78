from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.plan import load_checked
from engine.recipe.spec import Spec

RECIPE = """\
defaults: [base, model: logistic, _self_]
name: small
data: {path: table.csv}
schema: {target: y, columns: {x: {type: number}, y: {type: category}}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a stranger's folder, the user's own to work in, and one of neither, each with a table."""
    for name in ("stranger", "mine", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "table.csv").write_text("x,y\n1,a\n")
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setenv("PLACE", str(tmp_path))
    return tmp_path


def load(
    place: Path,
    path: str = "table.csv",
    *overrides: str,
    extra: str = "",
    roots: Sequence[str | Path] = (),
    runs: str | None = None,
) -> Spec:
    """Load the stranger's recipe with some data path, checked as `plan` and `run` do."""
    recipe = place / "stranger" / "small.yaml"
    recipe.write_text(RECIPE.replace("table.csv", path) + extra)
    return load_checked(recipe, overrides, roots=roots, runs=runs)


def refusal(place: Path, path: str = "table.csv", *overrides: str, **given: object) -> str:
    """Return the whole report of a recipe that is refused."""
    with pytest.raises(RecipeError) as error:
        load(place, path, *overrides, **given)  # type: ignore[arg-type]
    return str(error.value)


def outside(place: Path, what: str, *, root: str, line: str = "../stranger/small.yaml:3") -> str:
    """Return the message about a path that leads out."""
    return (
        f"{line}: data.path\n  {what} outside of the folders that a recipe may read\n"
        f"  allowed: {place}/stranger, {place}/mine\n  try: the same command with --root {root}"
    )


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("table.csv", "stranger/table.csv"),
        ("../mine/table.csv", "mine/table.csv"),
        ("sub/../table.csv", "stranger/table.csv"),
        ("PLACE/mine/table.csv", "mine/table.csv"),
        ("PLACE/stranger/table.csv", "stranger/table.csv"),
        ("'${oc.env:PLACE}/mine/table.csv'", "mine/table.csv"),
        ("only-mine.csv", "mine/only-mine.csv"),
    ],
)
def test_a_table_beside_the_recipe_or_where_one_works(place: Path, path: str, leads: str) -> None:
    """A table is read under the recipe's folder or the working directory, however its path is written."""
    (place / "stranger" / "sub").mkdir()
    (place / "mine" / "only-mine.csv").write_text("x,y\n1,a\n")
    spec = load(place, path.replace("PLACE", str(place)) if "oc.env" not in path else path)
    assert Path(spec.data.path) == place / leads


def test_a_table_elsewhere_is_refused(place: Path) -> None:
    """An absolute path, `..`, the home folder and the environment lead nowhere but where the user allows."""
    there = f"{place}/elsewhere"
    lies = f"'{there}/table.csv' lies"
    line = f"{place}/stranger/small.yaml:3"
    assert refusal(place, f"{there}/table.csv") == outside(place, lies, root=there, line=line)
    leads = f"'../elsewhere/table.csv' leads to '{there}/table.csv',"
    assert refusal(place, "../elsewhere/table.csv") == outside(place, leads, root=there, line=line)
    named = "'${oc.env:PLACE}/elsewhere/table.csv' lies"
    assert refusal(place, "'${oc.env:PLACE}/elsewhere/table.csv'") == outside(
        place, named, root="DIR", line=line
    )
    assert "outside of the folders" in refusal(place, "~/.bashrc")
    assert "outside of the folders" in refusal(place, "../../../../../../etc/passwd")
    assert "outside of the folders" in refusal(place, "/proc/self/environ")


def test_a_link_is_followed_before_it_is_judged(place: Path) -> None:
    """A link beside the recipe leads where it leads: inside it is read, outside it is refused."""
    (place / "stranger" / "in.csv").symlink_to("table.csv")
    (place / "stranger" / "out.csv").symlink_to(place / "elsewhere" / "table.csv")
    (place / "stranger" / "folder").symlink_to(place / "elsewhere")
    (place / "stranger" / "loop.csv").symlink_to("loop.csv")
    assert Path(load(place, "in.csv").data.path) == place / "stranger" / "table.csv"
    assert f"'out.csv' leads to '{place}/elsewhere/table.csv'," in refusal(place, "out.csv")
    assert f"'folder/table.csv' leads to '{place}/elsewhere/table.csv'," in refusal(place, "folder/table.csv")
    assert load(place, "loop.csv").data.path.endswith("loop.csv")


def test_a_root_of_the_command_line_allows(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--root` takes any folder, relative or not, several of them, and what is no folder is refused."""
    table = str(place / "elsewhere" / "table.csv")
    assert load(place, table, roots=[place / "elsewhere"]).data.path == table
    assert load(place, table, roots=["../stranger", "../elsewhere"]).data.path == table
    with pytest.raises(RecipeError, match="outside of the folders"):
        load(place, table, roots=[place / "mine"])
    assert refusal(place, roots=["nowhere"]) == (
        "command line: --root\n  'nowhere' is not a folder\n  try: --root DIR"
    )
    (place / "link").symlink_to("elsewhere")
    monkeypatch.chdir(place / "mine")
    assert load(place, table, roots=["../link"]).data.path == table


def test_roots_of_the_projects_settings(place: Path) -> None:
    """`[tool.engine] roots` of the working directory allows, relative to it; a recipe's own does not."""
    table = str(place / "elsewhere" / "table.csv")
    (place / "stranger" / "pyproject.toml").write_text('[tool.engine]\nroots = ["/"]\n')
    assert "outside of the folders" in refusal(place, table)
    settings = place / "mine" / "pyproject.toml"
    settings.write_text('[tool.engine]\nroots = ["../elsewhere"]\n')
    assert load(place, table).data.path == table
    settings.write_text("[project]\nname = 'x'\n")
    assert "outside of the folders" in refusal(place, table)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("[tool.engine", "pyproject.toml\n  not valid TOML: Expected ']' at the end of a table declaration (at end of document)"),
        ("[tool.engine]\nroots = '/'", 'pyproject.toml: tool.engine.roots\n  it is a list of folders: roots = ["../data"]'),
        ("[tool]\nengine = 3", 'pyproject.toml: tool.engine.roots\n  it is a list of folders: roots = ["../data"]'),
        ("[tool.engine]\nroot = ['/']", "pyproject.toml: tool.engine.root\n  'root' is not a setting of the engine\n  did you mean 'roots'?\n  allowed: roots"),
        ("#" * (1 << 20) + "\n", "pyproject.toml\n  the file is larger than 1048576 bytes"),
    ],
    ids=["syntax", "text", "number", "misspelt", "large"],
)  # fmt: skip
def test_settings_that_can_not_be_read(place: Path, settings: str, message: str) -> None:
    """What is wrong with the settings is said, and nothing is allowed by them."""
    (place / "mine" / "pyproject.toml").write_text(settings)
    assert refusal(place) == message


def test_what_the_user_types_is_the_users_word(place: Path) -> None:
    """A data path on the command line may lead anywhere, unless it repeats a word of the recipe's."""
    table = str(place / "elsewhere" / "table.csv")
    assert load(place, "table.csv", f"data.path={table}").data.path == table
    assert load(place, "table.csv", "data.path='${oc.env:PLACE}/elsewhere/table.csv'").data.path == table
    extra = f"goal: {{statement: {table}}}\n"
    assert refusal(place, "table.csv", "data.path=${goal.statement}", extra=extra).startswith(
        f"command line: data.path\n  '{table}' lies outside of the folders that a recipe may read\n"
    )


def test_a_typed_key_beside_does_not_make_the_path_typed(place: Path) -> None:
    """A path that a stranger's option merges in is the stranger's, whatever else the user types of the data."""
    (place / "stranger" / "conf" / "data").mkdir(parents=True)
    (place / "stranger" / "conf" / "data" / "sly.yaml").write_text(
        "defaults: [table]\nbase: &base {path: /etc/passwd}\n<<: *base\n"
    )
    recipe = place / "stranger" / "sly.yaml"
    recipe.write_text(RECIPE.replace("model: logistic", "data: sly").replace("data: {path: table.csv}\n", ""))
    with pytest.raises(RecipeError, match="'/etc/passwd' lies outside"):
        load_checked(recipe, ["data.format=csv", "~data.base", "model=logistic"])


ADDRESS = "is refused: a table is a path on this machine, postgresql:// or s3://\n  try: engine options data"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("http://host/t.csv", f"'http:' {ADDRESS}"),
        ("s3:/bucket/t.csv?X-Amz-Signature=canary", f"'s3:' {ADDRESS}"),
        ("file:///etc/passwd", f"'file:' {ADDRESS}"),
        ("file:/etc/passwd", f"'file:' {ADDRESS}"),
        ('"a\\0b"', "a path holds no NUL character\n  try: engine options data"),
        ("x" * 300, f"'{'x' * 100}…' is too long for a path\n  try: engine options data"),
        ("x/" * 3000, f"'{'x/' * 50}…' is too long for a path\n  try: engine options data"),
    ],
)
@pytest.mark.parametrize("typed", [False, True])
def test_what_is_no_path_of_a_file(place: Path, path: str, message: str, typed: bool) -> None:
    """An address, and what no file can be called, is refused, also when it is typed, and not repeated."""
    given = (place, "table.csv", f"data.path='{path}'") if typed else (place, path)
    if typed and path.startswith('"'):
        return
    line = "command line" if typed else f"{place}/stranger/small.yaml:3"
    assert refusal(*given) == f"{line}: data.path\n  {message}"


@pytest.mark.parametrize(
    ("runs", "typed"),
    [
        ("/etc/cron.d", "runs=/etc/cron.d"),
        ("../elsewhere", "runs=../elsewhere"),
        ("out", "runs=out"),
        ("../a b", "'runs=\"../a b\"'"),
    ],
)
def test_a_recipe_writes_below_the_working_directory_only(place: Path, runs: str, typed: str) -> None:
    """A recipe's `runs` leads out of the working directory by no path and no link; the user's may."""
    (place / "mine" / "out").symlink_to(place / "elsewhere")
    extra = f"runs: {runs}\n"
    assert refusal(place, extra=extra) == (
        f"{place}/stranger/small.yaml:5: runs\n"
        f"  '{runs}' leads out of the working directory: a recipe writes below it only\n"
        f"  allowed: {place}/mine\n  try: the same command with {typed}"
    )
    assert load(place, "table.csv", f'runs="{runs}"', extra=extra).runs == runs
    assert load(place, extra=extra, runs="/anywhere").runs == "/anywhere"
    assert load(place, extra="runs: sub/runs\n").runs == "sub/runs"


def test_a_name_that_is_a_link_out_is_refused(place: Path) -> None:
    """Where `runs/NAME` is a link to elsewhere, the run is not written there."""
    (place / "mine" / "runs").mkdir()
    (place / "mine" / "runs" / "small").symlink_to(place / "elsewhere")
    assert "'runs' leads out of the working directory" in refusal(place)


def test_our_own_tables_lie_where_they_were_installed(place: Path) -> None:
    """A stored recipe of our own examples runs again from any folder."""
    from engine.recipe.find import shipped

    table = str(shipped("recipes") / "data" / "adult.csv")
    assert load(place, table).data.path == table


def test_options_that_are_links_are_not_followed_out(place: Path) -> None:
    """Neither a folder of options beside the recipe nor an option in one leads elsewhere."""
    options = place / "elsewhere" / "conf" / "model"
    options.mkdir(parents=True)
    (options / "mine.yaml").write_text("family: logistic\nparams: {}\nspace: {}\n")
    beside = place / "stranger" / "conf"
    beside.symlink_to(place / "elsewhere" / "conf")
    assert refusal(place, "table.csv", "model=mine") == (
        f"{place}/elsewhere/conf\n  a link leads to these options, out of the recipe's folder and the working directory"
    )
    beside.unlink()
    (beside / "model").mkdir(parents=True)
    (beside / "model" / "mine.yaml").symlink_to(options / "mine.yaml")
    assert refusal(place, "table.csv", "model=mine") == (
        f"{place}/stranger/conf/model/mine.yaml\n  this option is a link that leads out of 'conf'"
    )
    (beside / "model" / "mine.yaml").unlink()
    (beside / "model" / "other.yaml").write_text("family: logistic\nparams: {}\nspace: {}\n")
    (beside / "model" / "mine.yaml").symlink_to("other.yaml")
    assert load(place, "table.csv", "model=mine").model.family == "logistic"
