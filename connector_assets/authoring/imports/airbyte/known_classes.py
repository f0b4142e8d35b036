"""Classes of connectors' own Python whose meaning is known → components that mean the same.

Each row is of a class in a published connector, read once in its `components.py`: what it asks and
gives, in the words of the format. A class is known by its name and by what its component or its
requester's address has beside it, as some names are used for different things. No Python is read
when a manifest is; a class that is in no row is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector_assets.authoring.imports.airbyte import known_authenticators as authenticators

Component = Mapping[str, Any]


@dataclass(frozen=True)
class Around:
    """What a class may look at of the stream that it is a part of."""

    stream: Component
    address: str = ""


@dataclass(frozen=True)
class Known:
    """What a class means; `address` is a part of the address of the one API it is known for."""

    means: Callable[[Component, Around], Component | None]
    near: str = ""
    address: str = ""


def with_known_classes(stream: Component) -> tuple[Component, list[str]]:
    """A stream with known classes written as the components they mean, and what differs."""
    retriever = stream.get("retriever")
    if not isinstance(retriever, Mapping):
        return stream, []
    requester = retriever.get("requester")
    address = str(requester.get("url_base") or "") if isinstance(requester, Mapping) else ""
    around, near = Around(stream, address), list[str]()
    made = {key: _meant(one, around, near) for key, one in stream.items() if key != "schema_loader"}
    return {**stream, **made}, near


def _meant(value: Any, around: Around, near: list[str]) -> Any:
    """A value with the known classes in it; streams within it are looked at on their own."""
    if isinstance(value, list):
        meant = [_meant(one, around, near) for one in value]
        return [one for one in meant if one is not _NOTHING]
    if not isinstance(value, Mapping) or value.get("type") == "DeclarativeStream":
        return value
    known = _known(value, around)
    found = known.means(value, around) if known else value
    if known and known.near and found is not None and known.near not in near:
        near.append(known.near)
    if found is None or found is _NOTHING:
        return value if found is None else found
    return _sending({key: _meant(one, around, near) for key, one in found.items()})


def _sending(requester: dict[str, Any]) -> dict[str, Any]:
    """A requester with the headers that its authenticator sends beside the token."""
    auth = requester.get("authenticator")
    sent = auth.get("sends_headers") if isinstance(auth, Mapping) else None
    own = requester.get("request_headers") or {}
    if not sent or not isinstance(own, Mapping):
        return requester
    return {**requester, "request_headers": {**own, **sent}}


def _known(component: Component, around: Around) -> Known | None:
    name = str(component.get("class_name") or "").rpartition(".")[2]
    rows = CLASSES.get(name, ())
    return next((one for one in rows if one.address in around.address), None)


def typed(component: Component, kind: str, **more: Any) -> dict[str, Any]:
    """A component as one of the format's own type."""
    kept = {key: one for key, one in component.items() if key != "class_name"}
    return {**kept, "type": kind, **more}


_NOTHING: dict[str, Any] = {"type": "nothing"}
"""A component that does nothing, and is left out of its list."""


def as_it_is(kind: str) -> Callable[[Component, Around], Component]:
    """A class that asks and gives what its base does."""
    return lambda component, _: typed(component, kind)


def at_path(path: str) -> Callable[[Component, Around], Component]:
    """An extractor whose rows are at a path; `{rows}` is where its field path leads."""
    return lambda component, _: typed(component, "DpathExtractor", rows_at=path)


def _nullable(component: Component, _: Around) -> Component:
    name = str(component.get("nullable_nested_field"))
    return typed(component, "DpathExtractor", rows_at=f"({{rows}})[*].[{name} || @][]")


def _no_dates(component: Component, _: Around) -> Component | None:
    """Looks for the fields of a schema file by the name in its parameters; without one, nothing."""
    parameters = component.get("$parameters")
    named = isinstance(parameters, Mapping) and parameters.get("name")
    return None if named else _NOTHING


