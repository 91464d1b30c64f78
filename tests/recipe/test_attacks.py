"""The attack table: what a stranger's recipe or command line tries, and that nothing comes of it.

Every case is done in a process whose interpreter is watched, one for all: refused with exit 2 and in words, nothing
run, nothing imported that a plan does not import, nothing written, no connection, well under a second.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

WATCHED = Path(__file__).with_name("watched.py")
HEAD = "defaults: [base, model: logistic, _self_]\nname: small\n"
DATA = "data: {path: table.csv}\n"
SCHEMA = "schema: {target: y, columns: {x: {type: number}, y: {type: category, values: [a, b]}}}\n"
RECIPE = HEAD + DATA + SCHEMA
OPTION = "family: logistic\nparams: {}\nspace: {}\n"
# What Hydra would call, what its blocklist lets through, what other tools call, and names that only look so.
TARGETS = (
    "joblib.load", "builtins.open", "builtins.eval", "builtins.exec", "os.system", "os.popen", "os:system", "posix.system",
    "subprocess.run", "subprocess.Popen", "torch.load", "urllib.request.urlopen", "pandas.eval", "pandas.read_pickle",
    "numpy.load", "pickle.loads", "cloudpickle.loads", "importlib.import_module", "runpy.run_path", "shutil.rmtree",
    "ctypes.CDLL", "logging.config.dictConfig", "hydra.utils.instantiate", "webbrowser.open", "code.interact",
    "sklearn.linear_model.LogisticRegression", "sklearn.externals._packaging.structures", "sklearn.utils._testing.assert_run_python_script",
    "engine.models.lightgbm:FAMILY", "engine.cli:main", "__import__('os').system('id')",
    "{{ self.__init__.__globals__ }}", "%(asctime)s", "../../etc/passwd", "/etc/passwd",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A command, the files it finds, and words of the refusal."""

    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    recipe: str = RECIPE
    verb: str = "plan"
    code: int = 2
    prepare: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a case came to: what it said, and everything about it that should not be."""

    err: str
    wrong: tuple[str, ...]


def lay_out(case: Case, here: Path) -> None:
    """Write the files that a case finds into a new folder."""
    here.mkdir()
    files = {"r.yaml": case.recipe, "table.csv": "x,y\n1,a\n2,b\n3,a\n", **case.files}
    for name, content in files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(content)
    if case.prepare is not None:
        case.prepare(here)


class Watch:
    """A watched process that does one case after another, a good recipe first: what it does, a plan does anyway."""

    def __init__(self, folder: Path) -> None:
        clean = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
        self._said = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(WATCHED)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=clean,
            cwd=folder,
        )
        self._usual: set[str] = set()
        good = self._do(Case(code=0), folder / "good")
        assert good["code"] == 0, good["err"]
        self._usual = {str(event).split(".")[0] for event in good["heard"]}  # type: ignore[attr-defined]

    def do(self, cases: Mapping[str, Case], folder: Path) -> dict[str, Outcome]:
        """Do all cases, each in a folder of its own."""
        done = {}
        for number, (name, case) in enumerate(cases.items()):
            result = self._do(case, folder / str(number))
            done[name] = Outcome(str(result["err"]), tuple(_wrong(case, result, self._usual)))
        return done

    def survivors(self, cases: Mapping[str, Case], folder: Path) -> dict[str, tuple[str, ...]]:
        """Return what went wrong, by case."""
        return {name: outcome.wrong for name, outcome in self.do(cases, folder).items() if outcome.wrong}

    def end(self) -> None:
        """Let the process end, as it does where no case comes any more."""
        self._process.communicate()
        self._said.seek(0)
        assert (self._process.returncode, self._said.read()) == (0, "")
        self._said.close()

    def _do(self, case: Case, here: Path) -> dict[str, object]:
        lay_out(case, here)
        arguments = [case.verb, *([] if case.verb == "-c" else ["r.yaml", "--quiet"]), *case.arguments]
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"folder": str(here), "arguments": arguments}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, (case, Path(self._said.name).read_text())
        result: dict[str, object] = json.loads(line)
        return result


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """Start the process that does the cases."""
    watch = Watch(tmp_path_factory.mktemp("watched"))
    yield watch
    watch.end()


def _wrong(case: Case, result: dict[str, object], usual: set[str]) -> list[str]:
    """List what should not be: each event beyond a plan's, each file, each bound that was passed."""
    heard = [str(event) for event in result["heard"]]  # type: ignore[attr-defined]
    # Python's own library is no target but by name: what counts of it are the events that it causes.
    harmless = {f"import {name}" for name in sys.stdlib_module_names}
    wrong = [event for event in heard if event.split(".")[0] not in usual | harmless]
    wrong += [event for event in heard if not event.startswith("import ")]
    wrong += [f"file {name}" for name in result["files"]]  # type: ignore[attr-defined]
    wrong += [f"not said: {words}" for words in case.words if words not in str(result["err"])]
    if result["code"] != case.code or result["out"] or "Traceback" in str(result["err"]):
        wrong.append(f"exit {result['code']}: {result['err']!s:.300}{result['out']!s:.100}")
    if float(str(result["seconds"])) > 1:
        wrong.append(f"{result['seconds']} s of CPU")
    if float(str(result["peak_mib"])) > 200:
        wrong.append(f"{result['peak_mib']} MiB")
    if len(str(result["err"])) > 40_000:
        wrong.append(f"{len(str(result['err']))} characters")
    return wrong


