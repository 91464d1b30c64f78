"""The service in a Bento writes its log where it can, and never into the Bento itself."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from engine.deploy.door import Door
from engine.deploy.meters import meters
from engine.deploy.served import Served
from engine.errors import RecipeError
from engine.recipe.spec import LogSpec
from engine.runs.bundle import load_bundle


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that a Bento is served in."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path / "src"


@pytest.mark.parametrize("folder", ["bundle/log", "engine"])
def test_a_log_in_the_bento_is_refused(tiny: ModuleType, source: Path, folder: str) -> None:
    """A log that would be written into the bundle or the engine is refused as the service is made."""
    from engine.operate.service import create

    log = LogSpec(folder=folder, share=1.0, max_rows=100, max_s=1.0)
    bundle = tiny.write_tiny(source / "bundle", log=log)
    own = folder.partition("/")[0]
    with pytest.raises(RecipeError, match=f"is the Bento's own '{own}', which is never written to"):
        create(bundle)
    assert [path.name for path in source.iterdir()] == ["bundle"]


def test_a_log_that_cannot_be_written_is_told(tiny: ModuleType, source: Path) -> None:
    """The folder is tried as the service begins; a Bento that is only built has none in it."""
    from engine.operate.service import create

    log = LogSpec(folder="log", share=1.0, max_rows=100, max_s=1.0)
    service = create(tiny.write_tiny(source / "bundle", log=log))
    assert not (source / "log").exists()
    (source / "log").write_text("")

    async def nothing(*_: object) -> None:
        raise AssertionError

    door = Door(nothing, served=Served(load_bundle(source / "bundle")), meters=meters())
    with pytest.raises(RecipeError, match="can't be written to: File exists"):
        service.begin(door)
