"""Requests and messages ↔ the `state` and the history that old scripts know."""

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final

from modules.engine.types import Constraint
from modules.errors import BadRequest, ServiceError
from modules.library.library import Library
from modules.messages import Message, Role, TextPart, text_message
from modules.prompt.characters.cast import Cast, cast_for
from modules.requests import ChatRequest, CompletionRequest, Limits, Mode, Persona, TemplateChoice
from modules.sampling import Sampling
from modules.settings.values import Settings

# text-generation-webui's mark for a greeting, the reply to nothing; old scripts compare with it.
BEGINNING: Final = "<|BEGIN-VISIBLE-CHAT|>"


@dataclass(frozen=True, slots=True)
class _Row:
    user: str
    assistant: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class OldConversation:
    """`system` are the messages in front of all others, `asked` is the last one if the user said it, and `rows` are what
    stands between."""

    system: tuple[Message, ...]
    rows: tuple[_Row, ...]
    asked: Message | None

    @property
    def history(self) -> dict[str, Any]:
        """In the shape that scripts know; whatever they do to it, the conversation stays as it is."""
        return {
            "internal": [[row.user, row.assistant] for row in self.rows],
            "visible": [["" if row.user == BEGINNING else row.user, row.assistant] for row in self.rows],
            "metadata": {},
        }

    def messages(self, history: object, asked: str) -> tuple[Message, ...]:
        """The conversation as `history` has it, with the last user message saying `asked`. Rows that did not change
        keep all that was in their messages."""
        rows = history.get("internal", []) if isinstance(history, dict) else []
        known = {(row.user, row.assistant): row.messages for row in self.rows}
        turns = [message for row in rows for message in _messages_of(row, known)]
        last = () if self.asked is None else (with_text(self.asked, asked),)
        return (*self.system, *turns, *last)


def conversation_of(messages: Sequence[Message]) -> OldConversation:
    count = next((i for i, message in enumerate(messages) if message.role is not Role.SYSTEM), len(messages))
    rest = list(messages[count:])
    asked = rest.pop() if rest and rest[-1].role is Role.USER else None
    return OldConversation(tuple(messages[:count]), tuple(_rows(rest)), asked)


def with_text(message: Message, text: str) -> Message:
    """The message with other words; whatever in it is no text stays."""
    if text == message.text:
        return message
    others = tuple(part for part in message.parts if not isinstance(part, TextPart))
    return replace(message, parts=(*others, TextPart(text)))


def _rows(messages: Sequence[Message]) -> Iterator[_Row]:
    """A user's message begins a row, and so does an assistant's after which another has spoken."""
    group: list[Message] = []
    for message in messages:
        has_answer = any(each.role is Role.ASSISTANT and not each.tool_calls for each in group)
        if group and (message.role is Role.USER or (message.role is Role.ASSISTANT and has_answer)):
            yield _row(group)
            group = []
        group.append(message)
    if group:
        yield _row(group)


def _row(messages: Sequence[Message]) -> _Row:
    user = "\n".join(message.text for message in messages if message.role is Role.USER)
    assistant = "\n".join(message.text for message in messages if message.role is Role.ASSISTANT and message.text)
    has_user = any(message.role is Role.USER for message in messages)
    return _Row(user if has_user else BEGINNING, assistant, tuple(messages))


def _messages_of(row: Sequence[Any], known: dict[tuple[str, str], tuple[Message, ...]]) -> tuple[Message, ...]:
    user, assistant = (str(row[place]) if len(row) > place and row[place] is not None else "" for place in (0, 1))
    if (user, assistant) in known:
        return known[user, assistant]
    asked = (text_message(Role.USER, user),) if user and user != BEGINNING else ()
    return (*asked, *((text_message(Role.ASSISTANT, assistant),) if assistant else ()))


State = dict[str, Any]

# text-generation-webui's default. Old scripts calculate with the number, so None cannot stand for it.
_DEFAULT_NEW_TOKENS: Final = 512
_SAMPLING: Final = tuple(each.name for each in fields(Sampling))
# Old scripts know these in another form: text in place of lists, -1 in place of None.
_APART: Final = frozenset({"seed", "logit_bias", "banned_tokens", "dry_sequence_breakers"})
_PERSONA: Final = MappingProxyType(
    {
        "name1": "user_name",
        "name2": "bot_name",
        "context": "context",
        "greeting": "greeting",
        "user_bio": "user_bio",
        "character_menu": "character",
        "chat-instruct_command": "chat_instruct_command",
        "chat_template_str": "chat_template",
    }
)
_THINKING: Final = ("enable_thinking", "reasoning_effort", "preserve_thinking")


