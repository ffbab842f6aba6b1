"""Input items of requests → the items that are kept and read. Pure."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar

from extensions.openai.common.answers import new_id
from extensions.openai.common.items.schema import (
    CustomToolCallItem,
    CustomToolCallOutputItem,
    ForeignItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputAudioData,
    InputContent,
    InputFile,
    InputImage,
    InputItem,
    InputMessageItem,
    InputPart,
    InputRole,
    InputText,
    Item,
    OutputMessageItem,
    OutputText,
    ReasoningItem,
    ReasoningText,
    Refusal,
    SummaryText,
)
from extensions.openai.common.items.screenshots import screenshots_of
from extensions.openai.common.media_parts import MEDIA_TYPES, media_part
from modules.errors import BadRequest
from modules.media.pictures.data_urls import is_remote
from modules.messages import AudioPart, FilePart, ImagePart, TextPart

logger = logging.getLogger(__name__)
T = TypeVar("T")
_TEXT_TYPES: Final = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
# Names that look otherwise may be anything, even a secret, and stay out of the log.
_PLAIN_NAME: Final = re.compile(r"[a-z_]{1,40}")
_ROLES: Final[Mapping[str, InputRole]] = MappingProxyType(
    {"user": "user", "system": "system", "developer": "developer"}
)
REFERENCE: Final = "item_reference"


def items_of(sent: Sequence[InputItem], referenced: Mapping[str, Item], *, param: str = "input") -> list[Item]:
    """`referenced` holds what item references may name. Raises BadRequest; items of other types are kept as they are."""
    log_skipped("input items", [item.type for item in sent if item.foreign is not None])
    return [_item(item, f"{param}[{number}]", referenced) for number, item in enumerate(sent)]


def references(sent: Sequence[InputItem]) -> list[str]:
    """The ids that item references name."""
    return [item.id for item in sent if item.type == REFERENCE and item.id is not None]


def log_skipped(what: str, types: Sequence[str]) -> None:
    """The types only, and only if they look like types: the rest is the caller's."""
    if types:
        names = sorted({name if _PLAIN_NAME.fullmatch(name) else "?" for name in types})
        logger.info("Ignored %s of types that are not supported here: %s", what, ", ".join(names))


def _item(item: InputItem, path: str, referenced: Mapping[str, Item]) -> Item:
    if item.foreign is not None:
        return _foreign_item(item, item.foreign, path)
    if item.type != REFERENCE:
        return _READERS[item.type](item, path)
    found = referenced.get(_required(item.id, f"{path}.id"))
    if found is None:
        raise BadRequest(f"{path} names an item that is not stored (any more). Send the item itself.", param=path)
    return found


def _foreign_item(item: InputItem, fields: Mapping[str, Any], path: str) -> Item:
    """Raises BadRequest for a screenshot that cannot be had."""
    kept = ForeignItem.model_validate({**fields, "type": item.type, "id": item.id or new_id("item")}).at(path)
    screenshots_of(kept)
    return kept


def _message(item: InputItem, path: str) -> Item:
    parts = _required(item.content, f"{path}.content")
    if item.role == "assistant":
        return OutputMessageItem(
            id=item.id or new_id("msg"),
            content=[_said(part, f"{path}.content[{number}]") for number, part in enumerate(parts)],
        )
    role = _ROLES.get(item.role or "")
    if role is None:
        raise BadRequest("The role must be user, system, developer or assistant.", param=f"{path}.role")
    return InputMessageItem(id=item.id or new_id("msg"), role=role, content=_input_contents(parts, f"{path}.content"))


def _function_call(item: InputItem, path: str) -> Item:
    return FunctionCallItem(
        id=item.id or new_id("fc"),
        call_id=_required(item.call_id, f"{path}.call_id"),
        name=_required(item.name, f"{path}.name"),
        namespace=item.namespace or None,
        arguments=_required(item.arguments, f"{path}.arguments"),
    )


def _function_call_output(item: InputItem, path: str) -> Item:
    return FunctionCallOutputItem(
        id=item.id or new_id("fco"),
        call_id=_required(item.call_id, f"{path}.call_id"),
        output=_output(item, path),
    )


def _custom_tool_call(item: InputItem, path: str) -> Item:
    return CustomToolCallItem(
        id=item.id or new_id("ctc"),
        call_id=_required(item.call_id, f"{path}.call_id"),
        name=_required(item.name, f"{path}.name"),
        namespace=item.namespace or None,
        input=_required(item.input, f"{path}.input"),
    )


def _custom_tool_call_output(item: InputItem, path: str) -> Item:
    return CustomToolCallOutputItem(
        id=item.id or new_id("ctco"),
        call_id=_required(item.call_id, f"{path}.call_id"),
        output=_output(item, path),
    )


def _reasoning(item: InputItem, path: str) -> Item:
    return ReasoningItem(
        id=item.id or new_id("rs"),
        summary=[SummaryText(text=part.text or "") for part in item.summary or ()],
        content=[
            ReasoningText(text=_text(part, f"{path}.content[{number}]"))
            for number, part in enumerate(item.content or ())
        ],
        encrypted_content=item.encrypted_content,
    )


_READERS: Final[Mapping[str, Callable[[InputItem, str], Item]]] = MappingProxyType(
    {
        "message": _message,
        "function_call": _function_call,
        "function_call_output": _function_call_output,
        "custom_tool_call": _custom_tool_call,
        "custom_tool_call_output": _custom_tool_call_output,
        "reasoning": _reasoning,
    }
)


def _output(item: InputItem, path: str) -> list[InputContent]:
    return _input_contents(_required(item.output, f"{path}.output"), f"{path}.output")


def _input_contents(parts: Sequence[InputPart], path: str) -> list[InputContent]:
    return [_input_content(part, f"{path}[{number}]") for number, part in enumerate(parts)]


def _input_content(part: InputPart, path: str) -> InputContent:
    if part.type not in MEDIA_TYPES:
        return InputText(text=_text(part, path))
    match media_part(part.type, part.model_dump(exclude_none=True), path):
        case ImagePart(source, detail, param=param):
            return InputImage(image_url=source, detail=detail).at(param)
        case AudioPart(source, form, param=param):
            return InputAudio(input_audio=InputAudioData(data=source, format=form)).at(param)
        case FilePart(source, name, param=param) if is_remote(source):
            return InputFile(filename=name, file_url=source).at(param)
        case FilePart(source, name, param=param):
            return InputFile(filename=name, file_data=source).at(param)
        case TextPart(text):
            return InputText(text=text)


def _said(part: InputPart, path: str) -> OutputText | Refusal:
    if part.type == "refusal":
        return Refusal(refusal=_required(part.refusal, f"{path}.refusal"))
    return OutputText(text=_text(part, path))


def _text(part: InputPart, path: str) -> str:
    if part.type in _TEXT_TYPES:
        return _required(part.text, f"{path}.text")
    raise BadRequest(
        "The type of a content part must be input_text, input_image, input_audio, input_file or output_text.",
        param=f"{path}.type",
    )


def _required(value: T | None, path: str) -> T:
    if value is None:
        raise BadRequest(f"'{path}' is missing.", param=path, code="missing_required_parameter")
    return value
