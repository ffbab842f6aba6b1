"""Stored responses and conversations: bounded in number, size and age, and read by their owner only."""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from extensions.openai.common.items.schema import Item
from extensions.openai.responses.schema import ConversationObject, StoredConversation, StoredResponse
from modules.errors import BadRequest, NotFound, ServiceError
from modules.settings.values import Settings

logger = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS records (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, body BLOB NOT NULL, size INTEGER NOT NULL,
    created REAL NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_by_use ON records (used);
CREATE TABLE IF NOT EXISTS items (
    id TEXT NOT NULL, record TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE, PRIMARY KEY (id, record)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_record ON items (record);
"""
# Deleted conversations are overwritten. With WAL a crash loses the last writes at most, never the file.
_PRAGMAS: Final = ("foreign_keys = ON", "secure_delete = ON", "journal_mode = WAL", "synchronous = NORMAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBounds:
    """`seconds` is the longest that a record lives without being changed; 0 `records` or `size` bytes keep nothing."""

    records: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`items` are the ids under which `RecordStore.find` leads to this record."""

    id: str
    owner: str
    body: bytes
    items: tuple[str, ...] = ()


class RecordStore:
    """Safe to use from any thread; every method is short. What has not been used for longest goes first. The database
    is closed when the store is garbage-collected."""

    def __init__(
        self, bounds: StoreBounds, path: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.Lock()
        # Autocommit: transactions begin and end where the code says so, under the lock.
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        # sqlite3 warns of connections that are collected while open.
        weakref.finalize(self, self._database.close)
        for pragma in _PRAGMAS:
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_SCHEMA)
        # A counter, not a clock: two uses within one tick keep their order, and a clock that is set back does no harm.
        [(self._uses,)] = self._database.execute("SELECT coalesce(max(used), 0) FROM records")

    @property
    def is_off(self) -> bool:
        return not self._bounds.records or not self._bounds.size

    def put(self, record: Record) -> bool:
        """Keeps `record` in place of an older one with its id; False if it is larger than all records may be."""
        with self._lock:
            self._forget_expired()
            return self._put(record)

    def get(self, record_id: str, owner: str) -> bytes | None:
        with self._lock:
            self._forget_expired()
            return self._get(record_id, owner)

    def find(self, item_id: str, owner: str) -> str | None:
        """The id of a record that has this item."""
        query = "SELECT records.id FROM items JOIN records ON records.id = record WHERE items.id = ? AND owner = ?"
        with self._lock:
            self._forget_expired()
            row = self._database.execute(query, (item_id, owner)).fetchone()
            return row[0] if row else None

    def change(self, record_id: str, owner: str, changed: Callable[[bytes], Record]) -> bool:
        """Puts what `changed` makes of the body; it cannot change in between. False if there is no such record."""
        with self._lock:
            self._forget_expired()
            body = self._get(record_id, owner)
            return body is not None and self._put(changed(body))

    def delete(self, record_id: str, owner: str) -> bool:
        """Whether there was one."""
        with self._lock:
            self._forget_expired()
            gone = self._database.execute("DELETE FROM records WHERE id = ? AND owner = ?", (record_id, owner))
            return gone.rowcount > 0

    def _get(self, record_id: str, owner: str) -> bytes | None:
        self._uses += 1
        query = "SELECT body FROM records WHERE id = ? AND owner = ? AND created >= ?"
        rows = self._database.execute(query, (record_id, owner, self._oldest)).fetchall()
        with contextlib.suppress(sqlite3.OperationalError):
            self._database.execute("UPDATE records SET used = ? WHERE id = ?", (self._uses, record_id))
        return rows[0][0] if rows else None

    def _put(self, record: Record) -> bool:
        size = len(record.body)
        if self.is_off or size > self._bounds.size:
            return False
        self._uses += 1
        row = (record.id, record.owner, record.body, size, self._clock(), self._uses)
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM records WHERE id = ? AND owner = ?", (record.id, record.owner))
            self._database.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", row)
            pairs = [(item, record.id) for item in record.items]
            self._database.executemany("INSERT OR IGNORE INTO items VALUES (?, ?)", pairs)
            self._make_room()
        return True

    def _make_room(self) -> None:
        """Forgets those that are beyond the bounds when all are counted from the latest used."""
        self._database.execute(
            "DELETE FROM records WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER latest AS number, "
            "sum(size) OVER latest AS total FROM records WINDOW latest AS (ORDER BY used DESC)) "
            "WHERE number > ? OR total > ?)",
            (self._bounds.records, self._bounds.size),
        )

    @property
    def _oldest(self) -> float:
        return self._clock() - self._bounds.seconds

    def _forget_expired(self) -> None:
        """On a disk that is full nothing can be written, which is no reason not to read."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._database.execute("DELETE FROM records WHERE created < ?", (self._oldest,))


class FallbackStore:
    """A store on disk, with one in memory for what the disk cannot take: nothing is lost until the program ends."""

    def __init__(self, disk: RecordStore, memory: RecordStore) -> None:
        self._disk = disk
        self._memory = memory
        self._lock = threading.Lock()

    @property
    def is_off(self) -> bool:
        return self._disk.is_off

    def put(self, record: Record) -> bool:
        """As `RecordStore.put`."""
        try:
            is_kept = self._disk.put(record)
        except sqlite3.Error as error:
            logger.error("a response is kept in memory only, because the disk cannot take it: %s", error)  # noqa: TRY400
            return self._memory.put(record)
        # An older copy in memory would be found first.
        self._memory.delete(record.id, record.owner)
        return is_kept

    def get(self, record_id: str, owner: str) -> bytes | None:
        return self._memory.get(record_id, owner) or self._disk.get(record_id, owner)

    def find(self, item_id: str, owner: str) -> str | None:
        """As `RecordStore.find`."""
        return self._memory.find(item_id, owner) or self._disk.find(item_id, owner)

    def change(self, record_id: str, owner: str, changed: Callable[[bytes], Record]) -> bool:
        """As `RecordStore.change`."""
        with self._lock:
            body = self.get(record_id, owner)
            return body is not None and self.put(changed(body))

    def delete(self, record_id: str, owner: str) -> bool:
        """As `RecordStore.delete`. Raises ServiceError where the disk does not take the deletion."""
        was_in_memory = self._memory.delete(record_id, owner)
        try:
            return self._disk.delete(record_id, owner) or was_in_memory
        except sqlite3.Error as error:
            raise ServiceError(
                "It cannot be deleted, because nothing can be written to the disk. Free some space."
            ) from error


FILE_NAME: Final = "responses.sqlite3"
S = TypeVar("S", bound=BaseModel)


class ResponseRepository:
    """One store's responses and conversations. What belongs to another owner does not exist."""

    def __init__(self, store: RecordStore | FallbackStore) -> None:
        self._store = store

    @classmethod
    def of(cls, settings: Settings) -> "ResponseRepository":
        bounds = StoreBounds(
            records=settings.responses_records,
            size=settings.responses_mb * 2**20,
            seconds=settings.responses_hours * 3600,
        )
        memory = RecordStore(bounds)
        if not settings.responses_on_disk:
            return cls(memory)
        path = settings.user_data.root / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(FallbackStore(RecordStore(bounds, path), memory))

    @property
    def is_off(self) -> bool:
        return self._store.is_off

    async def keep_response(self, stored: StoredResponse, owner: str) -> None:
        ids = tuple(item.id for item in stored.response.output)
        await asyncio.to_thread(self._keep, stored.response.id, owner, stored, ids)

    async def response(self, response_id: str, owner: str) -> StoredResponse:
        """Raises NotFound."""
        return await self._read(StoredResponse, response_id, owner, "response")

    async def delete(self, record_id: str, owner: str, what: str) -> None:
        """Raises NotFound."""
        is_one = record_id.startswith(_PREFIXES[what])
        if not is_one or not await asyncio.to_thread(self._store.delete, record_id, owner):
            raise missing(what, record_id)

    async def keep_conversation(self, stored: StoredConversation, owner: str) -> None:
        record = _conversation_record(stored, owner)
        if not await asyncio.to_thread(self._store.put, record):
            raise BadRequest("The conversation cannot be kept: the store is off or too small (--responses-mb).")

    async def conversation(self, conversation_id: str, owner: str, *, param: str | None = None) -> StoredConversation:
        """Raises NotFound."""
        return await self._read(StoredConversation, conversation_id, owner, "conversation", param=param)

    async def change_conversation(
        self, conversation_id: str, owner: str, change: Callable[[StoredConversation], StoredConversation]
    ) -> StoredConversation:
        """What `change` made of it. Raises NotFound."""
        changed: list[StoredConversation] = []

        def rewritten(body: bytes) -> Record:
            changed.append(change(StoredConversation.model_validate_json(body)))
            return _conversation_record(changed[-1], owner)

        is_one = conversation_id.startswith(_PREFIXES["conversation"])
        if not is_one or not await asyncio.to_thread(self._store.change, conversation_id, owner, rewritten):
            raise missing("conversation", conversation_id)
        return changed[-1]

    async def items(self, ids: Sequence[str], owner: str) -> dict[str, Item]:
        """Those of the items that are stored."""
        return await asyncio.to_thread(self._items, ids, owner) if ids else {}

    def _items(self, ids: Sequence[str], owner: str) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for item_id in dict.fromkeys(ids):
            record_id = None if item_id in found else self._store.find(item_id, owner)
            body = self._store.get(record_id, owner) if record_id else None
            if record_id and body is not None:
                kind = StoredResponse if record_id.startswith(_PREFIXES["response"]) else StoredConversation
                found |= {item.id: item for item in kind.model_validate_json(body).items}
        return found

    def _keep(self, record_id: str, owner: str, value: BaseModel, items: tuple[str, ...]) -> None:
        self._store.put(Record(id=record_id, owner=owner, body=value.model_dump_json().encode(), items=items))

    async def _read(self, kind: type[S], record_id: str, owner: str, what: str, *, param: str | None = None) -> S:
        body = await asyncio.to_thread(self._store.get, record_id, owner)
        if body is None or not record_id.startswith(_PREFIXES[what]):
            raise missing(what, record_id, param=param)
        return await asyncio.to_thread(kind.model_validate_json, body)


# OpenAI's; clients tell the kinds of ids apart by them.
_PREFIXES: Final = {"response": "resp_", "conversation": "conv_"}


def missing(what: str, record_id: str, *, param: str | None = None) -> NotFound:
    return NotFound(
        f"There is no {what} {record_id[:200]!a}: it was never stored, has expired or was deleted.", param=param
    )


def with_items(stored: StoredConversation, items: Sequence[Item]) -> StoredConversation:
    return StoredConversation(conversation=stored.conversation, items=[*stored.items, *items])


def without_item(stored: StoredConversation, item_id: str) -> StoredConversation:
    """Raises NotFound."""
    left = [item for item in stored.items if item.id != item_id]
    if len(left) == len(stored.items):
        raise missing("item", item_id)
    return StoredConversation(conversation=stored.conversation, items=left)


def with_metadata(stored: StoredConversation, metadata: dict[str, str]) -> StoredConversation:
    conversation = ConversationObject(
        id=stored.conversation.id, created_at=stored.conversation.created_at, metadata=metadata
    )
    return StoredConversation(conversation=conversation, items=stored.items)


def _conversation_record(stored: StoredConversation, owner: str) -> Record:
    ids = tuple(item.id for item in stored.items)
    body = stored.model_dump_json().encode()
    return Record(id=stored.conversation.id, owner=owner, body=body, items=ids)
