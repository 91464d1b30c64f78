"""A finished run as an object, and finding one by folder, id, `NAME@latest` or `NAME@champion`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from engine.durable import read_journal
from engine.errors import EngineError, RecipeError, nearest
from engine.runs.folder import CHAMPIONS, PARTIAL, RECIPE, failure, is_interrupted, state_of

if TYPE_CHECKING:
    from engine.runs.bundle import Bundle

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run and its folder."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.path.parent.name

    @property
    def metrics(self) -> Json:
        """Scores by part and metric, each with its interval."""
        return self.read("metrics.json")

    @property
    def gates(self) -> Json:
        """The verdict and each gate."""
        return self.read("gates.json")

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return self.gates["passed"] is True

    @property
    def is_stopped(self) -> bool:
        """Whether the user stopped its search, and it was finished with the best so far."""
        return self.stopped_by == "user"

    @property
    def stopped_by(self) -> str | None:
        """What ended its search before all its trials, `user` or `time`; None where nothing did."""
        search = self.facts.get("search")
        by = search.get("stopped") if isinstance(search, dict) else None
        return None if by is None else str(by)

    @property
    def facts(self) -> Json:
        """What the run was made with."""
        return self.read("facts.json")

    def read(self, file: str) -> Json:
        """Read one of the run's JSON files.

        Raises
        ------
        EngineError
            If the file is missing or is no JSON object.
        """
        try:
            content = json.loads((self.path / file).read_bytes())
        except (OSError, ValueError) as error:
            raise EngineError.of(f"{self.path / file} can't be read: {error}") from error
        if not isinstance(content, dict):
            raise EngineError.of(f"{self.path / file} is not a JSON object")
        return content

    def bundle(self, *, threads: int = 1) -> Bundle:
        """Load what is deployed, every file checked against the manifest first."""
        from engine.runs.bundle import load_bundle

        return load_bundle(self.path / "bundle", threads=threads)

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Score raw rows with the run's bundle.

        Parameters
        ----------
        frame
            Shape (n_rows, n_columns) with the schema's feature columns, in any order.

        Returns
        -------
        pl.DataFrame
            Shape (n_rows, …): `prediction`, and for classification `probability_<class>`.

        Raises
        ------
        DataError
            If the rows break the schema.
        """
        return self.bundle().predict(frame)


