"""What coding agents are told of a project: a skill with its references, and lines for each kind.

The references are made from the models, as those for people are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from connector_assets.authoring.agent.marked import AgentFile, Written, write_files
from connector_assets.authoring.spec_reference import reference_of
from connector_assets.errors import ConfigError

SKILL = "write-a-connector"
_HERE = Path(__file__).parent
_REFERENCES = {
    "connector": ("connector", "config", "secrets", "rateLimit", "retry"),
    "endpoints": ("endpoints", "errors", "body", "job"),
    "pagination": ("pagination",),
    "auth": ("auth",),
    "streams": ("Read", "streams", "incremental", "forEach", "Parent", "fields", "columns"),
    "templates": ("templates",),
    "lint": ("lint",),
    "example": ("example",),
}


def init(root: Path, agents: Sequence[str] = (), *, replace: bool = False) -> list[Written]:
    """Write what `agents` read into the project at `root`; default: all of AGENTS.

    Run again, it changes nothing, or brings its own text up to date. Raises ConfigError, and writes
    nothing, where a person's text would be written over and not `replace`.
    """
    unknown = [one for one in agents if one not in AGENTS]
    if unknown:
        what = f'"{unknown[0][:80]}" is not known'
        raise ConfigError(what, where="--for", fix=f"use one of {', '.join(AGENTS)}")
    if not root.is_dir():
        raise ConfigError("is no folder", where=str(root))
    chosen = list(agents) or list(AGENTS)
    return write_files(root, [file for one in chosen for file in AGENTS[one]()], replace=replace)


def _agents() -> Iterator[AgentFile]:
    yield AgentFile("AGENTS.md", _text("lines"), is_block=True)
    yield from _skill(".agents/skills")


def _claude() -> Iterator[AgentFile]:
    yield AgentFile("CLAUDE.md", _text("lines"), is_block=True)
    yield from _skill(".claude/skills")


def _cursor() -> Iterator[AgentFile]:
    head = "---\ndescription: Connectors of this project\nglobs: specs/**,connections/**\n"
    yield AgentFile(
        ".cursor/rules/connector-assets.mdc", f"{head}alwaysApply: false\n---\n{_text('lines')}"
    )


def _copilot() -> Iterator[AgentFile]:
    head = '---\napplyTo: "specs/**,connections/**"\n---\n'
    yield AgentFile(".github/instructions/connector-assets.instructions.md", head + _text("lines"))


AGENTS: dict[str, Callable[[], Iterator[AgentFile]]] = {
    "agents": _agents,
    "claude": _claude,
    "cursor": _cursor,
    "copilot": _copilot,
}
"""Kinds of files by name. Most agents read AGENTS.md and .agents/skills."""


def _skill(folder: str) -> Iterator[AgentFile]:
    yield AgentFile(f"{folder}/{SKILL}/SKILL.md", skill_text())
    for name, topics in _REFERENCES.items():
        text = "\n".join(reference_of(topic).rstrip() + "\n" for topic in topics)
        yield AgentFile(f"{folder}/{SKILL}/references/{name}.md", text)


def skill_text() -> str:
    """The skill, with a line for each reference."""
    about = "\n".join(f"- `references/{name}.md`" for name in _REFERENCES)
    return f"{_text('skill')}{about}\n"


def _text(name: str) -> str:
    return (_HERE / f"{name}.md").read_text("utf-8")