def chat_state(request: ChatRequest, settings: Settings, library: Library) -> State:
    """Reads the character's file."""
    persona, conversation = request.persona, conversation_of(request.messages)
    cast = _cast(persona, settings, library)
    thinking = {name: request.template_arguments.get(name, getattr(settings, name)) for name in _THINKING}
    return {
        **_generation_state(request, settings),
        **thinking,
        "mode": persona.mode.value,
        "name1": persona.user_name or (cast.user if cast else settings.name1),
        "name2": persona.bot_name or (cast.bot if cast else settings.name2),
        "context": cast.context if cast else settings.context,
        "greeting": cast.greeting if cast else settings.greeting,
        "user_bio": cast.user_bio if cast else settings.user_bio,
        "character_menu": settings.character if persona.character is None else persona.character,
        "chat-instruct_command": persona.chat_instruct_command or settings.chat_instruct_command,
        "chat_template_str": persona.chat_template or settings.chat_template_str,
        "instruction_template_str": request.template.source or "",
        "custom_system_message": "\n".join(message.text for message in conversation.system),
        "history": conversation.history,
        "textbox": conversation.asked.text if conversation.asked else "",
        "start_with": "",
    }


def completion_state(request: CompletionRequest, settings: Settings) -> State:
    return _generation_state(request, settings)


def copied(state: State) -> State:
    """To be compared with later; what cannot be copied is taken as it is."""
    try:
        return copy.deepcopy(state)
    except Exception:  # noqa: BLE001 - scripts may put anything there
        return dict(state)


def with_chat_state(request: ChatRequest, before: State, after: State, settings: Settings) -> ChatRequest:
    """The request with every change that scripts have made to its state but for what was said. Raises BadRequest."""
    changes = _changes(before, after)
    persona: dict[str, Any] = {name: _text(key, changes[key]) for key, name in _PERSONA.items() if key in changes}
    if "mode" in changes:
        persona["mode"] = _mode(changes["mode"])
    thinking: State = {name: changes[name] for name in _THINKING if name in changes}
    request = replace(
        request,
        sampling=_sampling(request.sampling, changes, settings),
        limits=_limits(request.limits, changes),
        constraint=_constraint(request.constraint, changes),
        persona=replace(request.persona, **persona),
        template_arguments={**request.template_arguments, **thinking},
    )
    if source := changes.get("instruction_template_str"):
        request = replace(request, template=TemplateChoice(source=_text("instruction_template_str", source)))
    if "custom_system_message" in changes:
        request = _with_system(request, _text("custom_system_message", changes["custom_system_message"]))
    return request


def with_completion_state(
    request: CompletionRequest, before: State, after: State, settings: Settings
) -> CompletionRequest:
    """As `with_chat_state`."""
    changes = _changes(before, after)
    return replace(
        request,
        sampling=_sampling(request.sampling, changes, settings),
        limits=_limits(request.limits, changes),
        constraint=_constraint(request.constraint, changes),
    )


def generation_of(state: Mapping[str, Any], settings: Settings) -> tuple[Sampling, Limits]:
    """What a script asks for that generates text by itself, with a state that it got or made. Raises BadRequest."""
    limits = Limits(max_tokens=_DEFAULT_NEW_TOKENS)
    return _sampling(settings.sampling, dict(state), settings), _limits(limits, dict(state))


def _generation_state(request: ChatRequest | CompletionRequest, settings: Settings) -> State:
    sampling, limits = request.sampling, request.limits
    values = {name: getattr(sampling, name) for name in _SAMPLING}
    return {
        **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
        "seed": -1 if sampling.seed is None else sampling.seed,
        "logit_bias": dict(sampling.logit_bias),
        "dry_sequence_breakers": list(sampling.dry_sequence_breakers),
        "max_new_tokens": _DEFAULT_NEW_TOKENS if limits.max_tokens is None else limits.max_tokens,
        "auto_max_new_tokens": limits.max_tokens is None,
        "min_tokens": limits.min_tokens,
        "ban_eos_token": limits.ignore_eos,
        "custom_stopping_strings": "",
        "stopping_strings": list(limits.stop),
        "custom_token_bans": ",".join(map(str, sampling.banned_tokens)),
        "grammar_string": "",
        "negative_prompt": "",
        "guidance_scale": 1,
        "truncation_length": settings.ctx_size,
        "max_tokens_second": 0,
        "add_bos_token": True,
        "skip_special_tokens": True,
        "stream": True,
    }


