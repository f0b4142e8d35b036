"""Servers that others wrote are read whole: as many rows as each of them counts.

`make test-third-party` runs this; each server's environment is made the first time.
"""

from __future__ import annotations

import pytest

from tests.third_party import kinto
from tests.third_party.servers import SERVED, Served

pytestmark = pytest.mark.third_party


@pytest.fixture(scope="module", params=SERVED, ids=lambda one: one.name)
def served(request, tmp_path_factory):
    one: Served = request.param
    with one.serving(tmp_path_factory.mktemp(one.name)) as server:
        yield one, server


def test_load_reads_every_row_that_the_server_counts(served, projects):
    one, server = served
    for listing in one.listings:
        project = projects(listing.id, server)
        told = project.load()
        assert set(told) == set(listing.rows)
        for stream, rows in listing.rows.items():
            assert server.count(stream) == rows, stream
            got = (told[stream]["received"], project.rows(stream))
            assert got == (rows, rows), told[stream]


def test_dagster_reads_every_row_and_then_only_what_changed(tmp_path_factory, projects):
    with kinto.serving(tmp_path_factory.mktemp("kinto")) as server:
        project = projects("kinto", server)
        project.materialize("kinto/changes")
        assert project.rows("changes") == server.count("changes")
        with kinto.client(server.base_url) as api:
            kinto.put(api, range(2_300, 2_700), "blue")
        project.materialize("kinto/changes")
        assert project.rows("changes") == server.count("changes") == 2_700
        assert project.sql("select count(*) from kinto.changes where c = 'blue'") == [(400,)]
        assert project.load()["changes"]["received"] == 0
