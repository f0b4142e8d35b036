"""Options that commands share, and the values they hold together."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from connector_assets.cli import output
from connector_assets.project.settings import DEFAULTS, private_hosts, setting, variable

if TYPE_CHECKING:
    from connector_assets.project.connection import Connection
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
ProxyOption = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        metavar="URL",
        help="Send all requests through this proxy, or none, or that of the environment.",
    ),
]
CaBundleOption = Annotated[
    Path | None,
    typer.Option("--ca-bundle", metavar="FILE", help="Trust the authorities in this PEM file."),
]
ClientCertificateOption = Annotated[
    Path | None,
    typer.Option("--client-certificate", metavar="FILE", help="Show servers this certificate."),
]
ClientKeyOption = Annotated[
    Path | None,
    typer.Option("--client-key", metavar="FILE", help="The key of the client certificate."),
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
    network: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        *,
        auth: AuthOption = None,
        config: ConfigOption = None,
        secret: SecretOption = None,
        secrets_file: SecretsFileOption = None,
        allow_private: AllowPrivateOption = None,
        proxy: ProxyOption = None,
        ca_bundle: CaBundleOption = None,
        client_certificate: ClientCertificateOption = None,
        client_key: ClientKeyOption = None,
        verbose: VerboseOption = False,
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
            network=_network(proxy, ca_bundle, client_certificate, client_key),
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
        return HttpRuntime(
            allow_private=allowed,
            state=state,
            verbose=self.verbose or bool(setting("VERBOSE", self.environ)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        runtime = self.__dict__.get("runtime")  # made only where something is read
        if runtime:
            runtime.close()

    def connection(self, spec: str, *, discovers: bool = False) -> Connection:
        """The connection that SPEC stands for: a file, or an id in the project.

        `discovers`: a lock file with rows that cannot be read is taken as far as it can.
        """
        from connector_assets.cli.project import find
        from connector_assets.spec.dynamic import discovered, still_locked

        locked = still_locked if discovers else discovered
        found = find(spec, runtime=self.runtime, environ=self.environ, locked=locked)
        return replace(found, network=self.network) if self.network else found

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


def takes_values(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with the options of `Given.of` in place of its parameter `given`.

    Typer reads the options of a command from its signature; these four commands share theirs.
    """
    own = inspect.signature(command, eval_str=True)
    options = inspect.signature(Given.of, eval_str=True).parameters

    @wraps(command)
    def run(**typed: Any) -> None:
        values = {name: typed.pop(name) for name in options}
        with Given.of(**values) as given:
            command(**typed, given=given)

    parameters = [
        shown
        for one in own.parameters.values()
        for shown in (options.values() if one.name == "given" else [one])
    ]
    run.__dict__["__signature__"] = own.replace(parameters=parameters)
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _network(
    proxy: str | None, bundle: Path | None, certificate: Path | None, key: Path | None
) -> dict[str, str]:
    """The settings of the network that options give, by name."""
    if key and not certificate:
        raise output.Misused("--client-key: needs --client-certificate")
    named = {
        "PROXY": proxy,
        "CA_BUNDLE": bundle,
        "CLIENT_CERTIFICATE": certificate,
        "CLIENT_KEY": key,
    }
    return {name: str(value) for name, value in named.items() if value}


def _pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` each; the value is never quoted back, it may be a secret."""
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise output.Misused(f"{option}: is not NAME=VALUE")
        pairs[name.strip()] = value
    return pairs