HARM = {
    "import joblib": "import joblib",
    "import os; os.system('true')": "os.system",
    "import subprocess; subprocess.run(['true'])": "subprocess.Popen",
    "import socket; socket.socket().connect_ex(('127.0.0.1', 9))": "socket.connect",
    "open('new', 'w').close()": "file new",
    "import os; os.close(os.open('new', os.O_RDWR | os.O_CREAT))": "open for writing 'new'",
    "import os; os.mkdir('new')": "os.mkdir",
    "import pickle; pickle.loads(b'cos\\nsystem\\n.')": "pickle.find_class",
    "import time; end = time.process_time() + 1.05\nwhile time.process_time() < end: pass": "s of CPU",
}


def test_harm_would_be_seen(tmp_path: Path) -> None:
    """The watch hears each of the things that must not happen, so that its silence means something."""
    # A process of its own: what is imported here is not heard again.
    (tmp_path / "watched").mkdir()
    watch = Watch(tmp_path / "watched")
    done = watch.do({code: Case((code,), verb="-c") for code in HARM}, tmp_path)
    watch.end()
    assert [
        code for code, heard in HARM.items() if not any(heard in wrong for wrong in done[code].wrong)
    ] == []


def test_a_name_of_code_is_no_name_of_ours(watch: Watch, tmp_path: Path) -> None:
    """Where a recipe names something, a dotted path is an unknown name, and is imported from nowhere."""
    keys = (
        "data.format", "task.kind", "model.family", "split.kind", "tune.kind", "deploy.kind",
        "tracking.kind", "compute.device", "schema.columns.x.type", "schema.columns.x.role",
    )  # fmt: skip
    recipe = """\
defaults: [base, _self_]
name: small
data: {path: table.csv, format: T}
goal: {metric: T}
task: {kind: T}
model: {family: T, estimator: T, params: {C: T}, space: {C: T}}
split: {kind: T}
tune: {kind: T}
deploy: {kind: T}
tracking: {kind: T}
compute: {device: T}
schema: {target: y, columns: {x: {type: T, role: T}, y: {type: category}}}
"""
    unknown = tuple(f": {key}\n" for key in keys)
    cases = {
        target: Case(recipe=recipe.replace("T", json.dumps(target)), words=unknown) for target in TARGETS[::2]
    }
    assert watch.survivors(cases, tmp_path) == {}


def test_an_estimator_and_its_parameters_are_names(watch: Watch, tmp_path: Path) -> None:
    """`model.estimator` is a class name of the index, a parameter's value what the constructor takes."""
    recipe = RECIPE.replace("model: logistic", "model: sklearn")
    cases = {
        target: Case(
            recipe=f"{recipe}model: {{estimator: {json.dumps(target)}}}\ngoal: {{metric: {json.dumps(target)}}}\n",
            words=(": model.estimator\n", ": goal.metric\n"),
        )
        for target in TARGETS[1::2]
    }
    cases |= {
        f"params {target}": Case(
            recipe=f"{RECIPE}model: {{params: {{solver: {json.dumps(target)}, {json.dumps(target)}: 1}}}}\n",
            words=(": model.params.solver\n", "is not a parameter of logistic"),
        )
        for target in TARGETS[1::6]
    }
    assert watch.survivors(cases, tmp_path) == {}


