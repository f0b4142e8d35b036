"""Whether a URL holds a password, also where it was not written as it should be."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

_SECRET_NAME = re.compile(r"pass(word|wd)?$|secret|token|credential|signature|^(pwd|sig)$|^scram_")


def may_hold_password(url: str) -> bool:
    """Whether a password is in it, or could be: what is stored or shown must surely have none.

    >>> may_hold_password("postgresql://me@h:5432/db?passfile=/p")
    False
    >>> may_hold_password("postgresql://h/db?user=me&password=x")
    True
    """
    rest = url.partition("://")[2]
    # All before the last `@`: who wrote the password may not have escaped what is in it.
    user = "" if rest.startswith("/") else rest.rpartition("@")[0]
    named = parse_qsl(rest.partition("?")[2], keep_blank_values=True)
    return bool(user.partition(":")[2]) or any(_SECRET_NAME.search(key.lower()) for key, _ in named)


def is_unclear(url: str) -> bool:
    """Whether an `@` or a `/` in the password hides where it ends, so that parts pass for a host.

    >>> is_unclear("postgresql://me:a/b@h/db"), is_unclear("postgresql://me:a%2Fb@h/db")
    (True, False)
    """
    host, _, rest = url.partition("://")[2].partition("/")
    path = rest.partition("?")[0]
    before = f"{host}/{path}".rpartition("@")[0]
    return bool(host) and (host.count("@") > 1 or ("@" in path and ":" in before))
