"""What becomes of what servers write and not every table, or no JSON at all, can hold."""

from __future__ import annotations

from typing import Literal

from connector_assets.spec.names.model import Model


class OddText(Model):
    """What is done about characters and numbers that not every table can hold.

    Rows with `surrogates` or `nan` are errors unless they are said here what to make of, or set
    aside by `schemaPolicy: quarantine`; so are rows with a NUL on their way into PostgreSQL.
    """

    nul: Literal["keep", "strip", "replace"] = "keep"
    """A NUL (U+0000) in a text or a key: kept, which PostgreSQL refuses; taken out; or replaced by
    U+FFFD, the mark of what cannot be shown.
    """
    surrogates: Literal["refuse", "strip", "replace"] = "refuse"
    """Half a character, as \\ud800 without its other half: an error; taken out; or replaced by
    U+FFFD.
    """
    nan: Literal["refuse", "nullify"] = "refuse"
    """NaN and Infinity, which are no numbers in JSON: an error, or null."""
