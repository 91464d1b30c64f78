"""The command line: parse, call, print. Each verb of `engine VERB …` is a module, imported when called."""

from __future__ import annotations

import importlib
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from engine.cli.arguments import Options, Parser
from engine.cli.output import print_error
from engine.errors import EngineError, RecipeError, nearest, own_fault

# verb: (module, one line for --help), in the order of a model's life
VERBS = {
    "plan": ("engine.cli.plan", "compose and check a recipe, say what a run would do; trains nothing"),
    "run": ("engine.cli.run", "the whole life cycle: check, split, fit, evaluate, gates, bundle, report"),
    "runs": ("engine.cli.runs", "list runs"),
    "show": ("engine.cli.show", "one run: scores, gates, what it was made with"),
    "diff": ("engine.cli.diff", "what differs between two runs"),
    "verify": ("engine.cli.verify", "run again from the folder and compare bit for bit"),
    "predict": ("engine.cli.predict", "score a CSV or Parquet file"),
    "package": ("engine.cli.package", "write a Bento and its archive"),
    "serve": ("engine.cli.serve", "serve the bundle through BentoML, on loopback"),
    "options": ("engine.cli.options", "what can be written in a recipe, and the options of each group"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1, 2, 3, 4 or 130."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    before = signal.signal(signal.SIGTERM, _stop)
    json, debug = "--json" in arguments, "--debug" in arguments
    try:
        return _dispatch(arguments)
    except EngineError as error:
        if debug:
            traceback.print_exc()
        print_error(error, json=json)
        return error.exit_code
    except KeyboardInterrupt:
        print_error(EngineError.of("stopped by the user"), json=json)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to say to them.
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 (the one place that answers for our own faults)
        if debug:
            traceback.print_exc()
        print_error(own_fault(error), json=json)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())  # noqa: T201 (stdout is where results go)
        return 0
    if arguments[0] in ("-V", "--version"):
        from engine.runs.facts import engine_version

        print(f"engine {engine_version()}")  # noqa: T201
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
    command = importlib.import_module(module)
    parser = Parser(prog=f"engine {verb}", description=summary)
    command.add_arguments(parser)
    options: Options = parser.parse_intermixed_args(rest, Options())
    return int(command.call(options))


def _help() -> str:
    lines = ["usage: engine VERB …", ""]
    lines += [f"  {verb:<9} {summary}" for verb, (_, summary) in VERBS.items()]
    lines += ["", "engine VERB --help says more. RECIPE is a YAML path or a name in ./recipes;"]
    lines += ["RUN is a run folder, a run id, or NAME@latest. Overrides are Hydra's: model=logistic seed=1"]
    return "\n".join(lines)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
