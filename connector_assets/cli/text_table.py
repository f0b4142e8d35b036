"""Rows as a table for a person: as many columns as the terminal is wide, cells cut."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector_assets.cli import output
from connector_assets.legible import legible

_WIDEST = 40
_WIDEST_IN_A_FILE = 200
_PADDING = 3
_MOST_COLUMNS, _MOST_NAMED = 500, 100


def table(lines: Sequence[bytes], *, width: int | None = None) -> str:
    """`lines` of JSON objects as a table; `width` in characters, default that of the terminal.

    Values stand as the server wrote them: 1.10 stays 1.10. Columns that do not fit are named
    below. Where stdout is no terminal, every column is shown.
    """
    if not lines:
        return "no rows\n"
    room = _terminal_width() if width is None else width
    widest = _WIDEST if room else _WIDEST_IN_A_FILE
    rows = [_cells(line, widest) for line in lines]
    every = list(dict.fromkeys(name for row in rows for name in row))
    names = every[:_MOST_COLUMNS]
    widths = {
        name: max(cell_len(_shown(name, widest)), *(cell_len(row.get(name, "")) for row in rows))
        for name in names
    }
    shown = _fitting(names, widths, room)
    left_out = every[len(shown) :]
    text = _drawn(rows, shown, widest)
    if left_out:
        listed = ", ".join(_shown(name, widest) for name in left_out[:_MOST_NAMED])
        listed += ", …" if len(left_out) > _MOST_NAMED else ""
        text += f"and {len(left_out):,} more columns: {listed}\n"
    return text


def _cells(line: bytes, widest: int) -> dict[str, str]:
    """Each value as text: a string without its quotes, everything else as JSON."""
    row = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    return {name: _shown(_value(bytes(raw)), widest) for name, raw in row.items()}


def _value(raw: bytes) -> str:
    if raw.startswith(b'"'):
        try:
            return msgspec.json.decode(raw, type=str)
        except msgspec.DecodeError:
            pass  # a lone surrogate: shown as it is written
    text = raw.decode("utf-8", "backslashreplace")
    return "" if text == "null" else text


def _shown(text: str, widest: int) -> str:
    """On one line, without what would move the cursor or turn the reading direction."""
    clean = legible(text).replace("\n", "\\n").replace("\t", "\\t")
    return clean if len(clean) <= widest else f"{clean[: widest - 1]}…"


def _fitting(names: list[str], widths: dict[str, int], room: int | None) -> list[str]:
    """The first columns that fit side by side; one at least."""
    if room is None:
        return names
    used = 0
    for position, name in enumerate(names):
        used += widths[name] + _PADDING
        if used > room and position:
            return names[:position]
    return names


def _drawn(rows: list[dict[str, str]], names: list[str], widest: int) -> str:
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="none")
    for name in names:
        drawn.add_column(Text(_shown(name, widest)), no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(row.get(name, "")) for name in names))
    page = StringIO()
    # Wider than any table: what fits was decided above, and rich must not squeeze it again.
    console = Console(file=page, width=100_000, force_terminal=False, legacy_windows=False)
    console.print(drawn, crop=False)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())


def _terminal_width() -> int | None:
    return Console().width if output.on_terminal() else None
