"""Where the rows of an answer are, what it is written in, and what is known of its columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.texts import Texts

_PLAIN_DECODERS = {
    None: {},
    "JsonDecoder": {},
    "JsonParser": {},
    "NoopDecoder": {},
    "JsonlDecoder": {"responseFormat": "jsonl"},
    "JsonLineParser": {"responseFormat": "jsonl"},
    "XmlDecoder": {"responseFormat": "xml"},
    "IterableDecoder": {"responseFormat": "text"},
}
_PACKED = {"GzipDecoder": "decoder", "ZipfileDecoder": "decoder", "GzipParser": "inner_parser"}


def rows_path(extractor: Any, texts: Texts) -> str:
    """The JMESPath of an extractor's rows; `@` is the whole answer."""
    if not isinstance(extractor, Mapping):
        return "@"
    if extractor.get("class_name") or extractor.get("type") not in ("DpathExtractor", None):
        raise Refused(f"the extractor {extractor.get('class_name') or extractor.get('type')}")
    steps = extractor.get("field_path")
    keys = [
        texts.text(one)
        for one in (steps if isinstance(steps, list) else [steps])
        if one not in (None, "")
    ]
    if any("{{" in key for key in keys):
        raise Refused("a path to the rows that the user chooses")
    if extractor.get("rows_at"):
        return str(extractor["rows_at"]).replace("{rows}", _joined(keys))
    expander = extractor.get("record_expander")
    return _expanded(_joined(keys), expander, texts) if expander else _joined(keys)


def _expanded(rows: str, expander: Any, texts: Texts) -> str:
    """The path of the elements of a list within each row, which are rows in its place."""
    if not isinstance(expander, Mapping) or expander.get("class_name"):
        raise Refused("rows that Python expands")
    if expander.get("remain_original_record") or expander.get("on_no_records") == "emit_parent":
        raise Refused("rows that are expanded beside the row they are in")
    keys = [texts.text(one) for one in expander.get("expand_records_from_field") or ()]
    if not keys or any("{{" in key or key == "**" for key in keys):
        raise Refused("rows that are expanded from a computed path")
    steps = "".join("[*]" if key == "*" else f".{_step(key)}" for key in keys)
    # What is one row there is a list of one here.
    return f"(([{rows}][])[*]{steps})[]"


def _joined(keys: list[str]) -> str:
    if "**" in keys:
        raise Refused("rows at any depth of an answer")
    if "*" not in keys:
        return ".".join(map(_step, keys)) or "@"
    return _with_stars(keys)


def _with_stars(keys: list[str]) -> str:
    """A path through every element of a list, or every value of an object, whichever is there."""
    at = keys.index("*")
    before = ".".join(map(_step, keys[:at]))
    found = f"({before}[*] || {before}.* || `[]`)" if before else "([*] || * || `[]`)"
    for key in keys[at + 1 :]:
        every = f"(({found}[*].*)[] || {found}[])"
        found = every if key == "*" else f"{found}[*].{_step(key)}"
    # Each value found is a row, or a list of rows.
    return f"{found}[]"


def _step(key: str) -> str:
    plain = key.isidentifier() and key.isascii()
    return key if plain else json.dumps(key, ensure_ascii=False).replace("`", "\\`")


def rows_keys(path: str) -> dict[str, str]:
    """The key of an endpoint: where there are no rows in an answer there are none to take."""
    if path.endswith("[]"):
        return {"responseRowsPath": path}
    return {"responseRowsPath": f"{path} || `[]`"}


def format_keys(decoder: Any, texts: Texts) -> dict[str, Any]:
    """The keys of an endpoint that say what its answers are written in."""
    if not isinstance(decoder, Mapping):
        return {}
    kind = decoder.get("type")
    if decoder.get("class_name"):
        raise Refused(f"the decoder {decoder['class_name']}")
    if kind == "CompositeRawDecoder":
        return format_keys(decoder.get("parser"), texts)
    if kind in _PACKED:
        inner = (
            decoder.get(_PACKED[str(kind)]) or decoder.get("inner_decoder") or decoder.get("parser")
        )
        return format_keys(inner, texts)
    if kind in ("CsvDecoder", "CsvParser"):
        return _csv(decoder, texts)
    if kind not in _PLAIN_DECODERS:
        raise Refused(f"the decoder {kind}")
    return dict(_PLAIN_DECODERS[kind])


def _csv(decoder: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    made: dict[str, Any] = {}
    delimiter = texts.text(decoder.get("delimiter") or ",").replace("\\t", "\t")
    if delimiter != ",":
        made["delimiter"] = delimiter
    charset = str(decoder.get("encoding") or "utf-8").lower()
    if charset not in ("utf-8", "utf8"):
        made["charset"] = charset
    if decoder.get("set_values_to_none"):
        raise Refused("a CSV with texts that stand for null")
    return {"responseFormat": "csv", **({"csv": made} if made else {})}


def primary_key(given: Any) -> list[str]:
    """The paths of a primary key, which is a name, a list of names or a list of paths."""
    if isinstance(given, str):
        return [_step(given)] if given else []
    found = []
    for one in given if isinstance(given, list) else ():
        if isinstance(one, list) and one:
            found.append(".".join(_step(str(key)) for key in one))
        elif isinstance(one, str) and one:
            found.append(_step(one))
    return found


def columns(schema: Any) -> dict[str, Any]:
    """What a schema says of each column in words; its types are what rows have."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    made: dict[str, Any] = {}
    for name, one in (properties if isinstance(properties, Mapping) else {}).items():
        about = one.get("description") if isinstance(one, Mapping) else None
        if isinstance(about, str) and about.strip() and isinstance(name, str):
            made[name] = {"description": " ".join(about.split())[:200]}
    return made
