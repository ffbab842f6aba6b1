"""What a model of text can read of a content block. Pure; what it cannot is a BadRequest that names the block."""

import logging
from typing import Final

from extensions.openai.messages.schema import BlockSource, ContentBlock
from modules.errors import BadRequest

_log = logging.getLogger(__name__)

_SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use", "container_upload"})
_READS_TEXT_ONLY: Final = "The loaded model reads text only."


def text_in(block: ContentBlock, path: str) -> str:
    """The words of a block that a model of text can read."""
    match block.type:
        case "text":
            if block.text is None:
                raise missing(f"{path}.text")
            return block.text
        case "document":
            return _titled(block, _document(block, path))
        case "search_result":
            return _titled(block, nested_text(block.content, f"{path}.content"))
        case "compaction":
            return nested_text(block.content, f"{path}.content")
        case "tool_reference":
            return block.tool_name or ""
        case "image":
            raise BadRequest(f"{_READS_TEXT_ONLY} {path} is an image.", param=path, code="not_supported")
    if block.type in _SERVER_CALLS or block.type.endswith("_tool_result"):
        _log.info("a block of the type %s belongs to a tool that is not run here; it is left out", block.type[:60])
        return ""
    raise BadRequest(f"{path}.type {block.type[:60]!r} is unknown here.", param=f"{path}.type")


def _document(block: ContentBlock, path: str) -> str:
    source = block.source
    if not isinstance(source, BlockSource):
        raise missing(f"{path}.source")
    if source.type == "text":
        return source.data or ""
    if source.type == "content":
        return nested_text(source.content, f"{path}.source.content")
    raise BadRequest(
        f"{_READS_TEXT_ONLY} {path} is a document whose source is {source.type[:60]!r}; send its words, with a source "
        "of the type text.",
        param=f"{path}.source",
        code="not_supported",
    )


def _titled(block: ContentBlock, text: str) -> str:
    source = block.source if isinstance(block.source, str) else None
    return "\n".join(part for part in (block.title, source, block.context, text) if part)


def nested_text(blocks: object, path: str) -> str:
    """The words of the blocks that another block's `content` holds; nothing where there is none."""
    if not isinstance(blocks, list | None):
        raise _no_blocks(path)
    return "\n".join(_in_block(block, f"{path}[{number}]") for number, block in enumerate(blocks or ()))


def _in_block(block: object, path: str) -> str:
    if not isinstance(block, ContentBlock):
        raise _no_blocks(path)
    return text_in(block, path)


def _no_blocks(path: str) -> BadRequest:
    return BadRequest(f"{path} must be a text or blocks with a type.", param=path)


def missing(path: str) -> BadRequest:
    return BadRequest(f"{path} is missing.", param=path)
