"""What a face asks the product for, whichever API the words came from."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from modules.engine.types import Constraint
from modules.messages import AudioPart, ImagePart, Message, TextPart, ToolChoice, ToolSpec
from modules.sampling import Sampling

# Where a picture or a sound stands in a text; llama.cpp's, which clients write.
MARKER: Final = "<__media__>"
# What of a conversation may be changed so that its prompt begins with what the model has read already.
PREFIX_REPAIRS: Final = ("billing", "counters", "json", "system", "times", "tools", "whitespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a reply ends; `max_tokens` None fills the context. `n` is the number of choices."""

    max_tokens: int | None = None
    min_tokens: int = 0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    n: int = 1


class Mode(StrEnum):
    """How a conversation is written down: by the model's chat template, as a dialogue of two named people, or as such
    a dialogue inside an instruction to go on with it."""

    INSTRUCT = "instruct"
    CHAT = "chat"
    CHAT_INSTRUCT = "chat-instruct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Who speaks in the modes CHAT and CHAT_INSTRUCT. What is None comes from the character's file (`character` is its
    name), then from the settings. `chat_template` is Jinja source for the dialogue; `greeting_index` is 0 for the character's
    first message, else the number of an alternate greeting; `lorebooks` are names of those besides the character's own."""

    mode: Mode = Mode.INSTRUCT
    character: str | None = None
    bot_name: str | None = None
    user_name: str | None = None
    context: str | None = None
    greeting: str | None = None
    user_bio: str | None = None
    chat_instruct_command: str | None = None
    chat_template: str | None = None
    greeting_index: int = 0
    lorebooks: tuple[str, ...] | None = None
    uses_lore: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChoice:
    """The instruction template that a request asks for: Jinja `source`, or else the `name` of a file. With neither, the
    one that belongs to the loaded model."""

    name: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """A LoRA adapter by its name in the folder of the adapters; what it adds is multiplied by `scale`."""

    name: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A reply to a conversation. `template_arguments` are passed on to the chat template (thinking switches and such).

    With `continue_last` the reply goes on with the last message, which is the assistant's. Without
    `add_generation_prompt` the prompt ends where the conversation does, and what follows may be anybody's turn.
    `prediction` is what the reply is expected to be like, which makes it faster where it is. `reasoning_budget` is the most
    tokens of thought before the answer; None sets no bound. With `truncates`, the oldest
    turns of a conversation that does not fit are left out; without, it is refused. `keep_alive` is how many seconds the
    model stays loaded after its last reply, from now on; below 0 for ever. `adapters` stand in for those that the model
    was loaded with. `explicit` names the fields of `sampling`,
    `limits` and `template_arguments` that the caller set, to their defaults even. `prefix_repair` are those of PREFIX_REPAIRS
    that may be done, None those of the settings. With `wants_facts` the reply says what it depends on.
    """

    model: str | None
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)
    persona: Persona = field(default_factory=Persona)
    template: TemplateChoice = field(default_factory=TemplateChoice)
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    constraint: Constraint | None = None
    reasoning_budget: int | None = None
    prediction: str = ""
    logprobs: int | None = None
    continue_last: bool = False
    add_generation_prompt: bool = True
    truncates: bool = False
    template_arguments: dict[str, Any] = field(default_factory=dict)
    keep_alive: float | None = None
    adapters: tuple[AdapterChoice, ...] | None = None
    explicit: tuple[str, ...] = ()
    prefix_repair: tuple[str, ...] | None = None
    wants_facts: bool = False


@dataclass(frozen=True, slots=True)
class MixedPrompt:
    """A raw prompt of texts, pictures and sounds, in order."""

    parts: tuple[TextPart | ImagePart | AudioPart, ...]

    @property
    def text(self) -> str:
        """With a marker where a picture or a sound stands."""
        return "".join(part.text if isinstance(part, TextPart) else MARKER for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """Going on from raw prompts, each a text, token ids or a mixture with pictures; choice `i * n + j` is sample `j` of prompt `i`.

    With a `suffix` the reply is what stands between the prompt and it, by the model's fill-in-the-middle tokens.
    Without `skip_special_tokens` control tokens in the reply are text. `keep_alive`, `adapters`, `explicit` and
    `wants_facts` are as in a ChatRequest.
    """

    model: str | None
    prompts: tuple[str | tuple[int, ...] | MixedPrompt, ...]
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)
    constraint: Constraint | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    suffix: str | None = None
    add_bos: bool = True
    skip_special_tokens: bool = True
    keep_alive: float | None = None
    adapters: tuple[AdapterChoice, ...] | None = None
    explicit: tuple[str, ...] = ()
    wants_facts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitsRequest:
    """The distribution of the next token after `prompt`: `top` entries, before or after the samplers."""

    model: str | None
    prompt: str
    top: int = 50
    sampling: Sampling | None = None
