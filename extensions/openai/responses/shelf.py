"""Stored responses and conversations as values, read and written off the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from extensions.openai.responses.bodies import Conversation, StoredConversation, StoredResponse
from extensions.openai.responses.items import Item
from extensions.openai.responses.store import Bounds, Record, SpareStore, Store
from modules.errors import BadRequest, NotFound
from modules.settings.values import Settings

FILE_NAME: Final = "responses.sqlite3"
S = TypeVar("S", bound=BaseModel)


class Shelf:
    """One store's responses and conversations. What belongs to another owner does not exist."""

    def __init__(self, store: Store | SpareStore) -> None:
        self._store = store

    @classmethod
    def of(cls, settings: Settings) -> "Shelf":
        bounds = Bounds(
            records=settings.responses_records,
            size=settings.responses_mb * 2**20,
            seconds=settings.responses_hours * 3600,
        )
        memory = Store(bounds)
        if not settings.responses_on_disk:
            return cls(memory)
        path = settings.user_data.root / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(SpareStore(Store(bounds, path), memory))

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

        if not await asyncio.to_thread(self._store.change, conversation_id, owner, rewritten):
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
    conversation = Conversation(id=stored.conversation.id, created_at=stored.conversation.created_at, metadata=metadata)
    return StoredConversation(conversation=conversation, items=stored.items)


def _conversation_record(stored: StoredConversation, owner: str) -> Record:
    ids = tuple(item.id for item in stored.items)
    body = stored.model_dump_json().encode()
    return Record(id=stored.conversation.id, owner=owner, body=body, items=ids)
