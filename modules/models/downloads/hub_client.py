"""The HTTP client that talks to a model hub: where it may be led by redirects, and how long it waits."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx2

CONNECTIONS: Final = 8
_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_TRANSLATION: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_TIMEOUT: Final = httpx2.Timeout(30.0, read=60.0, pool=None)


class RedirectRefused(Exception):
    """The hub pointed at an address that a download has no business with."""


def hub_client(endpoint: str, authorization: str | None) -> httpx2.AsyncClient:
    """`authorization` goes to the endpoint's own host; httpx2 leaves it out when a redirect leads to another.

    Redirects go from https to https only, and into a private network only when the endpoint stands in one too.
    """
    return httpx2.AsyncClient(
        headers={"Authorization": authorization} if authorization else {},
        follow_redirects=True,
        max_redirects=5,
        timeout=_TIMEOUT,
        limits=httpx2.Limits(max_connections=CONNECTIONS),
        event_hooks={"request": [_guard(endpoint)]},
    )


def _guard(endpoint: str) -> Callable[[httpx2.Request], Awaitable[None]]:
    hub = urlsplit(endpoint)

    async def check(request: httpx2.Request) -> None:
        if request.url.host == hub.hostname:
            return
        if hub.scheme == "https" and request.url.scheme != "https":
            raise RedirectRefused("The hub sent the download on to an address without https.")
        if await _is_private(request.url.host) and not await _is_private(hub.hostname or ""):
            raise RedirectRefused("The hub sent the download on to an address in a private network.")

    return check


async def _is_private(host: str) -> bool:
    """A host that cannot be resolved here counts as public: only a proxy could reach it."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(not _is_global(str(entry[4][0])) for entry in found)


def _is_global(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global
    if parsed in _LOCAL_TRANSLATION:
        return False
    return parsed.is_global and all(each.is_global for each in _inner(parsed))


def _inner(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for (RFC 4291, 3056, 6052)."""
    yield from (each for each in (address.ipv4_mapped, address.sixtofour) if each is not None)
    if address in _TRANSLATION:
        yield ipaddress.IPv4Address(address.packed[-4:])
