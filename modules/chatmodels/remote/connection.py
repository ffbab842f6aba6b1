"""HTTP to one OpenAI-compatible server: answers as they come, failures as errors of ours.

aiohttp because its C parser costs a third of httpx's time for each chunk of a stream (docs/PERFORMANCE.md).
"""

import asyncio
import email.utils
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final, TypeAlias

import aiohttp
import orjson

from modules.chatmodels.remote.sse import EventDecoder, EventTooLarge
from modules.errors import (
    BadRequest,
    Busy,
    NotFound,
    ServiceError,
    UpstreamFailed,
    UpstreamSilent,
    UpstreamUnavailable,
)

_CONNECT_SECONDS: Final = 10.0
# A server that says nothing more after the last finish_reason has nothing more to say; some never close.
_GRACE_SECONDS: Final = 2.0
_MAX_BODY_BYTES: Final = 64 * 2**20
_MAX_ERROR_BYTES: Final = 64 * 2**10
_DONE: Final = b"[DONE]"
_IGNORED: Final = "X-Ignored-Parameters"
_LONGEST_WAIT_SECONDS: Final = 3600
# What the caller sent is at fault; the key, the account and the address are the operator's.
_THE_CALLERS_FAULT: Final = frozenset({400, 404, 413, 422})
_OF_THE_KEY: Final = frozenset({401, 403, 407})

Ended: TypeAlias = Callable[[], bool]


class Connection:
    """Requests to the servers of the upstream `name`. The key goes into the Authorization header and nowhere else."""

    def __init__(self, name: str, *, key: str, timeout: float) -> None:
        self._name = name
        self._key = key
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=min(_CONNECT_SECONDS, timeout), sock_read=timeout
        )
        self._session: aiohttp.ClientSession | None = None
        self._drains: set[asyncio.Task[None]] = set()

    async def stream(self, url: str, body: Mapping[str, Any]) -> "UpstreamAnswer":
        """The answer to a POST, once its status says that it is one. Raises ServiceError."""
        try:
            response = await self._opened().post(url, data=orjson.dumps(body), allow_redirects=False)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise self._unreachable(error) from None
        if response.status == 200:
            return UpstreamAnswer(response, self)
        async with response:
            raise await self._refusal(response)

    async def json(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> object:
        """The JSON of a short answer. Raises ServiceError."""
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._opened().request(method, url, data=data, allow_redirects=False) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                return orjson.loads(await limited(response, _MAX_BODY_BYTES))
        except orjson.JSONDecodeError:
            raise self.garbled() from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise self._unreachable(error) from None

    def let_go(self, response: aiohttp.ClientResponse, *, is_whole: bool) -> None:
        """Closes the connection unless it can serve another request. Where the last event has been read, the end of the
        body is on its way, and nobody should have to wait for it."""
        if response.content.at_eof():
            response.release()
        elif is_whole:
            task = asyncio.create_task(_drained(response))
            self._drains.add(task)
            task.add_done_callback(self._drains.discard)
        else:
            response.close()

    async def aclose(self) -> None:
        for task in self._drains:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    def garbled(self) -> UpstreamFailed:
        return UpstreamFailed(f"The upstream {self._name} sent what is no answer of an OpenAI-compatible server.")

    def cut(self) -> UpstreamFailed:
        return UpstreamFailed(f"The upstream {self._name} broke off before the end of its reply.")

    def silent(self) -> UpstreamSilent:
        return UpstreamSilent(
            f"The upstream {self._name} said nothing for {self._timeout.sock_read:g} seconds (--upstream-timeout)."
        )

    def failed(self) -> UpstreamFailed:
        return UpstreamFailed(f"The upstream {self._name} reported a failure in its reply.")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                # Requests are bounded by the caller's queue, not by connections.
                connector=aiohttp.TCPConnector(limit=0),
                timeout=self._timeout,
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Neither a proxy nor a .netrc of the environment is to see prompts.
                trust_env=False,
            )
        return self._session

    def _unreachable(self, error: Exception) -> ServiceError:
        if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
            return UpstreamUnavailable(f"The upstream {self._name} cannot be reached. Check that its server runs.")
        if isinstance(error, TimeoutError):
            return self.silent()
        return self.cut() if isinstance(error, aiohttp.ClientError | OSError) else self.garbled()

    async def _refusal(self, response: aiohttp.ClientResponse) -> ServiceError:
        match response.status:
            case 429:
                return Busy(
                    f"The upstream {self._name} is busy. Try again later.",
                    retry_after=retry_seconds(response.headers.get("Retry-After")),
                )
            case status if status in _THE_CALLERS_FAULT:
                return self.refused(status, await self._error_of(response))
            case status:
                return self._failure(status)

    def _failure(self, status: int) -> UpstreamFailed:
        if status in (408, 504):
            return UpstreamSilent(f"The upstream {self._name} took too long.")
        if status == 503:
            return UpstreamUnavailable(f"The upstream {self._name} is not available now.")
        if status in _OF_THE_KEY:
            return UpstreamFailed(f"The upstream {self._name} refused its key. Check --upstream-key.")
        if status == 402:
            return UpstreamFailed(f"The upstream {self._name} wants to be paid. Check the account of its key.")
        if 300 <= status < 400:
            return UpstreamFailed(
                f"The upstream {self._name} redirects, which is not followed. Give --upstream the address that it "
                "redirects to."
            )
        return UpstreamFailed(f"The upstream {self._name} failed with status {status}.")

    def refused(self, status: int, error: Mapping[str, Any]) -> ServiceError:
        """A request that the server does not accept: its words, which are about what the caller sent."""
        message = error.get("message")
        text = message if isinstance(message, str) and message else f"The upstream {self._name} refused the request."
        code, param = error.get("code"), error.get("param")
        kind = NotFound if status == 404 else BadRequest
        return kind(
            text.replace(self._key, "…") if self._key else text,
            param=param if isinstance(param, str) else None,
            code=code if isinstance(code, str) else None,
        )

    async def _error_of(self, response: aiohttp.ClientResponse) -> Mapping[str, Any]:
        try:
            body = orjson.loads(await limited(response, _MAX_ERROR_BYTES))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return {}
        return error_object(body)


