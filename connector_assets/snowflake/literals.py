"""Texts in Snowflake's SQL, where a backslash is the beginning of something else."""

from __future__ import annotations


def sf_literal(text: str) -> str:
    r"""The text as a literal.

    >>> print(sf_literal(r"It's C:\n"))
    'It''s C:\\n'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
