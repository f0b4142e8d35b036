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
    with relayed(
        next(str(one) for one in Path(folder).glob(".s.PGSQL.*") if one.suffix != ".lock")
    ) as port:
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


@pytest.fixture(params=["adbc", pytest.param("jdbc", marks=pytest.mark.slow)])
def either(request):
    """PostgreSQL by ADBC, and in the slow tests by JDBC too."""
    return request.getfixturevalue("postgres" if request.param == "adbc" else "by_jdbc")


@pytest.fixture
def guarded(server, url):
    """A user whose password the server asks for: its name and that password."""
    password = "pä/ss@w:d%41 x"
    run(
        server,
        f"create role reader login password '{password}'; grant usage on schema public to reader",
    )
    rules = Path(run(server, "show hba_file")[0][0])
    before = rules.read_text()
    rules.write_text("local all reader scram-sha-256\n" + before)
    run(server, "select pg_reload_conf()")
    try:
        yield "reader", password
    finally:
        rules.write_text(before)
        run(server, "drop owned by reader; drop role reader; select pg_reload_conf()")
