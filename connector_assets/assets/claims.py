"""What Dagster takes once only in a code location: keys, names of steps, names of schedules.

It refuses the whole location where two assets want the same. Here the second connection is what
has a fault, and all others stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

import dagster as dg

from connector_assets.errors import Fault, SpecError

_FIX = {
    "asset": "give one of them another key, or a keyPrefix",
    "step": "give the asset of one of them another key: a / and two underscores are the same here",
    "check": "give one of them another name",
    "schedule": "rename the connection",
}


class Claims:
    """Names that are taken, and by which connection."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], str] = {}

    def take(self, owner: str, made: dg.Definitions) -> None:
        """Take the names of all that is in `made`; none, and SpecError, if some are taken."""
        own: dict[tuple[str, str], str] = {}
        faults = []
        for kind, name in _names(made):
            other = own.get((kind, name)) or self._taken.get((kind, name))
            if other is not None:
                whose = "twice" if other == owner else f'also by connection "{other}"'
                faults.append(Fault("", f'its {kind} "{name}" is there {whose}; {_FIX[kind]}'))
            own[kind, name] = owner
        if faults:
            raise SpecError(faults)
        self._taken |= own

    def is_free(self, made: dg.Definitions) -> bool:
        """Whether nothing of `made` is taken, or in it twice."""
        names = list(_names(made))
        return self._taken.keys().isdisjoint(names) and len({*names}) == len(names)


def _names(made: dg.Definitions) -> Iterator[tuple[str, str]]:
    for one in made.assets or ():
        if isinstance(one, dg.AssetSpec):
            yield "asset", one.key.to_user_string()
        elif isinstance(one, dg.AssetsDefinition):
            yield from (("asset", key.to_user_string()) for key in one.keys)
            yield from _check_names(one)
            if one.is_executable:
                yield "step", one.node_def.name
    for checks in made.asset_checks or ():
        yield from _check_names(checks)
        yield "step", checks.node_def.name
    for each in (*(made.schedules or ()), *(made.sensors or ())):
        yield "schedule", each.name


def _check_names(made: dg.AssetsDefinition) -> Iterator[tuple[str, str]]:
    return (("check", key.to_user_string()) for key in made.check_keys)


def circle(made: Iterable[dg.Definitions]) -> list[dg.AssetKey]:
    """Assets each of which waits for the next, from one around to itself; none if there are none.

    >>> items = dg.AssetSpec("items", deps=["orders"])
    >>> orders = dg.AssetSpec("orders", deps=["items"])
    >>> len(circle([dg.Definitions([items, orders])]))
    3
    """
    above = {spec.key: {dep.asset_key for dep in spec.deps} for spec in _specs(made)}
    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        found: list[dg.AssetKey] = error.args[1]
        return found
    return []


def _specs(made: Iterable[dg.Definitions]) -> Iterator[dg.AssetSpec]:
    for asset in (asset for one in made for asset in one.assets or ()):
        if isinstance(asset, dg.AssetSpec):
            yield asset
        elif isinstance(asset, dg.AssetsDefinition):
            yield from asset.specs
