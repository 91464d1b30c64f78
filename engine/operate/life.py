"""What goes on beside a service: put together, judged before the service begins, and begun with its door."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from engine.deploy.door import Door
from engine.deploy.observe import Exchange, Observer
from engine.deploy.served import Served
from engine.deploy.watch import judged, what_differs
from engine.deploy.workers import post
from engine.errors import BundleError, RecipeError, nearest
from engine.operate.canary import Canary, Share
from engine.operate.log import Logging, Recorder
from engine.operate.meters import meters
from engine.operate.shadow import Shadow
from engine.runs.bundle import Bundle, load_deployable
from engine.runs.contract import LogFacts

# As a recipe that logs would most likely say.
_USUAL = LogFacts(folder="log", share=1.0, max_rows=50_000, max_s=60.0)


@dataclass(frozen=True, slots=True)
class Life:
    """What a service is to have beside it; each part may be missing.

    Attributes
    ----------
    log
        Where requests are logged.
    shadow, shadow_folder
        The candidate that sees a copy of them, and where its answers are written.
    canary, share
        The candidate that answers a share of them, and which.
    tell
        Hears what an operator should know.
    """

    tell: Callable[[str], None]
    log: Logging | None = None
    shadow: Bundle | None = None
    shadow_folder: Path | None = None
    canary: Bundle | None = None
    share: Share | None = None

    def begin(self, door: Door) -> None:
        """Put it all beside a door; threads begin with the first request, in the process that has it."""
        observers: list[Observer] = []
        candidate = None
        if self.canary is not None and self.share is not None:
            candidate = Served(self.canary)
            canary = Canary(candidate, self.share, meters=meters(), tell=self.tell, out=_out(candidate))
            door.canary = canary
            observers.append(canary)
        observers.append(Recorder(self.log, meters=meters(), apart=candidate))
        if self.shadow is not None and self.shadow_folder is not None:
            observers.append(Shadow(Served(self.shadow), self.shadow_folder, meters=meters()))
        door.observer = observers[0] if len(observers) == 1 else _Several(observers)


@dataclass(frozen=True, slots=True)
class _Several:
    """Observers, one after the other."""

    observers: Sequence[Observer]

    def saw(self, exchange: Exchange) -> None:
        for observer in self.observers:
            observer.saw(exchange)

    def close(self) -> None:
        for observer in self.observers:
            observer.close()


def _out(candidate: Served) -> Path | None:
    """Return the file by which the workers of one service tell each other that a canary is out."""
    place = post()
    # A stranger's version may not be fit for a name of a file.
    version = blake2b(candidate.bundle.model_version.encode(), digest_size=8).hexdigest()
    return None if place is None else Path(place.home) / f"canary-{version}.out"


def logging_of(bundle: Bundle, folder: Path | None) -> Logging | None:
    """Return where the requests to a bundle are logged: in `folder`, else where its recipe says, if it does.

    What a recipe says lies below the working directory: a stranger's bundle writes nowhere else.
    """
    said = bundle.limits.log
    if folder is None and said is None:
        return None
    facts = said or _USUAL
    where = Path(os.path.abspath(folder or facts.folder))
    return Logging(where, share=facts.share, max_rows=facts.max_rows, max_s=facts.max_s)


def shadow_of(folder: Path, champion: Bundle) -> Bundle:
    """Load a candidate that may see what the champion is asked.

    Raises
    ------
    BundleError
        If it is damaged, the champion itself, or of another target.
    GateError
        If its gates were missed.
    """
    candidate = load_deployable(folder)
    _require_another(candidate, champion)
    if other := what_differs(champion, candidate):
        raise BundleError.of(f"its answers can't be compared: {other}", file=str(folder))
    return candidate


def canary_of(folder: Path, champion: Bundle, share: Share) -> Bundle:
    """Load a candidate that may answer what the champion is asked, judged as a bundle that takes over.

    Raises
    ------
    BundleError, GateError
        As for one that takes over, and if it is the champion itself.
    RecipeError
        If no request has the key.
    """
    candidate = judged(folder, champion)
    _require_another(candidate, champion)
    names = [column.name for column in (*champion.schema.features, *champion.schema.ids)]
    if share.key is not None and share.key not in names:
        what = f"'{share.key}' is no column that a request has"
        near = nearest(share.key, names)
        raise RecipeError.of(what, file="command line", key="--key", suggestion=near, allowed=tuple(names))
    return candidate


def _require_another(candidate: Bundle, champion: Bundle) -> None:
    if candidate.model_version == champion.model_version:
        raise BundleError.of("this is the champion itself", file=str(candidate.folder))
