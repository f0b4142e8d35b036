"""Options that commands share, and the values they hold together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from connector_assets.cli import output
from connector_assets.settings import DEFAULTS, private_hosts, setting, variable

if TYPE_CHECKING:
    from connector_assets.connection import Connection
    from connector_assets.runtime.runtime import HttpRuntime

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A spec or connection file, or the id of one in the project's folders.",
        show_default=False,
    ),
]
AuthOption = Annotated[
    str | None,
    typer.Option(
        "--auth",
        metavar="TYPE|N",
        help="Which of the spec's auths: its type, or its position from 0.",
    ),
]
ConfigOption = Annotated[
    list[str] | None,
    typer.Option("--config", metavar="NAME=VALUE", help="A config value; may be repeated."),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=VALUE",
        help="A secret; may be repeated. Others can see it in the list of processes.",
    ),
]
SecretsFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--secrets-file",
        metavar="FILE",
        help="Secrets by name or by variable, as YAML, JSON or NAME=VALUE lines; may be repeated.",
    ),
]
AllowPrivateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-private",
        metavar="HOST[:PORT]|CIDR",
        help="A private address that may be read; may be repeated.",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="Quote the server's own words in errors; show the log."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

WHERE_BY_DEFAULT = (
    f"Default: what the connection says, else {variable('DESTINATION')}, "
    f"else {DEFAULTS['DESTINATION']}."
)

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*__[A-Z0-9_]+")


@dataclass(frozen=True)
class Given:
    """What the command line gives a connection, the values of files and options together.

    `environ` is the environment with the variables that secrets files name. Leaving the `with`
    block closes what the runtime has open.
    """

    auth: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    allow_private: tuple[str, ...] = ()
    verbose: bool = False

    @classmethod
    def of(
        cls,
        auth: str | None = None,
        config: Iterable[str] | None = None,
        secret: Iterable[str] | None = None,
        secrets_file: Iterable[Path] | None = None,
        allow_private: Iterable[str] | None = None,
        *,
        verbose: bool = False,
    ) -> Given:
        """From the options as typed; raises Misused or ConfigError."""
        from connector_assets.cli.secrets_file import read_secrets_file

        kept: dict[str, str] = {}
        for file in secrets_file or ():
            kept |= read_secrets_file(file)
        variables = {name: value for name, value in kept.items() if _VARIABLE.fullmatch(name)}
        named = {name: value for name, value in kept.items() if name not in variables}
        given = cls(
            auth=auth,
            config=_pairs("--config", config or ()),
            secrets={**named, **_pairs("--secret", secret or ())},
            environ={**os.environ, **variables},
            allow_private=tuple(allow_private or ()),
            verbose=verbose,
        )
        if verbose:
            given.show_log()
        return given

    @cached_property
    def runtime(self) -> HttpRuntime:
        """The one runtime of this command."""
        from connector_assets.runtime.runtime import HttpRuntime

        allowed = (*private_hosts(self.environ), *self.allow_private)
        state = setting("STATE", self.environ)
        return HttpRuntime(allow_private=allowed, state=state, verbose=self.verbose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        runtime = self.__dict__.get("runtime")  # made only where something is read
        if runtime:
            runtime.close()

    def connection(self, spec: str) -> Connection:
        """The connection that SPEC stands for: a file, or an id in the project."""
        from connector_assets.cli.project import find

        return find(spec, runtime=self.runtime, environ=self.environ)

    def destination_of(self, connection: Connection, asked_for: str | None) -> str:
        """The URL of where a connection's tables are."""
        own = connection.document.destination if connection.document else None
        by_default = own or setting("DESTINATION", self.environ)
        return by_default if asked_for is None else asked_for

    def show_log(self) -> None:
        """The log on stderr, without what was given here or stands in the environment."""
        from connector_assets.redact import Secrets

        kept = {name: value for name, value in self.environ.items() if _VARIABLE.fullmatch(name)}
        output.verbose(Secrets({**kept, **self.secrets}).mask)


def _pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` each; the value is never quoted back, it may be a secret."""
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise output.Misused(f"{option}: is not NAME=VALUE")
        pairs[name.strip()] = value
    return pairs
