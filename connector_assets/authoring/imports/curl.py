"""curl commands, as people copy them from documentation and browsers → a draft.

Nothing is run, and no file that a command names is opened. A value that curl would have sent as a
credential is a secret of the draft: it is named, and stands nowhere.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector_assets.authoring.imports.curl_options import FLAGS, IGNORED, LEFT_OUT, SHORT
from connector_assets.authoring.imports.draft import Draft
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.read_data import read_data
from connector_assets.authoring.imports.recorded import (
    Recorded,
    RecordedDraft,
    recorded,
    with_answer,
)
from connector_assets.authoring.imports.secret_values import camel
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.imports.spec_parts import Parts
from connector_assets.errors import ConfigError

_CONTINUED = re.compile(r"\\\r?\n|\^\r?\n|`\r?\n")
_ANSI = re.compile(r"(?<![\w'\"])\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_WINDOWS = re.compile(r"\^([\"%^&<>|{}\[\]()!\\])")
_VARIABLE_FIRST = re.compile(r"\$\{?([A-Za-z_]\w*)\}?(?=[/?]|$)")
_BRACES = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_ENDS = frozenset((";", "&&", "||", "|", "&"))
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "",
    "e": "",
    "0": "",
}


class Curl:
    """Reads one or many curl commands."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """Their requests as streams."""
        parts = Parts("curl", source.name)
        drafting = RecordedDraft(parts, "", wanted.id)
        commands = list(_commands(source))
        if not commands:
            raise ConfigError("holds no curl command", where=source.name)
        requests: list[Recorded] = []
        for words in commands:
            command = _Command(drafting)
            requests += command.requests(words)
        if not requests:
            raise ConfigError("names no URL", where=source.name)
        if wanted.answer:
            requests = with_answer(requests, read_data(wanted.answer))
        host = urlsplit(requests[0].url).hostname or "api"
        drafting.title = re.sub(r"^(?:www|api)\.", "", host)
        return drafting.draft(requests)


def curl_requests(source: Source, drafting: RecordedDraft) -> list[Recorded]:
    """The requests of all curl commands in a text; what signs them goes into `drafting`."""
    return [one for words in _commands(source) for one in _Command(drafting).requests(words)]


def _commands(source: Source) -> Iterator[list[str]]:
    """The words of each command, without `curl` itself."""
    try:
        text = source.raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=source.name) from None
    if "^\n" in text or "^\r\n" in text or '^"' in text:
        text = _WINDOWS.sub(r"\1", re.sub(r"\^\r?\n", " ", text))
    text = _CONTINUED.sub(" ", text)
    text = _ANSI.sub(lambda found: shlex.quote(_unescaped(found[1])), text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] | None = None
    for word in _tokens(lexer, source):
        if word in ("curl", "curl.exe") or word in _ENDS:
            if words is not None:
                yield words
            words = None if word in _ENDS else []
        elif words is not None:
            words.append(word)
    if words is not None:
        yield words


def _tokens(lexer: shlex.shlex, source: Source) -> Iterator[str]:
    try:
        yield from lexer
    except ValueError as error:
        where = f"{source.name}:{lexer.lineno}"
        what = f"is no command that a shell reads: {str(error).lower()}"
        raise ConfigError(what, where=where) from None


def _unescaped(text: str) -> str:
    """What `$'…'` means: the escapes of ANSI C."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xu":
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code[0], code[0])

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", one, text, flags=re.DOTALL)


