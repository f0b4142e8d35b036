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
    rest = url.partition("://")[2] or url
    # All before the last `@`: who wrote the password may not have escaped what is in it.
    user = "" if rest.startswith("/") else rest.rpartition("@")[0]
    named = parse_qsl(rest.partition("?")[2], keep_blank_values=True)
    return (
        bool(user.partition(":")[2])
        or has_odd_port(url)
        or any(_SECRET_NAME.search(key.lower()) for key, _ in named)
    )


def has_odd_port(url: str) -> bool:
    """Whether a port is no number: it may be the password in `me:secret/db`, without a host.

    >>> has_odd_port("postgresql://me:secret/db"), has_odd_port("postgresql://[::1]:1,h:2/db")
    (True, False)
    """
    host = url.partition("://")[2].partition("/")[0]
    ports = re.findall(":([^,]*)", re.sub(r"\[[^]]*\]", "", host.partition("?")[0]))
    return "@" not in host and not all(port.isdecimal() or not port for port in ports)


def is_unclear(url: str) -> bool:
    """Whether an `@` or a `/` in the password hides where it ends, so that parts pass for a host.

    >>> is_unclear("postgresql://me:a/b@h/db"), is_unclear("postgresql://me:a%2Fb@h/db")
    (True, False)
    """
    host, _, rest = url.partition("://")[2].partition("/")
    path = rest.partition("?")[0]
    before = f"{host}/{path}".rpartition("@")[0]
    return bool(host) and (host.count("@") > 1 or ("@" in path and ":" in before))