def _with_fields(component: Component, around: Around) -> Component | None:
    """A requester that asks for each field of the stream's schema by name."""
    loader = around.stream.get("schema_loader")
    schema = loader.get("schema") if isinstance(loader, Mapping) else None
    fields = schema.get("properties") if isinstance(schema, Mapping) else None
    asked = component.get("request_parameters") or {}
    if not isinstance(fields, Mapping) or not fields or not isinstance(asked, Mapping):
        return None
    parameters = around.stream.get("$parameters")
    stream = around.stream.get("name") or (
        parameters.get("name") if isinstance(parameters, Mapping) else None
    )
    names = ",".join(_asked_field(str(stream), name, one) for name, one in fields.items())
    return typed(component, "HttpRequester", request_parameters={**asked, "opt_fields": names})


def _asked_field(stream: str, name: str, schema: Any) -> str:
    items = schema.get("items") or {} if "array" in schema["type"] else schema
    if "object" not in items.get("type", ()):
        return name
    whole = {("tasks", "custom_fields"), ("users", "photo")}
    within = {"hearts": "user.gid", "likes": "user.gid", "memberships": "(project|section).gid"}
    if (stream, name) in whole:
        return name
    return f"{name}.{within.get(name, 'gid') if stream == 'tasks' else 'gid'}"


def _picked(option: str) -> Known:
    """A router of the parents that the user picks, or of all where none is picked."""
    return Known(
        as_it_is("SubstreamPartitionRouter"),
        f"all parents are read: what the user picks under {option} there is not asked for",
    )


_WAITS = "waits before a limit is reached are this package's"

CLASSES: dict[str, tuple[Known, ...]] = {
    # Extractors.
    "AdAccountRecordExtractor": (
        Known(at_path("[items || `[]`, [@][?length(@) > `0` && !contains(keys(@), 'items')]][]")),
    ),
    "EventsRecordExtractor": (
        Known(at_path("(events || `[]`)[*].{event_name: @}"), address="{{ config['url'] }}"),
    ),
    "NullCheckedDpathExtractor": (Known(_nullable),),
    # Transformations.
    "CustomFieldTransformation": (
        Known(
            lambda _, __: _NOTHING,
            "fields whose names begin with cf_ stay fields of their own, not a list custom_fields",
            address=".chargebee.com",
        ),
        Known(_no_dates, address="{{ config['url'] }}/api/"),
    ),
    # Error handlers.
    "ErrorHandlerWithRateLimiter": (Known(as_it_is("DefaultErrorHandler"), _WAITS),),
    "KlaviyoErrorHandler": (Known(as_it_is("DefaultErrorHandler")),),
    # Requesters, cursors and routers.
    "AsanaHttpRequester": (Known(_with_fields, address="app.asana.com"),),
    "RechargeDateTimeBasedCursor": (
        Known(as_it_is("DatetimeBasedCursor"), "rows are not asked for in their cursor's order"),
    ),
    "FormIdPartitionRouter": (_picked("form_ids"),),
    "SurveyIdPartitionRouter": (_picked("survey_ids"),),
    # Authenticators.
    "AuthenticatorRetently": (Known(authenticators.alternatives("api_auth", "oauth")),),
    "AuthenticatorZendeskSunshine": (Known(authenticators.alternatives("basic_auth", "oauth2")),),
    "CommerceToolsOauth2Authenticator": (Known(authenticators.client_in_query),),
    "CustomAuthenticator": (
        Known(authenticators.basic, authenticators.NOT_LATIN, address="my.fastbill.com"),
        Known(authenticators.basic, authenticators.NOT_LATIN, address="api.qualaroo.com"),
        Known(authenticators.my_hours, address="api2.myhours.com"),
    ),
    "CustomYouniumAuthenticator": (
        Known(authenticators.younium, "the scheme of the token is Bearer, whatever the login says"),
    ),
    "LookerAuthenticator": (Known(authenticators.looker),),
    "PinterestOauthAuthenticator": (Known(authenticators.client_in_header),),
    "ShortLivedTokenAuthenticator": (Known(authenticators.short_lived),),
    "TypeformAuthenticator": (Known(authenticators.alternatives("token_auth", "oauth2")),),
    "ZendeskTalkAuthenticator": (
        Known(authenticators.alternatives("legacy_basic_auth", "basic_auth", "oauth")),
    ),
}
