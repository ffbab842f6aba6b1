"""Conversation items: as requests send them, and as they are stored and returned."""

import base64
import binascii
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from extensions.openai.common.field_types import Anything, CallId, RequestModel

# Items of every other type are kept as they were sent, for the client to find them again.
KNOWN_TYPES: Final = frozenset(
    {
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "reasoning",
        "item_reference",
    }
)


def _as_text_part(value: object) -> object:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


def _as_message(value: object) -> object:
    return [{"type": "message", "role": "user", "content": value}] if isinstance(value, str) else value


class InputPart(RequestModel):
    """One piece of a message, a tool's output or a thought. Which types can be used depends on the model."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: Anything = None
    detail: Anything = None
    input_audio: Anything = None
    file_id: Anything = None
    file_data: Anything = None
    file_url: Anything = None
    filename: Anything = None


InputParts = Annotated[
    list[InputPart],
    Field(max_length=65536, fail_fast=True),
    BeforeValidator(_as_text_part, json_schema_input_type=str | list[InputPart]),
]


class InputItem(RequestModel):
    """One item of the input, of any type; without a type it is a message. `content` and `output` may be plain texts.
    What items of other types hold is in `foreign`, as it was sent."""

    type: str = "message"
    id: str | None = Field(None, max_length=256)
    role: str | None = None
    content: InputParts | None = None
    call_id: CallId | None = None
    name: str | None = Field(None, max_length=1024)
    arguments: str | None = None
    input: str | None = None
    output: InputParts | None = None
    summary: list[InputPart] | None = Field(None, max_length=65536)
    encrypted_content: str | None = None
    namespace: str | None = Field(None, max_length=1024)
    foreign: SkipJsonSchema[dict[str, Any] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _by_type(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(given, dict):
            return given
        kind = given.get("type") or ("message" if "role" in given or "id" not in given else "item_reference")
        if kind in KNOWN_TYPES or not isinstance(kind, str):
            return {**given, "type": kind, "foreign": None}
        return {"type": kind, "id": given.get("id"), "foreign": given}


InputItems = Annotated[
    list[InputItem],
    Field(max_length=65536, fail_fast=True),
    BeforeValidator(_as_message, json_schema_input_type=str | list[InputItem]),
]


InputRole = Literal["user", "system", "developer"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class Placed(BaseModel):
    """Errors name the place that it has in the request; of what was stored before, they name the input."""

    _place: str = PrivateAttr("input")

    @property
    def place(self) -> str:
        return self._place

    def at(self, place: str) -> Self:
        self._place = place
        return self


class InputText(BaseModel):
    type: Literal["input_text"] = "input_text"
    text: str


class InputImage(Placed):
    """A picture: a data URL or an address."""

    type: Literal["input_image"] = "input_image"
    image_url: str
    detail: str = "auto"


class InputAudioData(BaseModel):
    data: str
    format: str


class InputAudio(Placed):
    type: Literal["input_audio"] = "input_audio"
    input_audio: InputAudioData


class InputFile(Placed):
    """`file_data` is a data URL or base64; in its place, `file_url` an address."""

    type: Literal["input_file"] = "input_file"
    filename: str
    file_data: str | None = None
    file_url: str | None = None


InputContent = Annotated[InputText | InputImage | InputAudio | InputFile, Field(discriminator="type")]


class TopTokenLogprob(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class OutputTokenLogprob(TopTokenLogprob):
    top_logprobs: list[TopTokenLogprob]


class OutputText(BaseModel):
    """`logprobs` is empty unless they were asked for; nothing here ever cites a source."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: tuple[()] = ()
    logprobs: list[OutputTokenLogprob] = Field(default_factory=list)


class Refusal(BaseModel):
    type: Literal["refusal"] = "refusal"
    refusal: str


class ReasoningText(BaseModel):
    type: Literal["reasoning_text"] = "reasoning_text"
    text: str