def test_overrides_name_no_code(watch: Watch, tmp_path: Path) -> None:
    """The same words on the command line, as values, as keys and as what Hydra would instantiate."""
    cases = {}
    for target in TARGETS[::3]:
        value = f'"{target}"'
        arguments = (
            f"model.family={value}", f"task.kind={value}", f"deploy.kind={value}", f"split.kind={value}",
            f"+model.params._target_={value}", f"model.params={{_target_: {value}}}", f"+_target_={value}",
            f'model."_target_"={value}', f"schema.columns.x={{_target_: {value}, type: number}}",
            f"+hydra.callbacks.x._target_={value}", f"hydra/launcher={value}",
        )  # fmt: skip
        words = tuple(f"command line: {key}\n" for key in ("task.kind", "deploy.kind", "split.kind"))
        words += ("'_target_' is refused: a recipe is data, not code", "Hydra's own settings are not part")
        cases[target] = Case(arguments, words=words)
    assert watch.survivors(cases, tmp_path) == {}


def named(key: str) -> dict[str, Case]:
    """Return recipes, options and overrides with a key that names code at each place where there is one."""
    said = f"'{key}' is refused: a recipe is data, not code"
    value = "os.system" if key == "_target_" else "[x]"
    inner = f"{{{key}: {value}}}"
    columns = SCHEMA.replace("{type: number}", f"{{type: number, {key}: {value}}}")
    called = SCHEMA.replace("x: {type: number}", f"{key}: {{type: number}}")
    return {
        "top": Case(recipe=f"{RECIPE}{key}: {value}\n", words=(said, f"r.yaml:5: {key}\n")),
        "params": Case(recipe=f"{RECIPE}model: {{params: {inner}}}\n", words=(said,)),
        "deeper": Case(recipe=f"{RECIPE}model: {{params: {{a: {{b: [1, {inner}]}}}}}}\n", words=(said,)),
        "merged": Case(recipe=f"{RECIPE}a: &a {inner}\nmodel: {{<<: *a}}\n", words=(said,)),
        "column's": Case(recipe=HEAD + DATA + columns, words=(said,)),
        "column": Case(recipe=HEAD + DATA + called, words=(f"'{key}' can't be a column's name: it names code",)),
        "defaults": Case(recipe=RECIPE.replace("model: logistic", f"{key}: x"), words=("r.yaml:1: defaults",)),
        "option": Case(
            ("model=mine",), {"conf/model/mine.yaml": f"{OPTION}extra: {inner}\n"}, (said, "conf/model/mine.yaml:4")
        ),
        "base": Case(files={"conf/base.yaml": f"defaults: [_self_]\ngoal: {inner}\n"}, words=(said, "conf/base.yaml:2")),
        "override": Case((f"+goal.{key}={value}",), words=(said,)),
    }  # fmt: skip


def test_a_key_that_names_code_is_refused_wherever_it_stands(watch: Watch, tmp_path: Path) -> None:
    """`_target_` and its kin are refused at every depth, in a list, merged in, in an option and in the base."""
    keys = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_", "_call_")
    cases = {f"{key} {name}": case for key in keys for name, case in named(key).items()}
    assert watch.survivors(cases, tmp_path) == {}


HYDRA = "'hydra' is refused: Hydra's own settings are not part of a recipe"
ODD = "is refused: a defaults list names groups and options only"
NODES = {
    "callbacks": "hydra: {callbacks: {x: {_target_: os.system, command: id}}}",
    "job_logging": "hydra: {job_logging: {version: 1, handlers: {x: {(): os.system}}}}",
    "run.dir": "hydra: {run: {dir: /etc}}",
    "searchpath": "hydra: {searchpath: ['file:///etc']}",
    "output_subdir": "hydra: {output_subdir: ../../x}",
    "null": "hydra: null",
    "quoted": '"hydra": {job: {chdir: true}}',
}
DEFAULTS = (
    "hydra/launcher: joblib", "override hydra/launcher: joblib", "override /hydra/job_logging: x", "optional hydra/callbacks: x",
    "hydra: x", "hydra@_global_: x", "hydra/launcher@model: x", "model@_global_: logistic", "model@hydra: logistic",
    "/etc/passwd", "../../etc/passwd", "model: ../../etc/passwd", "model: /etc/passwd", "model: x/../../y", "/model: logistic",
    "model: 'file:///etc/passwd'", "model: 'pkg://os'", "model: '${oc.env:HOME}'", "'${a}'", "model: [../x, logistic]",
    "model: .hidden", "'..': x", "model: 'a\\b'",
)  # fmt: skip


