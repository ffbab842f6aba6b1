"""What was asked for the latest reply of each chat, for who wants to see the prompt. In memory only."""

from collections import OrderedDict
from typing import Final, TypeAlias

from modules.library.chats.histories import Place
from modules.messages import Message
from modules.requests import ChatRequest

# Each holds a conversation, with the pictures in it.
_MOST: Final = 16
_Key: TypeAlias = tuple[Place, str]


class AskedRequests:
    """Forgets the oldest ones."""

    def __init__(self) -> None:
        self._requests: OrderedDict[_Key, ChatRequest] = OrderedDict()

    def note(self, key: _Key, request: ChatRequest) -> None:
        self._requests[key] = request
        self._requests.move_to_end(key)
        while len(self._requests) > _MOST:
            self._requests.popitem(last=False)

    def of(self, key: _Key, messages: tuple[Message, ...]) -> ChatRequest | None:
        """The chat's latest one, if that was for this conversation; None where it is not known any more."""
        request = self._requests.get(key)
        return request if request is not None and request.messages == messages else None
