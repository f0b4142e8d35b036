"""`connector-assets studio` as a user starts it: a process, one line with the link, and its end."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.cookiejar import CookieJar

import pytest

LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=([A-Za-z0-9_-]{32})\n")
SECRET = "tok-88c1/never-shown"


@contextmanager
def started(folder, *args):
    """The command in a folder, with a secret in its environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "connector_assets.cli", "studio", "--no-open", *args],
        cwd=folder,
        env={**os.environ, "STRIPE__API_KEY": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_one_link_that_works_and_ends_as_any_command(tmp_path, number):
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    with started(tmp_path, "--port", "0") as process:
        line = process.stdout.readline()
        found = LINK.fullmatch(line)
        assert found, (line, process.stderr.read())
        with opener.open(line.strip(), timeout=60) as answer:
            assert b"refresh" in answer.read()
        with opener.open(f"http://127.0.0.1:{found[1]}/catalogue/stripe", timeout=60) as answer:
            page = answer.read().decode()
        assert "STRIPE__API_KEY" in page
        assert SECRET not in page
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == ""
    assert SECRET not in err
    assert "Traceback" not in err
    assert process.returncode in (130, -signal.SIGTERM)


def test_it_listens_on_loopback_alone(tmp_path):
    with started(tmp_path, "--port", "0") as process:
        port = int(LINK.fullmatch(process.stdout.readline())[1])
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED


def test_a_port_that_is_taken_is_an_error_with_its_way_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(tmp_path, "--port", str(port)) as process:
            out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("", 1)
    assert err == (
        f"127.0.0.1:{port}: cannot listen: address already in use; "
        "choose another port, or 0 for a free one\n"
    )
