"""DuckDB alone, the rows in a local file. Arguments: url, rows, page size, database, file."""

import sys

import duckdb

*_, database, file = sys.argv[1:]
with duckdb.connect(database) as connection:
    connection.execute(f"create table rows as select * from read_json('{file}')")
with duckdb.connect(database, read_only=True) as connection:
    print(connection.execute("select count(*) from rows").fetchall()[0][0])