def test_hydras_settings_are_out_of_reach(watch: Watch, tmp_path: Path) -> None:
    """A `hydra` node in a recipe, an option or the base, a defaults entry or a package that leads to it."""
    cases = {}
    for name, node in NODES.items():
        cases[f"recipe {name}"] = Case(recipe=f"{RECIPE}{node}\n", words=(HYDRA, "r.yaml:5"))
        cases[f"option {name}"] = Case(
            ("model=mine",), {"conf/model/mine.yaml": f"{OPTION}{node}\n"}, (HYDRA,)
        )
        cases[f"base {name}"] = Case(
            files={"conf/base.yaml": f"defaults: [_self_]\n{node}\n"}, words=(HYDRA,)
        )
    for entry in DEFAULTS:
        cases[f"recipe {entry}"] = Case(recipe=RECIPE.replace("model: logistic", entry), words=(ODD,))
        option = f"defaults: [{entry}]\n{OPTION}"
        cases[f"option {entry}"] = Case(("model=mine",), {"conf/model/mine.yaml": option}, (ODD,))
    for package in ("hydra", "_global_", "hydra.callbacks", "task", "_name_"):
        option = f"# mine\n# @package {package}\n{OPTION}"
        cases[f"package {package}"] = Case(
            ("model=mine",),
            {"conf/model/mine.yaml": option},
            (f"conf/model/mine.yaml:2\n  '@package {package}'",),
        )
    cases["package of a recipe"] = Case(
        recipe=f"# @package hydra\n{RECIPE}", words=("r.yaml:1\n  '@package hydra'",)
    )
    assert watch.survivors(cases, tmp_path) == {}  # fmt: skip


OVERRIDES = (
    "hydra.run.dir=/x", "+hydra.callbacks.x._target_=os.system", "hydra.searchpath=[file:///etc]", "hydra/launcher=joblib",
    "+hydra/callbacks=x", "hydra=x", "~hydra", "~hydra.job", "hydra.job_logging.handlers={}", '"hydra".run.dir=x', "++hydra.job.chdir=true",
    "hydra@_global_=x", "model@hydra=logistic", "+model@_global_=logistic", "model@:hydra=logistic", "/model=logistic",
    "model=../../etc/passwd", "model=/etc/passwd", "model=x/../../y", "model='../logistic'", "+../../etc=passwd", "model=[../x]",
    "model=", "+model/../../x=y", "data.path=${oc.decode:x}", "data.path=${now:x}", "data.path=${hydra:runtime.cwd}",
    "data.path=${oc.create:{}}", "goal.statement=${python:os.system}", "goal.statement='${a.${b}}'", "goal.statement='${'",
)  # fmt: skip


def test_overrides_reach_nothing_of_hydras(watch: Watch, tmp_path: Path) -> None:
    """Every way that Hydra's grammar has to its own settings, to packages, to files and to resolvers."""
    assert (
        watch.survivors({line: Case((line,), words=("command line",)) for line in OVERRIDES}, tmp_path) == {}
    )


TEXTS = (
    "!!python/object/apply:os.system [id]", "!!python/name:os.system ''", "!!python/module:os ''", "!!python/object/new:os.system [id]",
    "!!python/object:os.system {}", "!env HOME", "!include /etc/passwd", "!!binary aGk=", "!!set {a}", "!!timestamp 2020-01-01", "!<tag:x> y",
    "'${oc.create:{a: 1}}'", "'${oc.decode:\"1\"}'", "'${oc.dict.values:data}'", "'${oc.dict.keys:data}'", "'${oc.select:data.path,x}'",
    "'${oc.deprecated:data.path}'", "'${now:%Y}'", "'${hydra:job.name}'", "'${python:os.system}'", "'${${a}}'", "'${oc.env:${a}}'",
    "'${oc.env:HOME,${a}}'", "'${'", "'${env:HOME}'", "'${file:/etc/passwd}'", "'${oc.env:NO_SUCH_VARIABLE}'", "'${goal.statement}'",
)  # fmt: skip


