"""Where documents come from, and what else they open: nothing that nobody named."""

from __future__ import annotations

import io

import pytest

from connector_assets.authoring.imports import source as module
from connector_assets.authoring.imports.source import fetched_by, open_source
from connector_assets.errors import BlockedError, ConfigError
from connector_assets.runtime.runtime import HttpRuntime
from tests.loopback import serving


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "api" / "parts").mkdir(parents=True)
    (tmp_path / "api" / "main.yaml").write_text("a: 1")
    (tmp_path / "api" / "parts" / "one.yaml").write_text("b: 2")
    (tmp_path / "secret.yaml").write_text("c: 3")
    (tmp_path / "api" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    return tmp_path / "api"


def test_a_file_opens_what_is_in_its_folder(folder):
    source = open_source(str(folder / "main.yaml"))
    one = source.beside("parts/one.yaml")
    assert (source.raw, one.raw) == (b"a: 1", b"b: 2")
    assert one.beside("../main.yaml").raw == b"a: 1"


@pytest.mark.parametrize(
    "ref",
    ["../secret.yaml", "link.yaml", "/etc/hostname", "parts/../../secret.yaml", "%2e%2e/secret.yaml",
     "file:///etc/hostname", "https://example.com/x.yaml"],
)  # fmt: skip
def test_and_nothing_else(folder, ref):
    with pytest.raises(BlockedError):
        open_source(str(folder / "main.yaml")).beside(ref)


def test_a_folder_that_a_person_named_is_open(folder):
    source = open_source(str(folder / "main.yaml"), refs=[str(folder.parent)])
    assert source.beside("../secret.yaml").raw == b"c: 3"


@pytest.mark.parametrize(
    "ref",
    ["https://docs.example/v1/../secret.yaml", "https://docs.example/v1/%2e%2e/secret.yaml",
     "https://docs.example/v1x/a.yaml", "http://docs.example/v1/a.yaml"],
)  # fmt: skip
def test_nothing_beside_a_prefix_that_a_person_named_is_open(folder, ref):
    def fetch(url):
        return url.encode()

    refs = ["https://docs.example/v1"]
    source = open_source(str(folder / "main.yaml"), refs=refs, fetch=fetch)
    assert source.beside(f"{refs[0]}/a.yaml").raw == b"https://docs.example/v1/a.yaml"
    for here in (source, source.beside(f"{refs[0]}/a.yaml")):
        with pytest.raises(BlockedError):
            here.beside(ref)


def test_a_url_is_fetched_and_opens_what_is_below_it():
    pages = {"/api/main.yaml": "a: 1", "/api/parts/one.yaml": "b: 2", "/other.yaml": "c: 3"}

    def answer(request):
        return pages[request.path].encode()

    with serving(answer) as server, HttpRuntime(allow_private=[server.host]) as runtime:
        url = f"{server.origin}/api/main.yaml?token=s3cret"
        source = open_source(url, fetch=fetched_by(runtime))
        assert source.raw == b"a: 1"
        assert "s3cret" not in source.name
        assert server.seen[0].query == {"token": "s3cret"}
        assert source.beside("parts/one.yaml").raw == b"b: 2"
        with pytest.raises(BlockedError):
            source.beside("../other.yaml")
        named = open_source(url, fetch=fetched_by(runtime), refs=[server.origin])
        assert named.beside("../other.yaml").raw == b"c: 3"


def test_a_url_goes_through_the_guard():
    with serving(lambda _: b"a: 1") as server, HttpRuntime() as runtime:
        with pytest.raises(BlockedError):
            open_source(f"{server.origin}/x", fetch=fetched_by(runtime))
        assert not server.seen


def test_what_is_too_large_or_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(ConfigError, match="is larger than"):
        open_source(str(tmp_path / "large"))
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        open_source(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        open_source(str(tmp_path))
    with pytest.raises(ConfigError, match="cannot be read"):
        open_source("a\0b")


def test_stdin_and_texts_are_sources(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"curl x")))
    assert open_source("-").raw == b"curl x"
    given = open_source(" curl https://a.example", takes_text="curl ")
    assert (given.raw, given.name) == (b" curl https://a.example", "the command line")
