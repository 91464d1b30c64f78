"""Where Hydra finds configs: our own source, which reads through the one bounded loader.

Imported by `compose` only. Every config that Hydra asks for is read by `text.read` and refused if it names
code; the documents read are kept, so that each value's place can be told afterwards.
"""

from __future__ import annotations

import os
from pathlib import Path

from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

from engine.recipe import text
from engine.recipe.defaults import refuse_too_much
from engine.recipe.links import refuse_linked_file
from engine.recipe.references import Veil
from engine.recipe.safe import refuse_code

SCHEME = "checked"
# The composed recipe itself is served under this name by `Composition`, from memory.
PRIMARY = "__recipe__"


class CheckedSource(ConfigSource):  # type: ignore[misc]  # Hydra is not typed
    """A folder of YAML files, each read bounded and checked before OmegaConf sees it."""

    primary: dict[str, text.Plain] | None = None
    veil = Veil()
    documents: dict[str, text.Document] = {}  # noqa: RUF012 (Hydra makes the instances; one composition at a time)

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider=provider, path=path if "://" in path else f"{SCHEME}://{path}")

    @staticmethod
    def scheme() -> str:
        """Return the scheme of search paths that this source serves."""
        return SCHEME

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one config for Hydra."""
        if config_path == PRIMARY and self.primary is not None:
            return self._result(self.primary, package="_global_")
        file = self._file(config_path)
        if not file.is_file():
            raise ConfigLoadError(f"Config not found : {file}")
        refuse_linked_file(file, folder=Path(self.path))
        document = text.read(file)
        group = os.path.dirname(config_path)
        refuse_code(document, group=group)
        self.documents.setdefault(config_path.removesuffix(".yaml"), document)
        refuse_too_much(self.documents)
        return self._result(document.mapping(), package=group.replace("/", ".") or "_global_")

    def available(self) -> bool:
        """Tell whether the folder exists."""
        return Path(self.path).is_dir()

    def is_group(self, config_path: str) -> bool:
        """Tell whether a group of this name exists."""
        return (Path(self.path) / config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Tell whether a config of this name exists."""
        return (config_path == PRIMARY and self.primary is not None) or self._file(config_path).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names in a group."""
        names: list[str] = []
        folder = Path(self.path) / config_path
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            self._list_add_result(
                files=names,
                file_path=os.path.join(config_path, entry.name),
                file_name=entry.name,
                results_filter=results_filter,
            )
        return sorted(set(names))

    def _file(self, config_path: str) -> Path:
        return Path(self.path) / str(self._normalize_file_name(config_path))

    def _result(self, value: dict[str, text.Plain], *, package: str) -> ConfigResult:
        return ConfigResult(
            provider=self.provider,
            path=f"{SCHEME}://{self.path}",
            # References are followed once all is composed, within bounds, and not by OmegaConf.
            config=OmegaConf.create(self.veil.hide(value)),
            header={"package": package},
        )


Plugins.instance().register(CheckedSource)