def test_texts_and_tags_run_nothing(watch: Watch, tmp_path: Path) -> None:
    """A YAML tag, on a value or a key, and every resolver but one, in a recipe and in an option."""
    cases = {}
    for written in TEXTS:
        recipe = f"{RECIPE}goal:\n  statement: {written}\n"
        cases[written] = Case(recipe=recipe, words=("r.yaml:6: goal.statement\n",))
        option = f"{OPTION}estimator: {written}\n"
        place = (
            ""
            if "oc.env:NO" in written or "goal.statement" in written
            else "conf/model/mine.yaml:4: estimator\n"
        )
        cases[f"option {written}"] = Case(("model=mine",), {"conf/model/mine.yaml": option}, (place,))
    cases["key"] = Case(
        recipe=f"{RECIPE}!!python/name:os.system goal: {{}}\n", words=("r.yaml:5: goal\n  the tag",)
    )
    cases["second document"] = Case(recipe=f"{RECIPE}---\nhydra: {{}}\n", words=("one YAML document",))
    assert watch.survivors(cases, tmp_path) == {}  # fmt: skip


def bombs() -> dict[str, Case]:
    """Return small files and lines that would cost a naive reader minutes or gigabytes."""
    aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
    )
    wide = f"a: &a '{'x' * 400_000}'\nb: [{','.join(['*a'] * 40_000)}]\n"
    deep = f"a0: &a0 {'[' * 30}x{']' * 30}\n" + "".join(
        f"a{i}: &a{i} {'[' * 30}*a{i - 1}{']' * 30}\n" for i in range(1, 20)
    )

    def params(pairs: list[str]) -> str:
        return f"{RECIPE}model: {{params: {{{', '.join(pairs)}}}}}\n"

    def links(n: int, written: str) -> str:
        return params(
            ["a0: x", *(f"a{i}: {written.replace('P', f'model.params.a{i - 1}')}" for i in range(1, n))]
        )

    def patterned(pattern: str) -> str:
        return SCHEMA.replace("x: {type: number}", f"x: {{type: text, role: ignore, pattern: '{pattern}'}}")

    includes = {f"conf/model/m{i}.yaml": f"defaults: [m{i + 1}, m{i + 1}]\n{OPTION}" for i in range(40)}
    chain = {f"conf/model/m{i}.yaml": f"defaults: [m{i + 1}]\n{OPTION}" for i in range(300)}
    circle = {f"conf/model/m{i}.yaml": f"defaults: [m{(i + 1) % 3}]\n{OPTION}" for i in range(3)}
    chosen = RECIPE.replace("model: logistic", "model: m0")
    return {
        "aliases": Case(recipe=RECIPE + aliases, words=("aliases expand to more than 5000 values",)),
        "long aliases": Case(recipe=RECIPE + wide, words=("expands to more than 2097152 characters",)),
        "deep aliases": Case(recipe=RECIPE + deep, words=("nested deeper than 40",)),
        "lists": Case(recipe=f"{RECIPE}goal: {'[' * 500_000}", words=("nested deeper than 40",)),
        "mappings": Case(recipe=f"{RECIPE}goal: {'{a: ' * 200_000}", words=("nested deeper than 40",)),
        "dashes": Case(recipe="- " * 400_000, words=("nested deeper than 40",)),
        "values": Case(recipe=f"{RECIPE}goal: [{'x,' * 400_000}]", words=("more than 50000 values",)),
        "large": Case(recipe=f"{RECIPE}# {'x' * (1 << 20)}", words=("larger than 1048576 bytes",)),
        "long chain": Case(recipe=links(400, '"${P}"'), words=("follow each other further than 20",)),
        "doubling texts": Case(recipe=links(31, '"${P}${P}"'), words=("expand to more than 65536 characters",)),
        "doubling maps": Case(recipe=links(31, '{x: "${P}", y: "${P}"}'), words=("expand to more than 65536",)),
        "open braces": Case(recipe=f"{RECIPE}goal: {{statement: '{'${' * 300_000}'}}\n", words=("no sound",)),
        "closed braces": Case(recipe=f"{RECIPE}goal: {{statement: '{'${a:' * 9_000}{'}' * 9_000}'}}\n", words=("is refused",)),
        "backslashes": Case(recipe=f"{RECIPE}goal: {{statement: '{chr(92) * 900_000}${{'}}\n", words=("r.yaml:5",)),
        "many mistakes": Case(recipe=f"{RECIPE}{''.join(f'k{i}: {{_target_: x}}{chr(10)}' for i in range(9_000))}", words=("r.yaml:5: k0",)),
        "many twins": Case(recipe=RECIPE + "name: x\n" * 9_000, words=("stands twice",)),
        "includes": Case(recipe=chosen, files=includes, words=("is included twice",)),
        "include chain": Case(recipe=chosen, files=chain, words=("more than 60 files include each other",)),
        "include circle": Case(recipe=chosen, files=circle, words=("lead back to itself",)),
        "override lists": Case((f"model.params.C={'[' * 5_000}",), words=("nested deeper than 40",)),
        "override maps": Case((f"model.params.C={'{a: ' * 2_000}",), words=("nested deeper than 40",)),
        "override text": Case((f"goal.statement={'x' * 100_000}",), words=("longer than 20000 characters",)),
        "override digits": Case((f"seed={'9' * 9_000}",), words=("a number of 9000 digits",)),
        "override chain": Case(
            (*(f"+model.params.a{i}='${{model.params.a{i + 1}}}${{model.params.a{i + 1}}}'" for i in range(30)), "+model.params.a30=x"),
            words=("references",),
        ),
        "pattern repeats": Case(recipe=HEAD + DATA + patterned("a{99999999999}"), words=("x.pattern\n", "too large")),
        "pattern nests": Case(recipe=HEAD + DATA + patterned("(" * 499 + ")" * 499), words=("x.pattern\n",)),
        "pattern is long": Case(recipe=HEAD + DATA + patterned("a" * 9_000), words=("longer than 1000 characters",)),
        "huge number": Case(recipe=f"{RECIPE}seed: {'9' * 100_000}\n", words=("r.yaml:5: seed\n",)),
        "huge exponent": Case(recipe=f"{RECIPE}seed: 1e{'9' * 100_000}\n", words=("r.yaml:5: seed\n",)),
    }  # fmt: skip


