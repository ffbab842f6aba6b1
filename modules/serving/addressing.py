"""Host names a server answers to, and which web pages may make a browser call it.

Against DNS rebinding and requests from pages of other origins: the name in `Host` must be one of ours, and a page's
`Origin` must be the server itself.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

# Browsers show a page at 0.0.0.0 too, and reach this machine by it.
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "[::]")  # noqa: S104 - no address to bind to
# What container runtimes and their virtual machines call this machine. No public name server knows them (`.internal` is
# reserved for private use, `.localhost` for this machine), so no foreign page can be served under one of them.
CONTAINER_NAMES: Final = (
    "docker.for.mac.host.internal",
    "docker.for.mac.localhost",
    "docker.for.win.host.internal",
    "docker.for.win.localhost",
    "docker.orb.internal",
    "gateway.containers.internal",
    "gateway.docker.internal",
    "host.container.internal",
    "host.containers.internal",
    "host.docker.internal",
    "host.k3d.internal",
    "host.lima.internal",
    "host.minikube.internal",
    "host.orb.internal",
    "host.rancher-desktop.internal",
    "kubernetes.docker.internal",
)
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s:@/\\?#\[\]]+)(:\d*)?")
_PROGRAM_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
# A page from one of these comes from a network or was made by a script, not by a program on this machine.
_NETWORK_SCHEMES: Final = frozenset({"blob", "data", "ftp", "ftps", "ws", "wss"})


def own_names(more: Iterable[str] = ()) -> frozenset[str]:
    """This machine's loopback names, and `more`."""
    return frozenset(name.lower() for name in (*_LOOPBACK_NAMES, *more))


def is_addressed(headers: Headers, names: frozenset[str] | None) -> bool:
    """Whether the one `Host` header names the server by one of `names`; None lets every name pass."""
    if names is None:
        return True
    given = headers.getlist("host")
    found = [match["name"].lower().removesuffix(".") for value in given if (match := _HOST.fullmatch(value))]
    # Two Host headers, or one that cannot be parsed, may mean different hosts to a proxy and to us.
    return len(found) == len(given) == 1 and found[0] in names


def is_strange_page(headers: Headers) -> bool:
    """Whether a browser sent the request on behalf of a website that is not the server's own; it would only keep the
    answer from such a page, not the request from us."""
    origin = headers.get("origin")
    if origin is None:
        return False
    scheme = origin.partition("://")[0]
    return origin == "null" or (scheme in {"http", "https"} and not is_own_page(headers))


def is_own_page(headers: Headers) -> bool:
    """Whether the page that the request is from came from the very address that it is sent to."""
    scheme, _, netloc = headers.get("origin", "").partition("://")
    return scheme in {"http", "https"} and netloc.lower() == headers.get("host", "").lower()


def is_local_page(origin: str) -> bool:
    """Whether the page of that origin came from this machine: from a loopback address, or from a program's own scheme
    such as a browser extension's, which no website can have.

    Not `null`: files opened in a browser say that, but so does any website's sandboxed frame, and no header tells the
    two apart.
    """
    scheme, separator, _ = origin.partition("://")
    if not separator:
        return False
    if scheme not in {"http", "https"}:
        return _PROGRAM_SCHEME.fullmatch(scheme) is not None and scheme not in _NETWORK_SCHEMES
    try:
        name = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or _is_own_address(name)


def _is_own_address(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
