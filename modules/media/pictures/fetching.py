"""Files at addresses that requests name, fetched from public hosts only.

The check is made where a socket is made, so that it holds for what is connected to: whatever the address is written like,
whatever a name resolves to the second time, wherever a redirect leads.
"""

import asyncio
import socket
import time
from collections import OrderedDict
from typing import Any, Final

import aiohttp
from yarl import URL

from modules.addresses import is_public
from modules.errors import BadRequest

MAX_BYTES: Final = 20 * 2**20
SECONDS: Final = 10.0
REDIRECTS: Final = 3
_KEPT_BYTES: Final = 64 * 2**20
_KEPT_SECONDS: Final = 300.0
_LONGEST_URL: Final = 16_384
_AGENT: Final = "local-media-fetcher/1.0"
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_CODE: Final = "invalid_image_url"


class _NotPublic(OSError):
    """A connection to an address of a private network was about to be made."""


class RemoteBytes:
    """What stands at http and https addresses; keeps the last of it for five minutes, since each turn of a chat names all
    of its pictures again. `hosts` may be fetched from although they are private."""

    def __init__(self, *, is_allowed: bool = True, hosts: tuple[str, ...] = ()) -> None:
        self._is_allowed = is_allowed
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, url: str, *, param: str) -> bytes:
        """Raises BadRequest: remote files are switched off, the address is not public, there is nothing, or too much."""
        if not self._is_allowed:
            raise BadRequest(
                f"{param} names a remote file, and this server fetches none (--no-remote-media). Send it as a data URL.",
                param=param,
                code=_CODE,
            )
        kept = self._kept.get(url)
        if kept is not None and kept[0] > time.monotonic():
            self._kept.move_to_end(url)
            return kept[1]
        content = await self._fetched(url, param)
        self._keep(url, content)
        return content

    def _keep(self, url: str, content: bytes) -> None:
        now = time.monotonic()
        self._kept[url] = (now + _KEPT_SECONDS, content)
        self._kept.move_to_end(url)
        for old in [each for each, (end, _) in self._kept.items() if end <= now]:
            del self._kept[old]
        while sum(len(each) for _, each in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    async def _fetched(self, url: str, param: str) -> bytes:
        try:
            async with asyncio.timeout(SECONDS):
                return await self._followed(url, param)
        except TimeoutError:
            raise _refused(param, f"did not arrive within {SECONDS:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if _is_private(error):
                raise _refused(
                    param,
                    "leads to an address that is not public; --remote-media-hosts names hosts that may be private",
                ) from None
            raise _refused(param, "cannot be fetched: there is no answer from its host") from None

    async def _followed(self, url: str, param: str) -> bytes:
        """Each step by a connection of its own: nothing is carried over, no cookie and no open connection."""
        place = _parsed(url, param)
        for _ in range(REDIRECTS + 1):
            async with (
                self._session(place.host or "") as session,
                session.get(place, allow_redirects=False) as response,
            ):
                if response.status not in _MOVED:
                    return await _body(response, param)
                target = response.headers.get("Location", "")
            place = _parsed(str(place.join(URL(target))), param)
        raise _refused(param, f"redirects more than {REDIRECTS} times")

    def _session(self, host: str) -> aiohttp.ClientSession:
        may_be_private = host.lower().strip("[]") in self._hosts
        connector = aiohttp.TCPConnector(
            force_close=True, use_dns_cache=False, socket_factory=_any_socket if may_be_private else _public_socket
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "identity", "Accept": "*/*"},
            auto_decompress=False,
            trust_env=False,
        )


def _parsed(url: str, param: str) -> URL:
    is_plain = len(url) <= _LONGEST_URL and "\\" not in url and url.isprintable()
    try:
        place = URL(url.strip())
        is_right = is_plain and place.scheme in {"http", "https"} and bool(place.host) and place.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise _refused(param, "is no address that begins with http:// or https://")
    if place.user is not None or place.password is not None:
        raise _refused(param, "holds a name or password, which are not sent to other hosts")
    return place


async def _body(response: aiohttp.ClientResponse, param: str) -> bytes:
    if response.status != 200:
        raise _refused(param, f"cannot be fetched: its host answers with status {response.status}")
    content = bytearray()
    too_large = f"has more than {MAX_BYTES // 2**20} MiB"
    if (response.content_length or 0) > MAX_BYTES:
        raise _refused(param, too_large)
    while piece := await response.content.read(2**16):
        content += piece
        if len(content) > MAX_BYTES:
            raise _refused(param, too_large)
    return bytes(content)


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    """Raises _NotPublic before anything is sent to `address`, an entry of getaddrinfo."""
    if not is_public(str(address[4][0])):
        raise _NotPublic("not public")
    return _any_socket(address)


def _any_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    return socket.socket(family, kind, protocol)


def _is_private(error: BaseException) -> bool:
    causes: list[BaseException | None] = [error, error.__cause__, error.__context__, getattr(error, "os_error", None)]
    if isinstance(error, BaseExceptionGroup):
        causes += error.exceptions
    return any(isinstance(each, _NotPublic) or "not public" in str(each) for each in causes if each is not None)


def _refused(param: str, why: str) -> BadRequest:
    return BadRequest(f"{param} {why}.", param=param, code=_CODE)
