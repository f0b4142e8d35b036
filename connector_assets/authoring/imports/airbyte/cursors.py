"""A manifest's incremental sync → `incremental` of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.imports.airbyte.code import Code, Const, Value
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_functions import check_pattern
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.request_parts import Option
from connector_assets.authoring.imports.airbyte.texts import Texts
from connector_assets.spec.names import dates

_UNITS = {"%s": "epoch", "%ms": "epoch_ms", "%epoch_microseconds": "epoch_us"}
_ISO_LIKE = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


@dataclass
class ConvertedIncrement:
    """How a stream goes on: its keys, what templates read of a window, and what is sent where."""

    keys: dict[str, Any] = field(default_factory=dict)
    window: dict[str, str] = field(default_factory=dict)
    expected: list[Option] = field(default_factory=list)
    sent: list[tuple[Option, str]] = field(default_factory=list)
    near: list[str] = field(default_factory=list)
    needs_key: str = ""
    """A key that only a stream with a primary key can have."""


class Cursors:
    """Converts the incremental sync of one stream."""

    def __init__(self, reading: Reading) -> None:
        self.reading = replace(reading, certain=False)
        self.texts = Texts(self.reading)

    def increment(self, component: Any) -> ConvertedIncrement:
        """The increment that `component` is; Refused where a spec has no equal."""
        kind = component.get("type")
        if kind == "IncrementingCountCursor":
            return self._counting(component)
        if kind != "DatetimeBasedCursor" or component.get("class_name"):
            raise Refused(f"the cursor {component.get('class_name') or kind}")
        if component.get("clamping"):
            raise Refused("windows that are clamped to days, weeks or months")
        return self._of_time(component)

    def _counting(self, component: Mapping[str, Any]) -> ConvertedIncrement:
        made = ConvertedIncrement({"cursorField": self._field(component.get("cursor_field"))})
        made.keys["cursorFormat"] = "number"
        if component.get("start_value") is not None:
            made.keys["start"] = component["start_value"]
        self._options(component, made)
        made.window = self._names(component)
        return made

    def _of_time(self, component: Mapping[str, Any]) -> ConvertedIncrement:
        made = ConvertedIncrement(window=self._names(component))
        made.keys["cursorField"] = self._field(component.get("cursor_field"))
        self._format(component, made)
        start = self._moment(component.get("start_datetime"), component)
        if start is not None:
            made.keys["start"] = start
        end = component.get("end_datetime")
        until = self._moment(end, component) if end else None
        if until is not None and not _is_now(until):
            made.keys["end"] = until
        self._windows(component, made)
        self._options(component, made)
        self._known_rows(component, made)
        return made

    def _field(self, name: Any) -> str:
        text = self.texts.text(name)
        if not text or "{{" in text:
            raise Refused("a cursor field that is computed" if text else "no cursor field")
        plain = all(step.isidentifier() and step.isascii() for step in text.split("."))
        return text if plain else ".".join(f'"{step}"' for step in text.split("."))

    def _names(self, component: Mapping[str, Any]) -> dict[str, str]:
        start = self.texts.text(component.get("partition_field_start") or "start_time")
        end = self.texts.text(component.get("partition_field_end") or "end_time")
        return {start: "window.start", end: "window.end"}

    def _format(self, component: Mapping[str, Any], made: ConvertedIncrement) -> None:
        sent = str(component.get("datetime_format") or "")
        if sent == "%s_as_float":
            made.near.append("times are sent as whole seconds, not as fractions")
            sent = "%s"
        if sent == "%Y-%m-%d":
            made.keys["format"] = "date"
        elif sent in _UNITS:
            made.keys["format"] = _UNITS[sent]
        else:
            if sent != "%Y-%m-%dT%H:%M:%S.%_msZ":
                check_pattern(sent)
            made.keys["format"] = sent
        read = component.get("cursor_datetime_formats") or [sent]
        formats = [one for one in read if isinstance(one, str)]
        known = next((one for one in formats if one in _UNITS), None)
        if known and len(formats) == 1:
            made.keys["cursorFormat"] = _UNITS[known]
            return
        odd = [one for one in formats if not one.startswith(_ISO_LIKE) and one not in _UNITS]
        if odd and len(formats) == 1:
            check_pattern(odd[0])
            made.keys["cursorFormat"] = odd[0]

    def _moment(self, given: Any, component: Mapping[str, Any]) -> Any:
        """A start or an end as a template; texts that are no ISO 8601 are read by their format."""
        if given is None:
            return None
        if not isinstance(given, Mapping):
            return self._read(given, str(component.get("datetime_format") or ""))
        pattern = str(given.get("datetime_format") or component.get("datetime_format") or "")
        value = self._read(given.get("datetime"), pattern)
        least, most = given.get("min_datetime"), given.get("max_datetime")
        if least:
            value = self._bounded(value, self._read(least, pattern), "max")
        if most:
            value = self._bounded(value, self._read(most, pattern), "min")
        return value

    def _bounded(self, value: Any, bound: Any, pick: str) -> str:
        sides = ", ".join(
            f"{_expression(one)} | date('%Y-%m-%dT%H:%M:%SZ')" for one in (value, bound)
        )
        return f"{{{{ [{sides}] | {pick} }}}}"

    def _read(self, source: Any, pattern: str) -> Any:
        found = self.texts.one(source)
        if isinstance(found, Const):
            return self._constant(found.value, pattern)
        if found.text in ("now()", "today()"):
            return f"{{{{ {found.text} }}}}"
        if (
            found.text.startswith("now() | date(")
            and "%Y" in found.text
            and "|" not in found.text[8:]
        ):
            return f"{{{{ {found.text} }}}}" if _is_iso(found.text) else "{{ now() }}"
        # Where it may lack, the first run reads everything.
        if pattern and not pattern.startswith(_ISO_LIKE) and _reads_config(found):
            return f"{{{{ {self._parsed(found, pattern)} }}}}"
        return f"{{{{ {found.text} }}}}"

    def _parsed(self, found: Code, pattern: str) -> str:
        if pattern in ("%s", "%ms"):
            number = f"{found.text} | int" if found.level == 9 else f"({found.text}) | int"  # noqa: PLR2004
            return number if pattern == "%s" else f"({number}) // 1000"
        check_pattern(pattern)
        return f"{found.text} | parse_date('{pattern}')" if found.level == 9 else found.text  # noqa: PLR2004

    def _constant(self, value: Any, pattern: str) -> Any:
        if isinstance(value, int | float):
            return value
        text = str(value).strip()
        if not text:
            return None
        if pattern == "%s" and text.isdigit():
            return int(text)
        try:
            dates.moment(text)
        except dates.DateError:
            when = dates.parsed(text, pattern) if "%" in pattern and "%ms" not in pattern else None
            if when is None:
                raise Refused(f"a start or end that is no time: {text:.40}") from None
            return dates.iso(when)
        return text

    def _windows(self, component: Mapping[str, Any], made: ConvertedIncrement) -> None:
        lookback = self._duration(component.get("lookback_window"))
        if lookback is not None:
            made.keys["lookback"] = lookback
        step = self._duration(component.get("step"))
        if step is None:
            return
        if "start" not in made.keys:
            raise Refused("windows without a start")
        made.keys["window"] = step
        granularity = component.get("cursor_granularity")
        if isinstance(granularity, str) and granularity:
            dates.duration(granularity)
            made.keys["granularity"] = granularity

    def _duration(self, given: Any) -> Any:
        if given in (None, ""):
            return None
        text = self.texts.text(given)
        if "{{" in text:
            return text
        try:
            span = dates.duration(text)
        except dates.DateError:
            raise Refused(f"the duration {text:.40}") from None
        return text if span.months or span.span else None

    def _options(self, component: Mapping[str, Any], made: ConvertedIncrement) -> None:
        places = []
        for key, ours, read in (
            ("start_time_option", "startParam", "window.start"),
            ("end_time_option", "endParam", "window.end"),
            ("start_value_option", "startParam", "window.start"),
        ):
            if component.get(key):
                places.append((Option.of(component[key], self.texts), ours, read))
        same = len({(one.where, one.form) for one, _, _ in places}) == 1
        for option, ours, read in places:
            if same and option.name.strip():
                made.keys[ours] = option.name
                if option.where != "query":
                    made.keys["in"] = option.where
                made.expected.append(option)
            else:
                made.sent.append((option, f"{{{{ {read} | default(none) }}}}"))

    def _known_rows(self, component: Mapping[str, Any], made: ConvertedIncrement) -> None:
        if component.get("is_data_feed"):
            made.keys["order"] = "descending"
            made.keys["clientFilter"] = True
        if component.get("is_client_side_incremental"):
            made.keys["clientFilter"] = True
        if component.get("is_compare_strictly"):
            made.near.append("a window whose start and end are equal is read, too")


def _is_now(value: Any) -> bool:
    return bool(value == "{{ now() }}")


def _is_iso(text: str) -> bool:
    return "'%Y-%m-%d" in text


def _reads_config(value: Value) -> bool:
    return isinstance(value, Code) and "config." in value.text and "now()" not in value.text


def _expression(value: Any) -> str:
    text = str(value)
    if text.startswith("{{"):
        inner = text.removeprefix("{{").removesuffix("}}").strip()
        return inner if " " not in inner else f"({inner})"
    return f"'{text}'" if isinstance(value, str) else text
