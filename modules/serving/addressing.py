"""Under which names a server may be addressed, and which web pages may make a browser call it.

Against DNS rebinding and requests that pages of strangers send: the name in `Host` must be one of ours, and a page's
`Origin` must be the server itself.
"""

import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s:@/\\?#\[\]]+)(:\d*)?")


def own_names(more: Iterable[str] = ()) -> frozenset[str]:
    """This machine's loopback names, and `more`."""
    return frozenset(name.lower() for name in (*_LOOPBACK_NAMES, *more))


def is_addressed(headers: Headers, names: frozenset[str] | None) -> bool:
    """Whether the one `Host` header names the server by one of `names`; None lets every name pass."""
    if names is None:
        return True
    given = headers.getlist("host")
    found = [match["name"].lower() for value in given if (match := _HOST.fullmatch(value))]
    return len(found) == len(given) == 1 and found[0] in names


def is_strange_page(headers: Headers, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether a browser sent the request on behalf of a page that is neither the server's own nor one of the `allowed`
    origins; it would only keep the answer from such a page, not the request from us."""
    origin = headers.get("origin")
    if origin is None or "*" in allowed or origin in allowed:
        return False
    scheme, _, netloc = origin.partition("://")
    return origin == "null" or (scheme in {"http", "https"} and netloc.lower() != headers.get("host", "").lower())
