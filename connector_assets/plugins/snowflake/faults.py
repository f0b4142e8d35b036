"""What Snowflake refuses of a read, as errors that say which part is wrong."""

from __future__ import annotations

from connector_assets.errors import AuthError, ConnectorError, RequestError
from connector_assets.snowflake.session import Refused

_UNREACHABLE, _PERMISSION = 250001, {3001, 2003, 2043}


def told(refused: Refused, where: str, server: str) -> ConnectorError:
    """The error that a user sees, placed at the stream and, of a login, at the host."""
    refusal = refused.refusal
    if refusal.number == _UNREACHABLE:
        return RequestError(refusal.what, where=where, fix=refusal.fix)
    if refusal.is_login:
        return AuthError(refusal.what, where=f"{where}: {server}", fix=refusal.fix)
    if refusal.number in _PERMISSION:
        return AuthError(refusal.what, where=where, fix=refusal.fix, part="permission")
    return RequestError(refusal.what, where=where, fix=refusal.fix, part="request")
