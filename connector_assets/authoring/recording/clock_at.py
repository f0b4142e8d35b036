"""A clock of which specs see one time."""

from __future__ import annotations

import datetime as dt

from connector_assets.runtime.clock import Clock


class ClockAt(Clock):
    """Templates and windows see the time `at`: a replay must ask what was asked then."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = at

    def utc_now(self) -> dt.datetime:
        return self.at
