from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.sql.databases import POSTGRES_JAR, Database, needs_jdbc, relayed
from tests.postgres import emptied, run, serving_postgres


@pytest.fixture(scope="package")
def server():
    with serving_postgres() as url:
        yield url


@pytest.fixture(scope="package")
def port(server):
    """The server by TCP."""
    folder = run(server, "show data_directory")[0][0]
    with relayed(next(str(one) for one in Path(folder).glob(".s.PGSQL.*") if one.suffix != ".lock")) as port:
        yield port


@pytest.fixture
def url(server):
    run(emptied(server), "create schema public")
    return server


@pytest.fixture
def postgres(url, tmp_path):
    """PostgreSQL by ADBC."""
    return Database(tmp_path, uri=url, chunkRows=100)


@pytest.fixture
def by_jdbc(url, port, tmp_path):
    """The same by JDBC."""
    needs_jdbc()
    uri = f"jdbc:postgresql://127.0.0.1:{port}/postgres"
    return Database(tmp_path, uri=uri, username="postgres", jars=[POSTGRES_JAR], chunkRows=100)


@pytest.fixture(params=["adbc", "jdbc"])
def either(request):
    """PostgreSQL, by each of the drivers."""
    return request.getfixturevalue("postgres" if request.param == "adbc" else "by_jdbc")
