"""What one machine staged is not loaded over what another machine has loaded since."""

from __future__ import annotations

import pytest

from connector_assets.errors import Busy
from connector_assets.load.files.folders import LocalFolder
from connector_assets.load.parquet.destination import ParquetDestination
from tests.shop import shop_spec
from tests.timeline import Project

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: items
    url: https://api.example.com/items
    responseRowsPath: rows
    pagination: {type: cursor, cursorField: next}
read:
  streams: [{name: items, primaryKey: [id], writeMode: %s}]
""")
MODES = ("replace", "merge", "append", "scd2")


class Killed(Exception):
    pass


def killed():
    raise Killed


class Machines:
    """Two machines with a staging folder each, and one store; the API says the version it is at."""

    def __init__(self, folder, mode, *, lake):
        self.version, self.between = 0, None
        self.both = [Project(folder / name, SPEC % mode, self) for name in "ab"]
        for one in self.both:
            one.folder.mkdir()
            one.destination = self.both[0].destination
            if lake:
                one.destination = ParquetDestination(LocalFolder(folder / "lake"))

    def __call__(self, path, query):
        if query.get("cursor"):
            if (between := self.between) is not None:
                self.between = None
                between()
            return {"rows": [{"id": 2, "v": self.version}], "next": None}
        return {"rows": [{"id": 1, "v": self.version}], "next": "2"}

    def load(self, number, version, **given):
        self.version = version
        return self.both[number].load("items", **given)

    def newest(self):
        return self.both[0].table("select id, max(v) from shop.items group by id order by id")


@pytest.fixture(params=[False, True], ids=["duckdb", "parquet"])
def machines(request, tmp_path):
    return lambda mode: Machines(tmp_path, mode, lake=request.param)


@pytest.mark.parametrize("mode", MODES)
def test_rows_that_another_load_has_overtaken_are_read_anew(machines, mode):
    two = machines(mode)
    two.load(0, 1)
    with pytest.raises(Killed):
        two.load(0, 2, fence=killed)
    two.load(1, 3)
    told = two.load(0, 4)
    assert told.resumed_rows == 0
    assert "another run loaded the table since" in " ".join(told.stats.notes)
    assert two.newest() == [(1, 4), (2, 4)]
    assert two.both[0].table("select count(*) from shop.items where v = 2") == [(0,)]


def test_rows_that_none_has_overtaken_are_loaded_as_they_were_staged(machines):
    two = machines("replace")
    two.load(0, 1)
    with pytest.raises(Killed):
        two.load(0, 2, fence=killed)
    assert two.load(0, 3).resumed_rows == 2
    assert two.newest() == [(1, 2), (2, 2)]


def test_a_first_load_that_another_has_overtaken_is_read_anew(machines):
    two = machines("replace")
    with pytest.raises(Killed):
        two.load(0, 1, fence=killed)
    two.load(1, 2)
    assert two.load(0, 3).resumed_rows == 0
    assert two.newest() == [(1, 3), (2, 3)]


@pytest.mark.parametrize("mode", MODES)
def test_who_reads_while_another_loads_is_told_to_begin_anew(machines, mode):
    two = machines(mode)
    two.load(0, 1)
    two.between = lambda: two.load(1, 3)
    with pytest.raises(Busy, match=r"shop\.items: another run loaded it while this one was read"):
        two.load(0, 2)
    assert two.newest() == [(1, 3), (2, 3)]
    assert two.load(0, 4).resumed_rows == 0
    assert two.newest() == [(1, 4), (2, 4)]
