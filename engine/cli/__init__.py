"""The command line: parse, call, print. Each verb of `engine VERB …` is a module, imported when called."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from engine.cli.arguments import Options, Parser
from engine.cli.output import print_error, print_text, print_trace
from engine.cli.stop import STOPPED, StoppedError, is_stop
from engine.errors import EngineError, RecipeError, nearest, own_fault
from engine.later import lightly, quickly
from engine.redaction import forget_secrets

_MAX_PATH = 100
# How `durable` names what it writes beside a file before the file is whole.
_ASIDE = re.compile(r"\.(.+)\.(?:[0-9a-f]{8}\.partial|lock|shards)")

# verb: (module, one line for --help), in the order of a model's life
VERBS = {
    "init": ("engine.cli.init", "look at a table and write a first recipe for it, with reasons"),
    "plan": ("engine.cli.plan", "compose and check a recipe, say what a run would do; trains nothing"),
    "run": ("engine.cli.run", "the whole life cycle: check, split, fit, evaluate, gates, bundle, report"),
    "runs": ("engine.cli.runs", "list runs"),
    "show": ("engine.cli.show", "one run: scores, gates, what it was made with"),
    "diff": ("engine.cli.diff", "what differs between two runs"),
    "verify": ("engine.cli.verify", "run again from the folder and compare bit for bit"),
    "predict": ("engine.cli.predict", "score a CSV or Parquet file"),
    "explain": ("engine.cli.explain", "why a run answers rows as it does, and what would change its mind"),
    "promote": ("engine.cli.promote", "make a run the champion of its name, or go back to the one before"),
    "techdoc": ("engine.cli.techdoc", "technical documentation after the EU AI Act, with its gaps"),
    "package": ("engine.cli.package", "write a Bento and its archive"),
    "export": ("engine.cli.export", "one ONNX file for the edge, with a script that needs nothing of ours"),
    "serve": ("engine.cli.serve", "serve the bundle through BentoML, on loopback"),
    "shadow": ("engine.cli.shadow", "how a candidate's answers to real requests differ from the champion's"),
    "options": ("engine.cli.options", "what can be written in a recipe, and the options of each group"),
    "schema": ("engine.cli.schema", "the JSON Schema of recipes, for editors"),
}

# What asks and prints, and computes nothing, loads little; a service is there soon.
_START = {**dict.fromkeys(("plan", "runs", "show", "options", "schema"), lightly), "serve": quickly}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1, 2, 3, 4 or 130."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    forget_secrets()
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        return _dispatch(arguments)
    except (Exception, KeyboardInterrupt) as fault:  # noqa: BLE001 (the one place that answers for all)
        if "--debug" in arguments:
            print_trace(traceback.format_exc())
        error, code = _explain(fault, arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
        _forget_interrupt()
    # Outside of the except clause: what goes wrong in printing has no other error to drag along.
    print_error(error, json="--json" in arguments)
    return code


def _explain(fault: BaseException, arguments: Sequence[str]) -> tuple[EngineError, int]:
    """Return what is said of an exception, and the exit code."""
    if isinstance(fault, StoppedError):
        return fault, fault.exit_code
    if is_stop(fault):
        return EngineError.of("stopped by the user"), STOPPED
    if isinstance(fault, EngineError):
        return fault, fault.exit_code
    if isinstance(fault, OSError) and fault.strerror:
        return _explain_system(fault, arguments)
    assert isinstance(fault, Exception)
    return own_fault(fault), EngineError.exit_code


def _explain_system(fault: OSError, arguments: Sequence[str]) -> tuple[EngineError, int]:
    """Say in the system's words why a file can't be used; a path that the user gave is the user's mistake."""
    words = fault.strerror
    if fault.filename is None:
        return EngineError.of(f"the system refused: {words}"), EngineError.exit_code
    path = os.fsdecode(fault.filename)
    shown = path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}…"
    kind = RecipeError if _is_given(Path(path), arguments) else EngineError
    return kind.of(f"{shown}: {words}"), kind.exit_code


def _is_given(path: Path, arguments: Sequence[str]) -> bool:
    """Tell whether the command line named a path, the folder that holds it, or the file written beside it."""
    words = {word for argument in arguments for word in (argument, argument.rpartition("=")[2])}
    given = {Path(os.path.abspath(word)) for word in words} - {Path.cwd(), *Path.cwd().parents}
    here = Path(os.path.abspath(path))
    beside = {here.with_name(match[1])} if (match := _ASIDE.fullmatch(here.name)) else set()
    return bool(given & {here, *here.parents, *beside})


def _dispatch(arguments: list[str]) -> int:
    for argument in arguments:
        if not argument.isprintable() and _is_no_text(argument):
            shown = argument.encode("utf-8", "backslashreplace").decode()
            raise RecipeError.of(f"'{shown}' is no text in UTF-8", file="command line")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print_text(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        from engine.runs.facts import engine_version

        print_text(f"engine {engine_version()}")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        raise RecipeError.of(
            f"'{verb}' is not a command",
            file="command line",
            suggestion=nearest(verb, VERBS),
            allowed=tuple(VERBS),
            try_="engine --help",
        )
    module, summary = VERBS[verb]
    with _START.get(verb, contextlib.nullcontext)():
        command = importlib.import_module(module)
        parser = Parser(prog=f"engine {verb}", description=summary)
        command.add_arguments(parser)
        options: Options = parser.parse_intermixed_args(rest, Options(arguments=arguments))
        return int(command.call(options))


def _is_no_text(argument: str) -> bool:
    """Tell of bytes that are no UTF-8: the system hands them on, and no file of a run could hold them."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return True
    return False


def _help() -> str:
    lines = ["usage: engine VERB …", ""]
    lines += [f"  {verb:<9} {summary}" for verb, (_, summary) in VERBS.items()]
    lines += ["", "engine VERB --help says more. RECIPE is a YAML path or a name in ./recipes;"]
    lines += ["RUN is a run folder, a run id, NAME@champion or NAME@latest: the latest finished run, and for"]
    lines += ["--resume the latest interrupted one. Overrides are Hydra's: model=logistic seed=1"]
    return "\n".join(lines)


def _forget_interrupt() -> None:
    """Have a Ctrl-C that was answered for count as answered, so that the exit code is ours.

    CPython notes an interrupt that leaves a piece of source given to `exec` or `eval` (torch's import is
    full of them), and `python -m` ends by the signal where the note still stands at its exit, whoever
    caught the exception. The next piece of source takes the note away.
    """
    exec("")  # noqa: S102 (a constant, and empty)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
