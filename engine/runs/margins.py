"""What a bundle keeps of its model's margin, opened when somebody asks why it answers so."""

from __future__ import annotations

from engine.models.adder import Adder
from engine.models.margin_file import read_margin
from engine.runs.bundle import MARGIN, Bundle
from engine.runs.manifest import read_listed


def has_margin(bundle: Bundle) -> bool:
    """Tell whether the model is a sum of what its columns add, and the bundle keeps it."""
    return MARGIN in bundle.manifest.files


def open_margin(bundle: Bundle, *, threads: int = 1) -> Adder:
    """Return what tells what each column adds, of a bundle that has a margin.

    Raises
    ------
    BundleError
        If a file is no longer what the manifest says, or its content is no model's margin.
    """
    content, graph = (read_listed(bundle.folder, bundle.manifest, name) for name in (MARGIN, "model.onnx"))
    return Adder(read_margin(content), graph, schema_columns=bundle.schema.features, threads=threads)
