"""Pictures and documents that are no text in earlier turns: a note stands in their place, so that a chat can go on with
a model of text. Pure."""

from collections.abc import Sequence
from typing import Final

from extensions.openai.messages.schema import BlockSource, ContentBlock, MessageTurn
from modules.prompt.conversation.pictures import PICTURE

DOCUMENT: Final = "[document left out]"
_READABLE: Final = frozenset({"text", "content"})


def without_earlier_pictures(turns: Sequence[MessageTurn]) -> list[MessageTurn]:
    """The last turn begins with what the user said last; what is in it stays, and is refused."""
    asked = (i for i, turn in enumerate(turns) if turn.role == "user" and _says_something(turn))
    last = max(asked, default=0)
    return [_without(turn) if i < last else turn for i, turn in enumerate(turns)]


def _says_something(turn: MessageTurn) -> bool:
    return any(block.type != "tool_result" for block in turn.content)


def _without(turn: MessageTurn) -> MessageTurn:
    blocks = [_readable(block) for block in turn.content]
    return turn if blocks == turn.content else turn.model_copy(update={"content": blocks})


def _readable(block: ContentBlock) -> ContentBlock:
    if block.type == "image":
        return ContentBlock(type="text", text=PICTURE)
    source = block.source
    if block.type == "document" and isinstance(source, BlockSource) and source.type not in _READABLE:
        return ContentBlock(type="text", text=DOCUMENT)
    if block.type == "tool_result" and isinstance(block.content, list):
        content = [_readable(each) if isinstance(each, ContentBlock) else each for each in block.content]
        return block if content == block.content else block.model_copy(update={"content": content})
    return block
