"""Which IP addresses lead to the public internet: by our own table, whatever Python's says.

`ipaddress.is_global` differs between Python versions and misses dozens of dangerous spellings, so
the IANA special-purpose registries stand here (IPv4 and IPv6, as of 2025), and IPv6 outside the
one block of global unicast space (2000::/3) is refused whether it is registered or not.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

from connector_assets.spec.names.url import Address

_SPECIAL_V4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers (CGNAT)",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "for protocol assignments",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "AS112 anycast",
    "192.52.193.0/24": "AMT anycast",
    "192.88.99.0/24": "the old 6to4 relay anycast",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112 anycast",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    # Public by the registry, but inside Azure it is the host's own control endpoint.
    "168.63.129.16/32": "a cloud's host endpoint",
}
_SPECIAL_V6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::ffff:0:0/96": "an IPv4-mapped address",
    "::/96": "an IPv4-compatible address",
    "::ffff:0:0:0/96": "an IPv4-translated address",
    "64:ff9b:1::/48": "local-use NAT64",
    "100::/64": "discard-only",
    "2001::/32": "Teredo",
    "2001:db8::/32": "for documentation",
    "2001::/23": "for protocol assignments",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112 anycast",
    "3ffe::/16": "the old 6bone",
    "3fff::/20": "for documentation",
    "5f00::/16": "for segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_RANGES_V4 = [(ipaddress.IPv4Network(text), why) for text, why in _SPECIAL_V4.items()]
_RANGES_V6 = [(ipaddress.IPv6Network(text), why) for text, why in _SPECIAL_V6.items()]
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
# IPv6-only networks reach every IPv4 API through this prefix (DNS64): what it wraps decides.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = {0x00005EFE, 0x02005EFE}

# Where clouds hand out credentials to whoever asks from the inside.
_METADATA = {
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google, Azure, Oracle, DigitalOcean, OpenStack
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle, older
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:42::42",
        "fe80::a9fe:a9fe",
    )
}


def special(address: Address) -> str:
    """Why `address` is not on the public internet, empty when it is.

    >>> special(ipaddress.ip_address("10.0.0.1"))
    'private'
    >>> special(ipaddress.ip_address("64:ff9b::7f00:1"))
    'loopback'
    """
    if isinstance(address, IPv4Address):
        return next((why for net, why in _RANGES_V4 if address in net), "")
    inner = _embedded(address)
    if inner is not None and (why := special(inner)):
        return why
    if address in _NAT64:
        return ""
    reason = next((why for net, why in _RANGES_V6 if address in net), "")
    return reason or ("" if address in _GLOBAL_V6 else "not global unicast")


def is_metadata(address: Address) -> bool:
    """Whether a cloud's credentials are served there, also when IPv6 wraps the IPv4 address."""
    if address in _METADATA:
        return True
    inner = _embedded(address) if isinstance(address, IPv6Address) else None
    return inner in _METADATA


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, compatible, NAT64, 6to4, Teredo, ISATAP."""
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    number = int(address)
    prefix, tail = number >> 32, IPv4Address(number & 0xFFFFFFFF)
    if prefix in (0, 0xFFFF, 0xFFFF << 16) or address in _NAT64:
        return tail
    return tail if prefix & 0xFFFFFFFF in _ISATAP else None
