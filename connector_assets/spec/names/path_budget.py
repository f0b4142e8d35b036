"""JMESPath with a budget: an expression of a thousand characters can ask for a terabyte.

`[@,@][]` doubles a list each time it stands there, and `to_string([@,@])` a text, by four. So what
an expression makes is weighed: each value and each character counts, as often as it would be
written out. What it only reads costs nothing.
"""

from __future__ import annotations

from typing import Any

from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from connector_assets import limits
from connector_assets.errors import ResponseError

_MAKES = {"multi_select_list", "multi_select_dict", "flatten"}


def search(parsed: Any, value: Any) -> Any:
    """What the parsed expression finds in `value`; ResponseError where it makes too much."""
    return _Weighing(value).whole(parsed)


class _Weighing(TreeInterpreter):
    """The interpreter of jmespath; what is made is weighed before the next step can repeat it."""

    def __init__(self, root: Any) -> None:
        super().__init__()
        self._functions = _WeighedFunctions(self)
        self._root = root
        self._weights: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is good as long as its object is there
        self._made = 0
        self._most: int | None = None

    def whole(self, parsed: Any) -> Any:
        found = self.visit(parsed, self._root)
        if self._made:
            self.charge(self.weight(found))
        return found

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        found = super().visit(node, *args, **kwargs)
        kind = node["type"]
        if kind in _MAKES and found is not None:
            # A flattened list is made anew; the others only name what is there.
            self.charge(len(found))
            self._within(self.weight(found))
        elif kind == "comparator" and isinstance(args[0], dict | list):
            self.charge(1)
        return found

    def visit_comparator(self, node: Any, value: Any) -> Any:
        for child in node["children"]:
            if child["type"] in _MAKES:
                self.charge(self.weight(self.visit(child, value)))
        return super().visit_comparator(node, value)

    def charge(self, weight: int) -> None:
        self._made += weight
        self._within(self._made)

    def _within(self, weight: int) -> None:
        if weight <= limits.MOST_FOUND:
            return
        if self._most is None:
            self._most = limits.MOST_FOUND + 4 * self.weight(self._root)
        if weight > self._most:
            raise ResponseError(
                f"the path makes more than {self._most:,} values and characters of the answer",
                fix="select less in the path, or ask for smaller pages",
            )

    def weight(self, value: Any) -> int:
        """The values and characters of `value` written out; each object is looked at once."""
        todo = [value]
        while todo:
            one = todo.pop()
            if not isinstance(one, dict | list) or id(one) in self._weights:
                continue
            below = list(one.values()) if isinstance(one, dict) else one
            waiting = [
                item
                for item in below
                if isinstance(item, dict | list) and id(item) not in self._weights
            ]
            if waiting:
                todo += [one, *waiting]
                continue
            keys = sum(map(len, one)) if isinstance(one, dict) else 0
            self._kept.append(one)
            self._weights[id(one)] = 1 + keys + sum(map(self._known, below))
        return self._known(value)

    def _known(self, value: Any) -> int:
        if isinstance(value, str):
            return len(value)
        return self._weights[id(value)] if isinstance(value, dict | list) else 1


class _WeighedFunctions(Functions):
    def __init__(self, interpreter: _Weighing) -> None:
        super().__init__()
        self._interpreter = interpreter

    def call_function(self, function_name: str, resolved_args: Any) -> Any:
        """What it is given is weighed first: `join` and `to_string` write all of it out."""
        for one in resolved_args:
            if isinstance(one, dict | list | str):
                self._interpreter.charge(self._interpreter.weight(one))
        found = super().call_function(function_name, resolved_args)
        if isinstance(found, dict | list | str):
            self._interpreter.charge(len(found))
        return found
