from __future__ import annotations

import mailbox
from email.message import EmailMessage

import pytest
from mailbox_plugin import plugin

from connector_assets.testing import PluginBench


def deliver(path, subjects):
    box = mailbox.mbox(str(path))
    for subject in subjects:
        message = EmailMessage()
        message["Subject"], message["From"] = subject, "ada@example.com"
        message["Date"] = "Wed, 01 May 2024 12:00:00 +0200"
        message.set_content("hello")
        box.add(message)
    box.close()


@pytest.fixture
def inbox(tmp_path):
    deliver(tmp_path / "inbox.mbox", ["one", "two"])
    return tmp_path / "inbox.mbox"


@pytest.fixture
def bench(tmp_path, inbox):
    return PluginBench(plugin, tmp_path, config={"path": str(inbox)})


def test_messages_are_rows(bench):
    assert bench.check().ok
    bench.load("messages")
    first, second = bench.rows("messages")
    assert (first["number"], first["subject"], second["subject"]) == (0, "one", "two")
    assert bench.types("messages")["sent_at"] == "TIMESTAMP WITH TIME ZONE"


def test_the_next_run_reads_what_is_new(bench, inbox):
    bench.load("messages")
    deliver(inbox, ["three"])
    came = bench.load("messages")
    assert (came.loaded.received, came.loaded.rows) == (1, 3)


def test_a_file_that_is_not_there_fails_the_check(tmp_path):
    check = PluginBench(plugin, tmp_path, config={"path": str(tmp_path / "none")}).check()
    assert not check.ok


def test_killed_loads_lose_nothing(tmp_path):
    deliver(tmp_path / "many.mbox", [f"message {number}" for number in range(1200)])
    bench = PluginBench(plugin, tmp_path, config={"path": str(tmp_path / "many.mbox")})
    bench.assert_survives_kills("messages")
