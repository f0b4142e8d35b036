"""Servers that others wrote are read whole: as many rows as each of them counts.

`make test-third-party` runs this; each server's environment is made the first time.
"""

from __future__ import annotations

import pytest

from tests.third_party.servers import SERVED, Served

pytestmark = pytest.mark.third_party


@pytest.fixture(scope="module", params=SERVED, ids=lambda one: one.id)
def served(request, tmp_path_factory):
    one: Served = request.param
    with one.serving(tmp_path_factory.mktemp(one.id)) as server:
        yield one, server


def test_load_reads_every_row_that_the_server_counts(served, projects):
    one, server = served
    project = projects(one.id, server)
    told = project.load()
    assert set(told) == set(one.rows)
    for stream, rows in one.rows.items():
        assert server.count(stream) == rows, stream
        assert (told[stream]["received"], project.rows(stream)) == (rows, rows), told[stream]
