"""What Delta's log says of a data file, from what the file's Parquet footer says.

Only what every reader understands alike: of a decimal JSON has too few digits, and a float may be
NaN, which a footer does not count. A column that is left out is looked for in the file itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

# As other writers do by default.
_MOST_COLUMNS, _MOST_CHARACTERS = 32, 32
_MILLISECOND = timedelta(milliseconds=1)
_LAST_CHARACTER = "\U0010ffff"


def statistics_of(footer: Any) -> str:
    """The JSON of how many rows a file has, and the NULLs and bounds of its columns.

    `footer` is a pyarrow.parquet.FileMetaData.
    """
    nulls, least, greatest = {}, {}, {}
    for name, groups in _columns(footer):
        if not all(one is not None and one.has_null_count for one in groups):
            continue
        nulls[name] = sum(one.null_count for one in groups)
        bounds = _bounds([one for one in groups if one.num_values])
        if bounds is not None:
            least[name], greatest[name] = bounds
    found = {"minValues": least, "maxValues": greatest, "nullCount": nulls}
    # As it is: the library reads the escapes of two halves of a character as another one.
    return json.dumps({"numRecords": footer.num_rows, **found}, ensure_ascii=False)


def _columns(footer: Any) -> Iterator[tuple[str, Sequence[Any]]]:
    """The columns that are not nested, with the statistics of each row group."""
    for index in range(min(footer.num_columns, _MOST_COLUMNS)):
        leaf = footer.schema.column(index)
        if leaf.max_definition_level == 1 and not leaf.max_repetition_level:
            groups = (footer.row_group(number) for number in range(footer.num_row_groups))
            yield leaf.path, [group.column(index).statistics for group in groups]


def _bounds(groups: Sequence[Any]) -> tuple[Any, Any] | None:
    """The least and the greatest value as JSON has them, None where they cannot be told."""
    if not groups or not all(one.has_min_max for one in groups):
        return None
    with suppress(OverflowError):  # a time that Python does not have
        low, high = min(one.min for one in groups), max(one.max for one in groups)
        if type(low) is int:
            return low, high
        if type(low) is str:
            return low[:_MOST_CHARACTERS], _not_less(high)
        if type(low) is date:
            return low.isoformat(), high.isoformat()
        if isinstance(low, datetime):
            return _time(low), _time(high + _MILLISECOND)
    return None


def _not_less(text: str) -> str:
    """The text, or a shorter one behind it in order."""
    is_long = len(text) > _MOST_CHARACTERS and _LAST_CHARACTER not in text
    return text[:_MOST_CHARACTERS] + _LAST_CHARACTER if is_long else text


def _time(value: datetime) -> str:
    """Down to the millisecond, which is all that the log keeps."""
    text = value.replace(tzinfo=None).isoformat(
        sep="T" if value.tzinfo else " ", timespec="milliseconds"
    )
    return text + ("Z" if value.tzinfo else "")