@dataclass
class _Command:
    """One command's options, in the words of curl's manual."""

    drafting: RecordedDraft
    urls: list[str] = field(default_factory=list)
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    encoded: list[tuple[str, str]] = field(default_factory=list)
    query: list[tuple[str, str]] = field(default_factory=list)
    json: str = ""
    form: list[tuple[str, str]] = field(default_factory=list)
    user: str = ""
    get: bool = False
    head: bool = False
    digest: bool = False

    def requests(self, words: list[str]) -> list[Recorded]:
        at = 0
        while at < len(words):
            at = self._option(words, at)
        self._credentials()
        method = self.method or ("POST" if self._has_body() and not self.get else "GET")
        params = [*self.query, *(self._form_pairs() if self.get else [])]
        more: dict[str, Any] = {"headers": tuple(self.headers), "params": tuple(params)}
        more["body"] = None if self.get else self._body()
        source = self.drafting.parts.source
        try:
            return [
                recorded("GET" if self.head else method, self._whole(url), **more)
                for url in self.urls
            ]
        except ValueError:
            raise ConfigError("names a URL that is not valid", where=source) from None

    def _option(self, words: list[str], at: int) -> int:
        """Take the option at `at`; the place of the next."""
        word = words[at]
        if not word.startswith("-") or word == "-":
            self.urls.append(word)
            return at + 1
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _VALUES:
                if not equals:
                    value, at = self._next(words, at), at + 1
                self._take(name, value)
            elif name in FLAGS:
                self._flag(name)
            else:
                self._unknown(f"--{name}")
            return at + 1
        return self._short(words, at)

    def _short(self, words: list[str], at: int) -> int:
        """Joined short options: `-sSLX POST`, `-uuser:pass`."""
        word = words[at]
        for place, letter in enumerate(word[1:], 2):
            name = SHORT.get(letter, letter)
            if name in _VALUES:
                rest = word[place:]
                if rest:
                    self._take(name, rest)
                    return at + 1
                self._take(name, self._next(words, at))
                return at + 2
            if name in FLAGS:
                self._flag(name)
            else:
                self._unknown(f"-{letter}")
        return at + 1

    def _next(self, words: list[str], at: int) -> str:
        if at + 1 >= len(words):
            raise ConfigError(f"{words[at]} has no value", where=self.drafting.parts.source)
        return words[at + 1]

    def _unknown(self, option: str) -> None:
        says = f"{option} is no option that is known, and left out"
        self.drafting.parts.say("question", "", "curl", says)

    def _flag(self, name: str) -> None:
        if name == "get":
            self.get = True
        elif name == "head":
            self.head = True
        elif name == "digest":
            self.digest = True
        elif name == "insecure":
            says = "-k is left out: certificates are always verified; see caBundle"
            self.drafting.parts.say("note", "", "network", says)

    def _take(self, name: str, value: str) -> None:
        _VALUES[name](self, value)

    def _header(self, value: str) -> None:
        name, colon, rest = value.partition(":")
        if not colon or value.startswith("@"):
            return
        if name.strip().lower() == "cookie":
            self._cookie(rest)
        else:
            self.headers.append((name.strip(), rest.strip()))

    def _cookie(self, value: str) -> None:
        if "=" not in value:
            self._unknown("-b FILE")
            return
        self.headers.append(("Cookie", value.strip()))

    def _data(self, value: str) -> None:
        if value.startswith("@"):
            self._file(value)
        else:
            self.data.append(value)

    def _file(self, value: str) -> None:
        says = f"the body is in a file ({value[1:60]}), which is not opened: write it into body"
        self.drafting.parts.say("question", "", "body", says)

    def _urlencoded(self, value: str) -> None:
        name, equals, rest = value.partition("=")
        if not equals and "@" in value:
            self._file(value[value.index("@") :])
        elif not equals:
            self.encoded.append((value, ""))
        else:
            self.encoded.append((name, rest))

    def _url_query(self, value: str) -> None:
        name, _, rest = value.lstrip("+").partition("=")
        self.query.append((name, rest))

    def _multipart(self, value: str) -> None:
        name, _, rest = value.partition("=")
        if rest.startswith(("@", "<")):
            self._file(rest)
        else:
            self.form.append((name, rest))
        says = "-F sends parts of a form, which is not known here: it is drafted as a plain form"
        self.drafting.parts.say("question", "", "body", says)

    def _credentials(self) -> None:
        credentials = self.drafting.credentials
        if self.user:
            user, _, password = self.user.partition(":")
            credentials.basic(user, password, digest=self.digest)
        for at, url in enumerate(self.urls):
            found = re.match(r"(https?://)([^/@\s]+)@(.*)", url, re.DOTALL)
            if found:
                user, _, password = found[2].partition(":")
                credentials.basic(user, password, digest=self.digest)
                self.urls[at] = found[1] + found[3]

    def _whole(self, url: str) -> str:
        """The URL with its scheme; a variable of the shell before the path is a config value."""
        found = _VARIABLE_FIRST.match(url)
        if found:
            about = {"description": "Where the API is, as https://api.example.com"}
            name = self.drafting.parts.value(camel(found[1]), about)
            return f"{{{{{name}}}}}{url[found.end() :]}"
        scheme, mark, rest = url.partition("://")
        if mark and scheme.lower() in ("http", "https"):
            host, slash, path = rest.partition("/")
            path, mark, query = path.partition("?")
            path = _BRACES.sub(lambda found: f"{{{camel(found[1])}}}", path) + mark + query
            return f"{scheme.lower()}://{host.lower()}{slash}{path}"
        return url if url.startswith("{{") or mark else f"https://{url}"

    def _has_body(self) -> bool:
        return bool(self.data or self.encoded or self.json or self.form)

    def _form_pairs(self) -> list[tuple[str, str]]:
        return [*parse_qsl("&".join(self.data), keep_blank_values=True), *self.encoded]

    def _body(self) -> Any:
        if not self._has_body():
            return None
        text = self.json or "&".join(self.data)
        try:
            return {"json": json.loads(text)}
        except ValueError:
            pass
        if self.form:
            return {"form": dict(self.form)}
        if self.encoded or re.match(r"[^\s={}<>]+=", text):
            return {"form": dict(self._form_pairs())}
        return {"text": text}

    def _ignored(self, _: str) -> None:
        """An option of how curl behaves, and not of what it asks."""


