"""`agent init`: what agents read is written, kept up to date, and never over a person's text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from connector_assets.authoring.agent import agent_files
from connector_assets.authoring.agent.agent_files import AGENTS, SKILL, init, skill_text
from connector_assets.authoring.agent.marked import AgentFile, file_text, write_files
from connector_assets.cli.app import app
from connector_assets.errors import ConfigError

MINE = "# Our house rules\n\nTabs, please.\n"


def states(written):
    return {one.path: one.state for one in written}


def texts(folder):
    return {one: one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_each_agent_finds_its_files(tmp_path):
    written = states(init(tmp_path))
    for path in (
        "AGENTS.md",
        "CLAUDE.md",
        f".agents/skills/{SKILL}/SKILL.md",
        f".claude/skills/{SKILL}/SKILL.md",
        f".claude/skills/{SKILL}/references/pagination.md",
        ".cursor/rules/connector-assets.mdc",
        ".github/instructions/connector-assets.instructions.md",
    ):
        assert written[path] == "written"
        assert (tmp_path / path).read_text("utf-8").strip()
    before = texts(tmp_path)
    assert set(states(init(tmp_path)).values()) == {"unchanged"}
    assert texts(tmp_path) == before


@pytest.mark.parametrize("agent", AGENTS)
def test_one_agent_alone_gets_only_its_own(tmp_path, agent):
    written = states(init(tmp_path, [agent]))
    assert {one.relative_to(tmp_path).as_posix() for one in texts(tmp_path)} == set(written)
    with pytest.raises(ConfigError, match="use one of agents, claude, cursor, copilot"):
        init(tmp_path, ["nobody"])


@pytest.mark.parametrize("mine", [MINE, MINE.rstrip(), MINE.replace("\n", "\r\n"), "\ufeff# X\n"])
def test_a_persons_text_stays_as_it_was_beside_ours(tmp_path, mine):
    file = tmp_path / "AGENTS.md"
    file.write_bytes(mine.encode())
    assert states(init(tmp_path))["AGENTS.md"] == "added"
    once = file.read_bytes().decode()
    assert once.startswith(mine)
    assert "write-a-connector" in once
    assert ("\r\n" in once) == ("\r\n" in mine)
    assert re.search(r"[^\r]\n", once) is None or "\r\n" not in mine
    init(tmp_path)
    assert file.read_bytes().decode() == once
    file.write_bytes(f"{once}\nAfter it.\n".encode())
    assert states(init(tmp_path))["AGENTS.md"] == "unchanged"
    assert file.read_bytes().decode().endswith("After it.\n")


def test_our_own_text_of_before_is_brought_up_to_date(tmp_path, monkeypatch):
    (tmp_path / "AGENTS.md").write_text(MINE)
    monkeypatch.setattr(agent_files, "_text", lambda name: f"An older {name}.\n")
    init(tmp_path)
    assert "An older lines." in (tmp_path / "AGENTS.md").read_text()
    monkeypatch.undo()
    written = states(init(tmp_path))
    assert written["AGENTS.md"] == written[f".claude/skills/{SKILL}/SKILL.md"] == "updated"
    assert (tmp_path / "AGENTS.md").read_text().startswith(MINE)
    assert not any(b"An older" in text for text in texts(tmp_path).values())


@pytest.mark.parametrize(
    "path",
    ["AGENTS.md", f".claude/skills/{SKILL}/SKILL.md", ".cursor/rules/connector-assets.mdc"],
)
def test_what_somebody_changed_is_kept_and_nothing_is_written(tmp_path, path):
    init(tmp_path)
    file = tmp_path / path
    file.write_text(file.read_text().replace("validate", "Validate"))
    (tmp_path / "CLAUDE.md").unlink()
    before = texts(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(path)):
        init(tmp_path)
    assert texts(tmp_path) == before
    assert states(init(tmp_path, replace=True))[path] == "updated"
    assert set(states(init(tmp_path)).values()) == {"unchanged"}


def test_a_persons_own_file_under_our_name_is_kept(tmp_path):
    file = tmp_path / ".cursor" / "rules" / "connector-assets.mdc"
    file.parent.mkdir(parents=True)
    file.write_text("mine\n")
    with pytest.raises(ConfigError, match="nothing was written"):
        init(tmp_path)
    assert file.read_text() == "mine\n"
    assert not (tmp_path / "AGENTS.md").exists()


def test_two_names_of_one_file_are_written_once(tmp_path):
    (tmp_path / "AGENTS.md").write_text(MINE)
    (tmp_path / "CLAUDE.md").symlink_to("AGENTS.md")
    written = states(init(tmp_path))
    assert "CLAUDE.md" not in written
    assert (tmp_path / "CLAUDE.md").is_symlink()
    assert (tmp_path / "AGENTS.md").read_text().count("agent init: begin") == 1


def test_what_cannot_be_written_is_an_error_and_nothing_is_written(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    outside = tmp_path / "outside.md"
    outside.write_text(MINE)
    for make in (
        lambda file: file.symlink_to(outside),
        lambda file: file.mkdir(),
        lambda file: file.write_bytes(b"\xff\xfe\x00"),
        lambda file: file.write_bytes(b"x" * ((1 << 20) + 1)),
    ):
        file = root / "CLAUDE.md"
        make(file)
        with pytest.raises(ConfigError, match=r"CLAUDE\.md"):
            init(root)
        assert not (root / "AGENTS.md").exists()
        file.rmdir() if file.is_dir() else file.unlink()
    assert outside.read_text() == MINE
    with pytest.raises(ConfigError, match="is no folder"):
        init(root / "nowhere")


def test_a_forged_mark_is_no_mark(tmp_path):
    (tmp_path / "a.md").write_text(
        "theirs\n<!-- connector-assets agent init: 0123456789abcdef -->\n"
    )
    with pytest.raises(ConfigError):
        write_files(tmp_path, [AgentFile("a.md", "ours\n")])
    assert file_text("ours\n").endswith("-->\n")


def test_the_skill_is_one_that_agents_take():
    head, body = re.fullmatch(r"---\n(.*?)---\n(.*)", skill_text(), re.DOTALL).groups()
    said = yaml.safe_load(head)
    assert said["name"] == SKILL
    assert re.fullmatch(r"[a-z0-9-]{1,64}", said["name"])
    assert 0 < len(said["description"]) <= 1024
    assert body.count("\n") < 500
    assert len(body) < 15_000


def test_every_reference_the_skill_names_is_there_and_small(tmp_path):
    init(tmp_path, ["claude"])
    folder = tmp_path / ".claude" / "skills" / SKILL
    named = set(re.findall(r"references/\w+\.md", skill_text()))
    found = {one.relative_to(folder).as_posix() for one in folder.rglob("*.md")} - {"SKILL.md"}
    assert named == found
    assert all((folder / one).stat().st_size < 16_000 for one in found)


def test_every_command_the_texts_name_is_there():
    root = typer.main.get_command(app)
    said = skill_text() + Path(agent_files.__file__).with_name("lines.md").read_text("utf-8")
    for line in re.findall(r"`connector-assets ([^`]+)`", said):
        command, words = root, line.split()
        while hasattr(command, "commands"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        options = {name for param in command.params for name in param.opts}
        assert {one for one in words if one.startswith("--")} <= options, line
