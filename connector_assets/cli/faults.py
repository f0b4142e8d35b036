"""The faults of a document as a person reads them: where, what, and the line with a caret."""

from __future__ import annotations

from connector_assets.errors import SpecError
from connector_assets.spec.yaml.excerpt import render_fault
from connector_assets.spec.yaml.yaml_text import read_file


def render(error: SpecError) -> str:
    """Every fault, below each other; without its file, only paths and messages."""
    text = _text(error.source)
    return "\n".join(render_fault(fault, text, error.source) for fault in error.faults)


def _text(source: str | None) -> bytes:
    if source is None:
        return b""
    try:
        return read_file(source)
    except SpecError:
        return b""
