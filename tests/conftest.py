"""What holds for all tests: signals as in a terminal, and no clock in property tests."""

from __future__ import annotations

import signal

from hypothesis import settings

# Where the tests are begun in the background SIGINT is ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: packed ones hold the time, and workers must agree."""
    return argname if isinstance(val, bytes) else None
