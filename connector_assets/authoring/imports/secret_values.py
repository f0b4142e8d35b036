"""Which headers, parameters and values are secrets, by what they are called."""

from __future__ import annotations

import re

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET = re.compile(
    r"auth|cookie|session|credential|password|passwd|pwd|secret|token|api[-_.]?key|apikey|access[-_.]?key"
    r"|private[-_.]?key|subscription[-_.]?key|signature|^sig$|(?:^|[-_.])key$|^pat$|bearer|csrf|xsrf|jwt"
    r"|passcode|passphrase|^(?:pass|pw|pin|otp|tok)$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"page[-_.]?token|next[-_.]?token|sync[-_.]?token|continuation|^author$|authors?[-_.]|token[-_.]?type"
    r"|(?:sort|primary|partition|idempotency|cache|start|next|last|order|group|foreign)[-_.]?key|pagination[-_.]?token|cursor",
    re.IGNORECASE,
)
_LOOKS_SECRET = re.compile(
    r"^(?:sk|pk|rk|ghp|gho|ghs|ghu|pat|xox[abprs]|glpat|shpat|key|tok|AKIA|AIza|eyJ)[-_]?[A-Za-z0-9_\-.]{12,}$"
    r"|^(?:Bearer|Basic|Token|ApiKey)\s+\S{8,}$"
)


def is_secret_name(name: str) -> bool:
    """Whether what is called so is most likely a secret: better one too many than one too few."""
    return bool(_SECRET.search(name)) and not _HARMLESS.search(name)


def looks_secret(value: str) -> bool:
    """Whether a value looks like a key or token, whatever it is called."""
    return bool(_LOOKS_SECRET.match(value))


def camel(name: str) -> str:
    """A name for templates, as `xApiKey` of `X-Api-Key`.

    >>> camel("X-Api-Key"), camel("access_token")
    ('xApiKey', 'accessToken')
    """
    words = _PARTS.findall(name) or ["secret"]
    head, *rest = (word.lower() for word in words)
    joined = head + "".join(word.capitalize() for word in rest)
    return joined[:50] if joined[0].isalpha() else f"s{joined[:50]}"