def test_bombs_are_refused_before_they_go_off(watch: Watch, tmp_path: Path) -> None:
    """What expands, nests, chains, repeats or includes itself is refused at the bound that it passes."""
    assert watch.survivors(bombs(), tmp_path) == {}


def places() -> dict[str, Case]:
    """Return recipes that would have files read or written elsewhere, and files that are none."""
    outside = "outside of the folders that a recipe may read"
    paths = {
        "../../../../../../../../etc/passwd": outside, "/etc/passwd": outside, "~/../../etc/passwd": outside,
        "/proc/self/environ": outside, "/dev/zero": outside, "'${oc.env:HOME}/../../etc/passwd'": outside,
        "file:///etc/passwd": "'file:' is refused", "http://127.0.0.1:9/x.csv": "'http:' is refused", "s3://bucket/x": "'s3://bucket/x' is on a server",
        '"a\\0b"': "NUL", "link.csv": "leads to '/etc/passwd', outside", "folder/passwd": "leads to '/etc/passwd', outside",
    }  # fmt: skip

    def linked(here: Path) -> None:
        (here / "link.csv").symlink_to("/etc/passwd")
        (here / "folder").symlink_to("/etc")

    def option(make: Callable[[Path], None]) -> Callable[[Path], None]:
        def prepare(here: Path) -> None:
            (here / "conf" / "model").mkdir(parents=True)
            make(here / "conf" / "model" / "mine.yaml")

        return prepare

    def sparse(file: Path) -> None:
        file.touch()
        os.truncate(file, 2**33)

    def conf_elsewhere(here: Path) -> None:
        (here / "conf").symlink_to("/etc")

    mine = ("model=mine",)
    cases = {
        path: Case(recipe=HEAD + f"data: {{path: {path}}}\n" + SCHEMA, words=(said,), prepare=linked)
        for path, said in paths.items()
    }
    for runs in ("/etc/cron.d", "../../x", "folder"):
        cases[f"runs {runs}"] = Case(
            recipe=f"{RECIPE}runs: {runs}\n",
            words=("a recipe writes below it only",),
            prepare=linked,
            verb="run",
        )
    for name in ("../x", "/etc/x", "..", ".", "a/b", "", "a\\0b", "x" * 101):
        cases[f"name {name}"] = Case(
            recipe=RECIPE.replace("small", f'"{name}"'), words=("r.yaml:2: name",), verb="run"
        )
    return cases | {
        "option is a link": Case(mine, prepare=option(lambda file: file.symlink_to("/etc/passwd")), words=("a link that leads out",)),
        "option is a pipe": Case(mine, prepare=option(os.mkfifo)),
        "option is a device": Case(mine, prepare=option(lambda file: file.symlink_to("/dev/zero"))),
        "option is a folder": Case(mine, prepare=option(Path.mkdir)),
        "option is sparse": Case(mine, prepare=option(sparse), words=("larger than",)),
        "options are elsewhere": Case(prepare=conf_elsewhere, words=("a link leads to these options",)),
    }  # fmt: skip


