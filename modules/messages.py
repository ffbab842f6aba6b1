"""A conversation as plain values: what every face hands down and every prompt is made of."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks. `developer` messages arrive as SYSTEM."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture: `source` is a data URL, base64, or an http(s) address. `detail` "low" asks for a small one.

    `param` is the request field that it came in, here as in other parts.
    """

    source: str = field(repr=False)
    detail: str = "auto"
    param: str = field(default="messages", compare=False)


@dataclass(frozen=True, slots=True)
class AudioPart:
    """A sound: `source` likewise; `format` is for instance "wav", empty where the request does not say."""

    source: str = field(repr=False)
    format: str = ""
    param: str = field(default="messages", compare=False)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file by the name `name`, which is read before the model gets the message; `source` likewise."""

    source: str = field(repr=False)
    name: str
    param: str = field(default="messages", compare=False)


MediaPart = ImagePart | AudioPart
Part = TextPart | ImagePart | AudioPart | FilePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for; `arguments` is the JSON text as the model wrote it. With `is_own` the loaded model did, in
    this conversation, and reads it in the same spelling."""

    id: str
    name: str
    arguments: str
    is_own: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function the model may call; `parameters` is its JSON schema.

    `is_custom` tools take free text: to the model they are functions with the one text argument `input`.
    """

    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None
    strict: bool = False
    is_custom: bool = False


class ToolUse(StrEnum):
    """NONE: no call, AUTO: as the model likes, REQUIRED: at least one call and nothing but calls."""

    NONE = "none"
    AUTO = "auto"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """Which of the offered tools may be called, and how: `names` empty means any of them, else only these.

    Without `parallel` a reply holds one call at most.
    """

    use: ToolUse = ToolUse.AUTO
    names: tuple[str, ...] = ()
    parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. `tool_call_id` and `name` belong to TOOL turns, `tool_calls` and `reasoning` to ASSISTANT turns."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: str | None = None

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


def text_message(role: Role, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text),))