class UpstreamAnswer:
    """The body of a reply: JSON objects, one for each event of a stream, or the only one of a whole answer."""

    def __init__(self, response: aiohttp.ClientResponse, connection: Connection) -> None:
        self._response = response
        self._connection = connection

    @property
    def ignored(self) -> tuple[str, ...]:
        """The parameters that a server of this program names as those that its model does not have."""
        names = self._response.headers.get(_IGNORED, "").split(",")
        return tuple(name for each in names if (name := each.strip()))

    async def objects(self, *, has_ended: Ended) -> AsyncGenerator[Mapping[str, Any], None]:
        """To the end of the answer. Closing the generator closes the connection at once. Raises ServiceError for what
        breaks off before `has_ended`."""
        is_whole = False
        try:
            if self._response.content_type == "application/json":
                yield self._object(await limited(self._response, _MAX_BODY_BYTES))
                return
            decoder = EventDecoder()
            while received := await self._received(has_ended):
                for data in decoder.feed(received):
                    if data == _DONE:
                        is_whole = True
                        return
                    yield self._object(data)
            for data in decoder.close():
                if data != _DONE:
                    yield self._object(data)
        except EventTooLarge:
            raise self._connection.garbled() from None
        except (aiohttp.ClientError, OSError) as error:
            if not has_ended():
                raise self._connection.silent() if isinstance(error, TimeoutError) else self._connection.cut() from None
        finally:
            self._connection.let_go(self._response, is_whole=is_whole)

    async def _received(self, has_ended: Ended) -> bytes:
        if not has_ended():
            return await self._response.content.readany()
        async with asyncio.timeout(_GRACE_SECONDS):
            return await self._response.content.readany()

    def _object(self, data: bytes) -> Mapping[str, Any]:
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise self._connection.garbled() from None
        if not isinstance(found, dict):
            raise self._connection.garbled()
        return found


async def limited(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body. Raises ValueError for one of more than `most` bytes."""
    body = bytearray()
    while received := await response.content.readany():
        body += received
        if len(body) > most:
            raise ValueError("too long")
    return bytes(body)


async def _drained(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_GRACE_SECONDS):
            while await response.content.readany():
                pass
    except (aiohttp.ClientError, OSError):
        pass
    finally:
        response.release() if response.content.at_eof() else response.close()


def error_object(body: object) -> Mapping[str, Any]:
    """OpenAI's error object, whichever way a server writes it."""
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error", body)
    if isinstance(error, Mapping):
        detail = error.get("detail")
        return {"message": detail, **error} if isinstance(detail, str) else error
    return {"message": error} if isinstance(error, str) else {}


def retry_seconds(header: str | None) -> int:
    """`Retry-After` (RFC 9110, section 10.2.3) in seconds, 1 without."""
    if header is None:
        return 1
    if header.strip().isdecimal():
        return max(1, min(int(header), _LONGEST_WAIT_SECONDS))
    try:
        moment = email.utils.parsedate_to_datetime(header).timestamp()
    except ValueError:
        return 1
    return max(1, min(round(moment - time.time()), _LONGEST_WAIT_SECONDS))
