"""Who may stage a stream, where machines share one staging and no lock of an operating system.

    crm/people/all/owners/000006   {"token": …, "host": …, "seen": 1764560000.0, …}

Of the files in `owners` the last one says whose turn it is. It is written anew every few seconds by
who has it; one that stands still, as whoever waits sees it by its own clock, is that of a
process that is gone. Only one can create the next number.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from connector_assets.errors import Busy, LoadError
from connector_assets.load.files.objects import Objects

BEAT_S = 5.0
DEAD_S = 30.0
"""So long an owner may be silent before it counts as gone."""
# By its own clock an owner was seen so long ago that none is that wrong.
_LONG_AGO_S = 900.0
_LOOK_AGAIN_S = 1.0


class Owner(Struct, frozen=True, forbid_unknown_fields=True):
    """Who has, or had, a stream; `seen` is the time of its last sign by its own clock."""

    token: str
    host: str
    pid: int
    since: str
    run: str
    seen: float
    released: bool = False


class Lease:
    """`with Lease(…) as lease:` the stream is this process's; raises Busy where another has it.

    `session` is a name that no other run has, and begins with a larger number than those before.
    Where the owner gives no sign, entering takes up to `DEAD_S` seconds. `is_kept` says whether
    rows are staged that a later run goes on with.
    """

    def __init__(
        self,
        objects: Objects,
        place: str,
        *,
        what: str,
        run_id: str = "",
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._objects, self._place, self._what = objects, f"{place}/owners", what
        self._now, self._monotonic, self._sleep = now, monotonic, sleep
        self._me = Owner(
            uuid.uuid4().hex[:12],
            socket.gethostname(),
            os.getpid(),
            datetime.fromtimestamp(now(), UTC).isoformat(timespec="seconds"),
            run_id,
            now(),
        )
        self.is_kept = True
        self._number = 0
        self._over = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="staging-lease", daemon=True)

    @property
    def session(self) -> str:
        return f"{self._number:06d}-{self._me.token}"

    def __enter__(self) -> Self:
        while not self._number:
            newest = self._newest()
            if newest:
                self._wait_for(newest)
            if self._objects.create(self._name(newest + 1), self._written()):
                self._number = newest + 1
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._over.set()
        self._thread.join()
        try:
            if not self._lost.is_set():
                self._release()
        except LoadError:
            if error is None:
                raise

    def require(self) -> None:
        """Raise Busy if another run has taken the stream over."""
        if self._lost.is_set():
            raise Busy(
                f"another run took it over, as this one gave no sign for {DEAD_S:.0f} s",
                where=self._what,
                fix="run it again: it goes on from what the other staged",
            )

    def look(self) -> None:
        """Say that this process lives, and see whether another has taken its place."""
        found = _owner(self._objects.read(self._own))
        if found is None or found.token != self._me.token or self._newest() > self._number:
            self._lost.set()
            return
        self._objects.replace(self._own, self._written())

    def _release(self) -> None:
        """Let others have it at once; where nothing is staged, nothing is left of us."""
        older = [name for name in self._objects.files(self._place) if name < self._own]
        if self.is_kept:
            self._objects.replace(self._own, self._written(released=True))
        self._objects.delete_all(older if self.is_kept else [*older, self._own])

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S) and not self._lost.is_set():
            with suppress(LoadError):  # who ships rows meets it, too, and says so
                self.look()

    def _wait_for(self, newest: int) -> None:
        """Return once the stream is nobody's; raise Busy where its owner gives a sign."""
        name = self._name(newest)
        first = self._objects.read(name)
        until = self._monotonic() + DEAD_S
        while not self._is_free(content := self._objects.read(name)):
            if content != first:
                raise Busy(
                    f"held by {_told(content)}",
                    where=self._what,
                    fix="wait for it to end, or end it",
                )
            if self._monotonic() >= until:
                return
            self._sleep(_LOOK_AGAIN_S)

    def _is_free(self, content: bytes | None) -> bool:
        owner = _owner(content)
        if owner is None:
            return content is None  # else it is being written, or half a file
        return owner.released or self._now() - owner.seen > _LONG_AGO_S

    def _newest(self) -> int:
        names = (name.rpartition("/")[2] for name in self._objects.files(self._place))
        return max((int(name) for name in names if name.isdecimal()), default=0)

    @property
    def _own(self) -> str:
        return self._name(self._number)

    def _name(self, number: int) -> str:
        return f"{self._place}/{number:06d}"

    def _written(self, *, released: bool = False) -> bytes:
        return msgspec.json.encode(replace(self._me, seen=self._now(), released=released))


def is_abandoned(objects: Objects, place: str, now: float) -> bool:
    """Whether nobody has used this stream's staging for long, or has said that it is free."""
    names = sorted(objects.files(f"{place}/owners"))
    owner = _owner(objects.read(names[-1])) if names else None
    return owner is None or owner.released or now - owner.seen > _LONG_AGO_S


def _owner(content: bytes | None) -> Owner | None:
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(content or b"", type=Owner)
    return None


def _told(content: bytes | None) -> str:
    owner = _owner(content)
    if owner is None:
        return "another process"
    run = f", run {owner.run}" if owner.run else ""
    return f"process {owner.pid} on {owner.host} since {owner.since}{run}"
