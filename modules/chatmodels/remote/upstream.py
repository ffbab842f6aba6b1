"""The servers behind one `--upstream`: which one answers, and which when it fails."""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from modules.chatmodels.remote.connection import Connection, error_object
from modules.chatmodels.remote.dialects import Dialect, dialect_of
from modules.chatmodels.remote.replicas import Replica, Replicas
from modules.chatmodels.remote.replies import ReplyReader, UpstreamError
from modules.errors import BadRequest, Busy, NotFound, ServiceError
from modules.events import Event

_log = logging.getLogger(__name__)
_LIST_SECONDS: Final = 30.0
_LIST_RETRY_SECONDS: Final = 5.0
# How long a request waits to learn what kind of server it goes to.
_LOOK_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamModel:
    """A model as a server lists it. `context` is 0 where the server does not say."""

    name: str
    context: int = 0
    dialect: Dialect = Dialect.USUAL


class Upstream:
    """The servers of one name. All are taken to have the same models."""

    def __init__(self, name: str, urls: Sequence[str], *, key: str = "", timeout: float = 600.0) -> None:
        self.name = name
        self._replicas = Replicas([url.rstrip("/") for url in urls])
        self._connection = Connection(name, key=key, timeout=timeout)
        self._models: tuple[UpstreamModel, ...] = ()
        self._list_again_at = 0.0
        self._listing: asyncio.Lock | None = None

    async def aclose(self) -> None:
        await self._connection.aclose()

    @property
    def known(self) -> tuple[UpstreamModel, ...]:
        """What the servers listed when they were last asked."""
        return self._models

    async def models(self) -> tuple[UpstreamModel, ...]:
        """What the servers list, asked for at most twice a minute; what they listed last while none answers."""
        self._listing = self._listing or asyncio.Lock()
        async with self._listing:
            if time.monotonic() >= self._list_again_at:
                answers = await asyncio.gather(*(self._list(replica) for replica in self._replicas.all))
                found = {model.name: model for answer in reversed(answers) for model in answer or ()}
                has_answer = any(answer is not None for answer in answers)
                if has_answer:
                    self._models = tuple(sorted(found.values(), key=lambda model: model.name))
                self._list_again_at = time.monotonic() + (_LIST_SECONDS if has_answer else _LIST_RETRY_SECONDS)
        return self._models

    async def found(self, name: str) -> UpstreamModel:
        """The model of that name. Servers know names that they do not list: such a model is taken to be served as those are
        that they list. A server that is slow to list any is not waited for."""
        if self._listed(name) is None and time.monotonic() >= self._list_again_at:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self.models()
            except TimeoutError:
                self._list_again_at = time.monotonic() + _LIST_SECONDS
        dialects = {model.dialect for model in self._models}
        dialect = dialects.pop() if len(dialects) == 1 else Dialect.USUAL
        return self._listed(name) or UpstreamModel(name=name, dialect=dialect)

    async def reply(
        self, path: str, body: Mapping[str, Any], new_reader: Callable[[], ReplyReader], *, prefixes: Sequence[int] = ()
    ) -> AsyncGenerator[Event, None]:
        """The events of the answer to a POST of `body`, without Started. Raises ServiceError."""
        tried: list[Replica] = []
        failures: list[ServiceError] = []
        while (replica := self._replicas.choose(prefixes, time.monotonic(), besides=tried)) is not None:
            tried.append(replica)
            has_begun = False
            try:
                async with aclosing(self._attempt(replica, path, body, new_reader())) as events:
                    async for event in events:
                        if not has_begun:
                            has_begun = True
                            self._replicas.answered(replica, prefixes)
                        yield event
                return
            except ServiceError as failure:
                if isinstance(failure, BadRequest | NotFound):
                    self._replicas.answered(replica, ())
                    raise
                if isinstance(failure, Busy):
                    self._replicas.is_busy(replica, time.monotonic(), failure.retry_after)
                else:
                    self._replicas.failed(replica, time.monotonic())
                _log.warning("%s %s", replica.url, failure.message)
                if has_begun:
                    raise
                failures.append(failure)
        raise next((failure for failure in failures if isinstance(failure, Busy)), failures[-1])

    async def ask(self, path: str, body: Mapping[str, Any]) -> object:
        """The answer of the server's own routes, which are beside `/v1`. Raises ServiceError."""
        replica = self._replicas.choose((), time.monotonic())
        assert replica is not None, "an upstream without servers"
        return await self._connection.json("POST", replica.url.removesuffix("/v1") + path, body)

    def _listed(self, name: str) -> UpstreamModel | None:
        return next((model for model in self._models if model.name == name), None)

    async def _attempt(
        self, replica: Replica, path: str, body: Mapping[str, Any], reader: ReplyReader
    ) -> AsyncGenerator[Event, None]:
        self._replicas.started(replica)
        try:
            answer = await self._connection.stream(replica.url + path, body)
            reader.ignored = answer.ignored
            async with aclosing(answer.objects(has_ended=lambda: reader.has_ended)) as objects:
                async for found in objects:
                    for event in self._read(reader, found):
                        yield event
            if not reader.has_ended:
                raise self._connection.cut()
            for event in reader.close():
                yield event
        finally:
            self._replicas.ended(replica)

    def _read(self, reader: ReplyReader, found: Mapping[str, Any]) -> Sequence[Event]:
        try:
            return tuple(reader.feed(found))
        except UpstreamError:
            error = error_object(found)
            status = error.get("code") or error.get("status")
            if status in (400, 404):
                raise self._connection.refused(int(status), error) from None
            raise self._connection.failed() from None
        except (AttributeError, KeyError, TypeError, ValueError):
            raise self._connection.garbled() from None

    async def _list(self, replica: Replica) -> tuple[UpstreamModel, ...] | None:
        try:
            answer = await self._connection.json("GET", replica.url + "/models")
        except ServiceError as failure:
            _log.warning("%s %s", replica.url, failure.message)
            return None
        entries = answer.get("data") if isinstance(answer, Mapping) else None
        return tuple(
            UpstreamModel(name=entry["id"], context=_context(entry), dialect=dialect_of(entry))
            for entry in entries or ()
            if isinstance(entry, Mapping) and isinstance(entry.get("id"), str) and entry["id"]
        )


def prefix_hashes(parts: Sequence[str]) -> tuple[int, ...]:
    """A number for each beginning of a conversation, shortest first, from which nobody can tell what was said."""
    running = hashlib.blake2b(digest_size=8)
    hashes = []
    for part in parts:
        running.update(part.encode("utf-8", "surrogatepass") + b"\0")
        hashes.append(int.from_bytes(running.digest()))
    return tuple(hashes)


def _context(entry: Mapping[str, Any]) -> int:
    """vLLM says `max_model_len`, LM Studio `max_context_length`, hosted servers and ours `context_length`; llama-server has
    `n_ctx` in `meta`."""
    meta = entry.get("meta")
    stated = [entry.get(name) for name in ("max_model_len", "context_length", "max_context_length")]
    stated.append(meta.get("n_ctx") if isinstance(meta, Mapping) else None)
    return next((value for value in stated if isinstance(value, int) and value > 0), 0)