class SummaryText(BaseModel):
    type: Literal["summary_text"] = "summary_text"
    text: str


class InputMessageItem(BaseModel):
    """A message of the user, the system or the developer."""

    id: str
    type: Literal["message"] = "message"
    status: ItemStatus = "completed"
    role: InputRole
    content: list[InputContent]


class OutputMessageItem(BaseModel):
    """What the assistant said."""

    id: str
    type: Literal["message"] = "message"
    status: ItemStatus = "completed"
    role: Literal["assistant"] = "assistant"
    content: list[OutputText | Refusal]


class InNamespace(BaseModel):
    """`namespace` is there for tools that stand in one, and for no others."""

    namespace: str | None = None

    @model_serializer(mode="wrap")
    def _without_no_namespace(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown: dict[str, Any] = serialize(self)
        if self.namespace is None:
            del shown["namespace"]
        return shown


class FunctionCallItem(InNamespace):
    """`arguments` is the JSON text as the model wrote it."""

    id: str
    type: Literal["function_call"] = "function_call"
    status: ItemStatus = "completed"
    call_id: str
    name: str
    arguments: str


class FunctionCallOutputItem(BaseModel):
    id: str
    type: Literal["function_call_output"] = "function_call_output"
    status: ItemStatus = "completed"
    call_id: str
    output: list[InputContent]


class CustomToolCallItem(InNamespace):
    """A call of a tool that takes free text."""

    id: str
    type: Literal["custom_tool_call"] = "custom_tool_call"
    call_id: str
    name: str
    input: str


class CustomToolCallOutputItem(BaseModel):
    id: str
    type: Literal["custom_tool_call_output"] = "custom_tool_call_output"
    call_id: str
    output: list[InputContent]


class ReasoningItem(BaseModel):
    """A thought: in `content`, in `summary` where the request asked for one, in `encrypted_content` for clients that
    keep their history themselves."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    status: ItemStatus = "completed"
    summary: list[SummaryText] = Field(default_factory=list)
    content: list[ReasoningText] = Field(default_factory=list)
    encrypted_content: str | None = None


def _is_foreign(kind: str) -> str:
    if kind in KNOWN_TYPES:
        raise ValueError("an item of a known type")
    return kind


class ForeignItem(Placed):
    """An item of a tool that is not run here, as it was sent."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: Annotated[str, AfterValidator(_is_foreign)]

    @property
    def fields(self) -> dict[str, Any]:
        return self.__pydantic_extra__ or {}


OutputItem = OutputMessageItem | FunctionCallItem | CustomToolCallItem | ReasoningItem
OtherItem = Annotated[
    FunctionCallItem | FunctionCallOutputItem | CustomToolCallItem | CustomToolCallOutputItem | ReasoningItem,
    Field(discriminator="type"),
]
Item = Annotated[InputMessageItem | OutputMessageItem, Field(discriminator="role")] | OtherItem | ForeignItem


class CallName(NamedTuple):
    """How the caller names a tool."""

    name: str
    namespace: str | None = None

    @property
    def model_name(self) -> str:
        """The one name by which the model knows it."""
        if self.namespace is None:
            return self.name
        return f"{self.namespace.removesuffix('__')}__{self.name}"


# Tells our content from what another server has encrypted, which cannot be read here.
_MARK: Final = "local1."


def sealed(thought: str) -> str:
    """What clients send back as it is. It hides nothing from them: the thought is theirs."""
    return _MARK + base64.b64encode(thought.encode()).decode()


def thought_of(item: ReasoningItem) -> str:
    """The whole thought if the item holds it, else its summary; empty when another server sealed it."""
    if item.content:
        return "".join(part.text for part in item.content)
    return _opened(item.encrypted_content or "") or "\n\n".join(part.text for part in item.summary)


def _opened(content: str) -> str:
    if not content.startswith(_MARK):
        return ""
    try:
        return base64.b64decode(content.removeprefix(_MARK), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