def test_nothing_elsewhere_is_read_or_written(watch: Watch, tmp_path: Path) -> None:
    """Paths, links, addresses, devices and pipes, as data, as options and as where runs go."""
    assert watch.survivors(places(), tmp_path) == {}


LITERAL = "a secret is refused, as it would be stored"
SECRETS = {
    "key": "data: {path: table.csv, password: canary-2718}",
    "nested": "model: {params: {api-key: canary-2718}}",
    "number": "task: {token: 2718281828}",
    "address": "goal: {statement: 'postgresql://ann:canary-2718@db/x'}",
    "in a list": "data: {path: table.csv, null_values: ['https://ann:canary-2718@x']}",
}


def test_a_secret_never_enters(watch: Watch, tmp_path: Path) -> None:
    """A password in a key that says so, or in an address, is refused and not repeated, wherever it is given."""
    cases = {
        name: Case(recipe=HEAD + SCHEMA + line + "\n", words=(LITERAL, "${oc.env:NAME}"))
        for name, line in SECRETS.items()
    }
    for line in (
        "+data.password=canary-2718",
        "+data={secret: canary-2718}",
        "data.path=x://a:canary-2718@b",
        "+data.token='canary-2718 #",
    ):
        cases[line] = Case((line,))
    done = watch.do(cases, tmp_path)
    assert {name: outcome.wrong for name, outcome in done.items() if outcome.wrong} == {}
    assert {name: outcome.err for name, outcome in done.items() if "2718" in outcome.err} == {}  # fmt: skip


LONE = {
    "target": Case(recipe=f"{RECIPE}model: {{_target_: joblib.load, filename: x}}\n"),
    "doubling": bombs()["doubling texts"],
    "includes": bombs()["includes"],
    "passwd": Case(recipe=HEAD + "data: {path: ../../../../etc/passwd}\n" + SCHEMA),
    "override": Case(("+hydra.callbacks.x._target_=os.system", "model=../../etc/passwd")),
}


# The program tells its own peak: the parent's count takes in what pytest held before the exec.
ALONE = f"""
import sys
sys.path.insert(0, {str(WATCHED.parent)!r})
from engine.cli import main
code = main()
from watched import peak_mib
print(peak_mib())
sys.exit(code)
"""


def test_alone_each_costs_no_more_than_a_good_recipe(tmp_path: Path) -> None:
    """As commands of their own: exit 2, at most a second of CPU beyond a good recipe's, under 200 MiB, no file."""
    spent = {}
    for name, case in {"good": Case(code=0), **LONE}.items():
        here = tmp_path / name
        lay_out(case, here)
        before = sorted(here.rglob("*"))
        verb = "plan" if name == "good" else "run"
        process = subprocess.Popen(
            [sys.executable, "-c", ALONE, verb, "r.yaml", "--quiet", *case.arguments],
            cwd=here,
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (20, 20)),  # noqa: PLW1509 (one thread here)
        )
        assert process.stdout is not None
        with process.stdout as pipe:
            told = pipe.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        spent[name] = usage.ru_utime + usage.ru_stime
        assert process.returncode == case.code, name
        assert float(told.splitlines()[-1]) < 200, name
        assert sorted(here.rglob("*")) == before, name
    assert {name: seconds for name, seconds in spent.items() if seconds > spent["good"] + 1} == {}
