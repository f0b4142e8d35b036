"""What a trial found: point by point, held, failed, or not judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["held", "failed", "not judged"]


@dataclass(frozen=True)
class Point:
    """One thing that was looked at, of one stream or, where that is empty, of all."""

    name: str
    stream: str
    verdict: Verdict
    message: str = ""


@dataclass(frozen=True)
class Report:
    """All points of a trial, in the order in which they were looked at."""

    connector: str
    points: Sequence[Point]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(one.verdict != "failed" for one in self.points)

    def plain(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "connector": self.connector,
            "ok": self.ok,
            "points": [asdict(p) for p in self.points],
        }

    def lines(self) -> list[str]:
        """A line for each point that has one to read: streams that held are counted together."""
        lines = []
        for name in dict.fromkeys(one.name for one in self.points):
            of_name = [one for one in self.points if one.name == name]
            held = sum(one.verdict == "held" for one in of_name)
            if held:
                counted = f"{held} stream{'s' if held != 1 else ''}" if of_name[0].stream else "yes"
                lines.append(f"held        {name}: {counted}")
            for one in of_name:
                if one.verdict != "held":
                    where = f"{name}: {one.stream}" if one.stream else name
                    lines.append(f"{one.verdict:<11} {where}: {one.message}")
        return lines