def _cast(persona: Persona, settings: Settings, library: Library) -> Cast | None:
    try:
        return cast_for(persona, library, settings)
    except ServiceError:
        if persona.mode is not Mode.INSTRUCT:
            raise
        return None


def _changes(before: State, after: State) -> State:
    return {key: value for key, value in after.items() if key not in before or _differ(before[key], value)}


def _differ(one: object, other: object) -> bool:
    try:
        return bool(one != other)
    except Exception:  # noqa: BLE001 - arrays and such
        return True


def _sampling(sampling: Sampling, changes: State, settings: Settings) -> Sampling:
    names = [name for name in _SAMPLING if name in changes and name not in _APART]
    try:
        checked = settings.with_changes({name: changes[name] for name in names}).sampling
    except ServiceError as failure:
        raise BadRequest(f"What was set cannot be used. {failure.message}") from failure
    values: dict[str, Any] = {name: getattr(checked, name) for name in names}
    if "seed" in changes:
        seed = _number("seed", changes["seed"])
        values["seed"] = None if seed < 0 else seed
    if "logit_bias" in changes:
        values["logit_bias"] = {int(token): float(bias) for token, bias in (changes["logit_bias"] or {}).items()}
    if "custom_token_bans" in changes:
        values["banned_tokens"] = _tokens(changes["custom_token_bans"])
    if "dry_sequence_breakers" in changes:
        values["dry_sequence_breakers"] = _strings("dry_sequence_breakers", changes["dry_sequence_breakers"])
    return replace(sampling, **values)


def _limits(limits: Limits, changes: State) -> Limits:
    values: dict[str, Any] = {}
    if "max_new_tokens" in changes:
        values["max_tokens"] = max(0, _number("max_new_tokens", changes["max_new_tokens"]))
    if changes.get("auto_max_new_tokens"):
        values["max_tokens"] = None
    if "min_tokens" in changes:
        values["min_tokens"] = max(0, _number("min_tokens", changes["min_tokens"]))
    if "ban_eos_token" in changes:
        values["ignore_eos"] = bool(changes["ban_eos_token"])
    stop = list(limits.stop)
    if "stopping_strings" in changes:
        stop = list(_strings("stopping_strings", changes["stopping_strings"]))
    stop += _strings("custom_stopping_strings", changes.get("custom_stopping_strings", ""))
    return replace(limits, **values, stop=tuple(dict.fromkeys(filter(None, stop))))


def _constraint(constraint: Constraint | None, changes: State) -> Constraint | None:
    grammar = changes.get("grammar_string")
    return Constraint(kind="gbnf", text=str(grammar), param="grammar_string") if grammar else constraint


def _with_system(request: ChatRequest, text: str) -> ChatRequest:
    system = (text_message(Role.SYSTEM, text),) if text else ()
    count = len(conversation_of(request.messages).system)
    return replace(request, messages=(*system, *request.messages[count:]))


def _mode(value: object) -> Mode:
    try:
        return Mode(str(value))
    except ValueError:
        raise BadRequest(f"The mode must be one of {', '.join(Mode)}.") from None


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{key} was set to something that is not text.", param=key)
    return value


def _number(key: str, value: Any) -> int:  # noqa: ANN401 - whatever int refuses is refused here
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(f"{key} was set to something that is not an integer.", param=key) from None


def _tokens(value: object) -> tuple[int, ...]:
    return tuple(_number("custom_token_bans", each) for each in str(value or "").split(",") if each.strip())


def _strings(key: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - a sequence or nothing
    """A list, or the text of one as it is typed on the page: quoted and separated by commas."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(f"[{value}]")
        except (ValueError, SyntaxError):
            raise BadRequest(f"{key} was set to something that is not a list of strings.", param=key) from None
    return tuple(str(each) for each in value or ())
