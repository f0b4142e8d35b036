"""A document that cannot be used, as an asset that says so.

One bad file must not take the others down with it, nor vanish: it stays in sight as an asset that
lists its faults and fails with them.
"""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg

from connector_assets.assets.source import code_reference
from connector_assets.errors import Fault, SpecError


def broken_asset(path: Path, error: SpecError, taken: set[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset of a bad file: key [file name, "invalid_spec"], numbered where that is taken."""
    key = _free(re.sub(r"[^A-Za-z0-9_]", "_", path.stem) or "_", taken)
    text = message(path, error.faults)
    first = error.faults[0] if error.faults else Fault("", str(error))
    spec = dg.AssetSpec(
        key,
        group_name="invalid_specs",
        description=text,
        kinds={"invalid"},
        metadata=code_reference(path, max(first.line, 1)),
    )

    @dg.multi_asset(name="__".join(key.path), specs=[spec])
    def op() -> None:
        raise dg.Failure(description=text, allow_retries=False)

    return op


def message(path: Path, faults: list[Fault]) -> str:
    """Every fault on its line.

    >>> print(message(Path("shop.yaml"), [Fault("auth.0.tokenUrl", "must be https://", 9, 5)]))
    shop.yaml cannot be used:
    - shop.yaml:9:5: auth.0.tokenUrl: must be https://
    """
    lines = [f"- {path}:{fault.line}:{fault.column}: {fault}" for fault in faults]
    return "\n".join([f"{path} cannot be used:", *lines])


def _free(stem: str, taken: set[dg.AssetKey]) -> dg.AssetKey:
    key, number = dg.AssetKey([stem, "invalid_spec"]), 1
    while key in taken:
        number += 1
        key = dg.AssetKey([stem, f"invalid_spec_{number}"])
    taken.add(key)
    return key
