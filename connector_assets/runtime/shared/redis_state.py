"""Budgets and tokens in Redis (the `redis` extra).

A bucket is changed by an optimistic transaction, with Redis' own time. Redis writes to disk when it
is told to (`appendonly yes`): without, a rotated refresh token can be lost with the server.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import redis
from redis.exceptions import LockError, RedisError

from connector_assets.errors import Cancelled, ConnectorError
from connector_assets.runtime.shared.bucket import MAX_BYTES, Bucket
from connector_assets.runtime.shared.ledger import Change, Result
from connector_assets.runtime.shared.tokens import MAX_RECORD_BYTES, record_of

_PREFIX = "connector_assets"
_POLL_S = 0.05
# A slot or lock whose holder died is free after this long, in seconds.
_LEASE_S = 600
# A bucket nobody asked for a week is as good as new.
_FORGOTTEN_S = 7 * 86_400
_FREE_IF_MINE = "if redis.call('get',KEYS[1])==ARGV[1] then redis.call('del',KEYS[1]) end"


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise ConnectorError(
            f"the shared state's Redis failed ({type(error).__name__})",
            fix="check CONNECTOR_ASSETS_STATE, and that the server answers",
        ) from None


class RedisServer:
    """One Redis; its pool of connections is safe for threads and after a fork."""

    def __init__(self, url: str) -> None:
        with _reaching():
            self._redis: Any = redis.Redis.from_url(url, health_check_interval=30)

    def ledger(self, key: str) -> RedisLedger:
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return RedisLedger(self._redis, f"{_PREFIX}:budget:{name}")

    def tokens(self) -> RedisTokenStore:
        return RedisTokenStore(self._redis)


class RedisLedger:
    """A bucket in one key; slots in keys of their own, each with a lease."""

    def __init__(self, client: Any, key: str) -> None:
        self._redis, self._key = client, key

    def change(self, change: Change[Result]) -> Result:
        def apply(pipe: Any) -> Result:
            text, (seconds, micros) = pipe.getrange(self._key, 0, MAX_BYTES), pipe.time()
            before = Bucket.loads(text).at(seconds + micros / 1e6)
            after, result = change(before)
            pipe.multi()
            if after != before:
                pipe.set(self._key, after.dumps(), ex=_FORGOTTEN_S)
            return result

        with _reaching():
            result: Result = self._redis.transaction(apply, self._key, value_from_callable=True)
            return result

    def is_untouched(self) -> bool:
        return False

    def slot(self, number: int) -> Callable[[], None] | None:
        key, mine = f"{self._key}:{number}", secrets.token_hex(8)
        with _reaching():
            taken = self._redis.set(key, mine, nx=True, ex=_LEASE_S)
        return partial(self._free, key, mine) if taken else None

    def _free(self, key: str, mine: str) -> None:
        with _reaching():
            self._redis.eval(_FREE_IF_MINE, 1, key, mine)


class RedisTokenStore:
    """A record per connection and credentials, readable by all who may read this Redis."""

    def __init__(self, client: Any) -> None:
        self._redis = client

    @contextmanager
    def lock(self, key: str, cancel: threading.Event) -> Iterator[None]:
        lock = self._redis.lock(f"{_PREFIX}:token:{key}:lock", timeout=_LEASE_S, thread_local=False)
        while not self._acquired(lock):
            if cancel.wait(_POLL_S):
                raise Cancelled("cancelled while another process renews the token")
        try:
            yield
        finally:
            with suppress(LockError), _reaching():  # the lease ran out: it is no longer ours
                lock.release()

    def _acquired(self, lock: Any) -> bool:
        with _reaching():
            return bool(lock.acquire(blocking=False))

    def read(self, key: str) -> Mapping[str, Any] | None:
        with _reaching():
            text = self._redis.getrange(f"{_PREFIX}:token:{key}", 0, MAX_RECORD_BYTES)
        return record_of(text)

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        with _reaching():
            self._redis.set(f"{_PREFIX}:token:{key}", json.dumps(record))