def find_run(given: str, *, root: Path) -> Run:
    """Return the run that a folder, a run id, `NAME@latest` or `NAME@champion` stands for.

    Raises
    ------
    RecipeError
        If there is none, or it was interrupted.
    """
    name, at, word = given.partition("@")
    if at and word == "champion":
        return _champion(name, root=root)
    if at:
        if word != "latest":
            allowed = ["champion", "latest"]
            what = f"'@{word}' is not known"
            raise RecipeError.of(what, suggestion=nearest(word, allowed), allowed=allowed, try_="engine runs")
        runs = [run for run in list_runs(root, name=name) if not run.name.endswith(PARTIAL)]
        if not runs:
            names = [folder.name for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
            raise RecipeError.of(
                f"there is no finished run of '{name}' in {root}",
                suggestion=nearest(name, names),
                allowed=names,
                try_="engine runs",
            )
        return Run(runs[-1])
    folder = Path(given)
    if not folder.is_dir():
        matches = sorted(root.glob(f"*/{given}")) + sorted(root.glob(f"*/{given}{PARTIAL}"))
        if not matches:
            ids = [run.name for run in list_runs(root)]
            raise RecipeError.of(
                f"there is no run '{given}' in {root}", suggestion=nearest(given, ids), try_="engine runs"
            )
        folder = matches[0]
    folder = folder.resolve()
    if folder.name.endswith(PARTIAL):
        run = folder.name.removesuffix(PARTIAL)
        _refuse_failed(folder)
        state = "was interrupted" if is_interrupted(folder) else "is still at work"
        raise RecipeError.of(f"run {run} {state}", try_=f"engine run --resume {run}")
    if not (folder / "facts.json").is_file():
        raise RecipeError.of(f"{given} is not a run folder", try_="engine runs")
    return Run(folder)


def find_champion(folder: Path) -> str | None:
    """Return the id of the run that was promoted last, of the name whose runs lie in `folder`.

    Raises
    ------
    EngineError
        If the last line of the journal names none.
    """
    promotions = read_journal(folder / CHAMPIONS)
    if not promotions:
        return None
    run = promotions[-1].get("run")
    if not isinstance(run, str):
        cure = "take that line out, and look at the one before"
        raise EngineError.of("the last line names no run", file=str(folder / CHAMPIONS), try_=cure)
    return run


def _champion(name: str, *, root: Path) -> Run:
    champion = find_champion(root / name)
    if champion is None:
        what = f"no run of '{name}' in {root} was promoted yet"
        raise RecipeError.of(what, try_=f"engine promote {name}@latest --why TEXT")
    if not (root / name / champion / "facts.json").is_file():
        raise RecipeError.of(f"the champion {champion} is no longer there", file=str(root / name))
    return Run((root / name / champion).resolve())


def list_runs(root: Path, *, name: str | None = None) -> list[Path]:
    """Return the run folders of one name or of all, oldest first, partial ones among them."""
    names = [root / name] if name else sorted(root.iterdir()) if root.is_dir() else []
    return [
        folder
        for parent in names
        if parent.is_dir()
        for folder in sorted(parent.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and _is_run(folder)
    ]


def find_interrupted(given: str, *, root: Path) -> Path:
    """Return the folder of an interrupted run, given as an id, a folder or `NAME@latest`.

    Raises
    ------
    RecipeError
        If there is none: it may be finished, still at work, or failed for good.
    """
    name, at, word = given.partition("@")
    if at and word == "latest":
        return _latest_interrupted(name, root=root)
    run = Path(given).name.removesuffix(PARTIAL)
    for folder in [Path(given), *sorted(root.glob(f"*/{run}{PARTIAL}"))]:
        if folder.name.endswith(PARTIAL) and (folder / RECIPE).is_file():
            _refuse_failed(folder)
            if not is_interrupted(folder):
                raise RecipeError.of(f"run {run} is still at work", try_="engine runs")
            return folder.resolve()
    if Path(given).is_dir() or sorted(root.glob(f"*/{run}")):
        what = f"run {run} is finished: there is nothing to resume"
        raise RecipeError.of(what, try_=f"engine show {given}")
    raise RecipeError.of(f"there is no interrupted run '{run}' in {root}", try_="engine runs")


def _latest_interrupted(name: str, *, root: Path) -> Path:
    runs = list_runs(root, name=name)
    partial = [run for run in runs if run.name.endswith(PARTIAL) and (run / RECIPE).is_file()]
    interrupted = [run for run in partial if is_interrupted(run)]
    if interrupted:
        return interrupted[-1].resolve()
    if not runs:
        names = [folder.name for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
        what = f"there is no run of '{name}' in {root}"
        raise RecipeError.of(what, suggestion=nearest(name, names), try_="engine runs")
    states = {state_of(run) for run in partial}
    state = "one is at work" if "at work" in states else "one has failed" if states else "all are finished"
    what = f"no run of '{name}' was interrupted: {state}, and there is nothing to resume"
    raise RecipeError.of(what, try_=f"engine runs {name}")


def _refuse_failed(folder: Path) -> None:
    """Say of a run whose search came to nothing why it did."""
    why = failure(folder) if state_of(folder) == "failed" else None
    if why is not None:
        run = folder.name.removesuffix(PARTIAL)
        raise RecipeError.of(
            f"run {run} has failed, and there is nothing to resume: {why}", try_="engine runs"
        )


def _is_run(folder: Path) -> bool:
    return (folder / "facts.json").is_file() or folder.name.endswith(PARTIAL)
