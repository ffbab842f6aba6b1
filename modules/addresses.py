"""Which network addresses are public: those that a stranger may have this program connect to."""

import ipaddress
from collections.abc import Iterator
from typing import Final

# NAT64 (RFC 6052, RFC 8215): an address in it leads to the IPv4 address that it ends with, perhaps a private one.
_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
# IPv4-compatible addresses (RFC 4291, deprecated); some systems still take them for the IPv4 address.
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


def is_public(address: str) -> bool:
    """Whether `address`, an IPv4 or IPv6 address as sockets have it, is one of the internet's hosts: not private, local,
    multicast or reserved, nor an IPv6 form of such an IPv4 address. Raises ValueError for what is no address."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if not _is_of_a_host(parsed):
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return True
    if parsed in _LOCAL_TRANSLATION or parsed in _COMPATIBLE or parsed.is_site_local:
        return False
    return all(_is_of_a_host(each) for each in _inner(parsed))


def _is_of_a_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


def _inner(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for (RFC 4291, 3056, 6052)."""
    yield from (each for each in (address.ipv4_mapped, address.sixtofour) if each is not None)
    if address in _TRANSLATION:
        yield ipaddress.IPv4Address(address.packed[-4:])