def _set(name: str) -> Callable[[_Command, str], None]:
    def put(command: _Command, value: str) -> None:
        setattr(command, name, value)

    return put


def _named_header(name: str) -> Callable[[_Command, str], None]:
    def put(command: _Command, value: str) -> None:
        command.headers.append((name, value))

    return put


def _left_out(name: str, where: str, says: str) -> Callable[[_Command, str], None]:
    def ask(command: _Command, _: str) -> None:
        command.drafting.parts.say("question", "", where, f"--{name} is left out: {says}")

    return ask


def _bearer(command: _Command, value: str) -> None:
    command.headers.append(("Authorization", f"Bearer {value}"))


def _add_json(command: _Command, value: str) -> None:
    command.json += value


_VALUES: dict[str, Callable[[_Command, str], None]] = {
    "request": _set("method"),
    "header": _Command._header,  # noqa: SLF001 - the table is the class's own
    "data": _Command._data,  # noqa: SLF001
    "data-ascii": _Command._data,  # noqa: SLF001
    "data-binary": _Command._data,  # noqa: SLF001
    "data-raw": lambda command, value: command.data.append(value),
    "data-urlencode": _Command._urlencoded,  # noqa: SLF001
    "json": _add_json,
    "form": _Command._multipart,  # noqa: SLF001
    "form-string": _Command._multipart,  # noqa: SLF001
    "user": _set("user"),
    "cookie": _Command._cookie,  # noqa: SLF001
    "oauth2-bearer": _bearer,
    "url": lambda command, value: command.urls.append(value),
    "url-query": _Command._url_query,  # noqa: SLF001
    "user-agent": _named_header("User-Agent"),
    "referer": _named_header("Referer"),
    **dict.fromkeys(IGNORED, _Command._ignored),  # noqa: SLF001
    **{name: _left_out(name, *about) for name, about in LEFT_OUT.items()},
}
