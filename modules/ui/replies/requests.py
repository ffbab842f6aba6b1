"""The page's settings and a conversation → a request to the chat service.

Pure, but for reading the user's profile.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from modules.chat.session import session
from modules.chat.session.uses import memory_of, uses_of
from modules.engine.types import Constraint
from modules.errors import BadRequest
from modules.library.chats.history import History
from modules.library.users import User, UserProfiles
from modules.messages import Message, Role, ToolSpec, text_message
from modules.requests import ChatRequest, Limits, Mode, Persona
from modules.sampling import Sampling
from modules.settings.values import Settings

_KNOWN: Final = "What the user wants you to know, from notes of their own:"
# Each banned token costs work for every token of the reply.
_MAX_BANS: Final = 10_000


# At each place in a reply whose probabilities are shown.
ALTERNATIVES: Final = 5


def chat_request(
    settings: Settings,
    history: History,
    user: User,
    *,
    model: str | None = None,
    tools: Sequence[ToolSpec] = (),
    continues: bool = False,
) -> ChatRequest:
    """Raises BadRequest, naming the setting, for stop strings or bans that cannot be read."""
    messages = session.messages(history, include_past_attachments=settings.include_past_attachments)
    return ChatRequest(
        model=model,
        messages=(*_system(settings, history), *messages),
        sampling=sampling(settings),
        limits=limits(settings),
        persona=persona(settings, user),
        tools=tuple(tools),
        constraint=constraint(settings),
        logprobs=ALTERNATIVES if settings.show_probabilities else None,
        continue_last=continues,
        truncates=True,
        template_arguments={
            "enable_thinking": settings.enable_thinking,
            "reasoning_effort": settings.reasoning_effort,
            "preserve_thinking": settings.preserve_thinking,
        },
        wants_facts=True,
    )


def user_of(users: UserProfiles, history: History, settings: Settings) -> User:
    """Who speaks in the conversation. Reads a file. Raises BadRequest for a persona that there is not any more."""
    return users.read(uses_of(history).persona or settings.user)


def sampling(settings: Settings) -> Sampling:
    return replace(
        settings.sampling,
        seed=None if settings.seed < 0 else settings.seed,
        banned_tokens=banned_tokens(settings.custom_token_bans),
    )


def limits(settings: Settings) -> Limits:
    return Limits(
        max_tokens=None if settings.auto_max_new_tokens else settings.max_new_tokens,
        stop=stop_strings(settings.custom_stopping_strings),
        ignore_eos=settings.ban_eos_token,
    )


def persona(settings: Settings, user: User) -> Persona:
    mode = Mode(settings.mode)
    if mode is Mode.INSTRUCT:
        return Persona()
    return Persona(
        mode=mode,
        character=settings.character,
        user_name=user.name,
        user_bio=user.bio,
        greeting="",
        chat_instruct_command=settings.chat_instruct_command,
        chat_template=settings.chat_template_str or None,
        lorebooks=settings.lorebooks,
        uses_lore=settings.use_lorebooks,
    )


def constraint(settings: Settings) -> Constraint | None:
    text = settings.grammar_string
    return Constraint(kind="gbnf", text=text, param="grammar_string") if text.strip() else None


def stop_strings(text: str) -> tuple[str, ...]:
    """Texts in quotes, separated by commas, as JSON has them; single quotes do as well. Raises BadRequest."""
    if not text.strip():
        return ()
    for notation in (text, text.replace("'", '"')):
        try:
            strings = json.loads(f"[{notation}]")
        except ValueError:
            continue
        if all(isinstance(string, str) and string for string in strings):
            return tuple(strings)
    raise BadRequest(
        'Stopping strings stand in quotes, with commas between them: "\\n", "###".', param="custom_stopping_strings"
    )


def banned_tokens(text: str) -> tuple[int, ...]:
    """Ids, separated by commas. Raises BadRequest."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) > _MAX_BANS or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise BadRequest("Banned tokens are ids, with commas between them: 42, 1024.", param="custom_token_bans")
    return tuple(map(int, words))


def _system(settings: Settings, history: History) -> tuple[Message, ...]:
    """In the mode chat the character's context stands in its place. What the chat has of the memory follows, where it uses
    it: it is as it was when the chat began, so that the prompt begins the same in every turn."""
    memory = memory_of(history)
    is_known = uses_of(history).memory and not settings.multi_user and memory.strip()
    words = "\n\n".join(filter(None, (settings.custom_system_message, f"{_KNOWN}\n{memory}" if is_known else "")))
    return (text_message(Role.SYSTEM, words),) if words.strip() and Mode(settings.mode) is not Mode.CHAT else ()
