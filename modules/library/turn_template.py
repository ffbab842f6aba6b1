"""Instruction templates as they were before Jinja: one text with places for the two speakers and their messages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TURN_KEYS: Final = ("turn_template", "context", "system_message", "user", "bot")

_USER: Final = "<|user|>"
_USER_MESSAGE: Final = "<|user-message|>"
_BOT: Final = "<|bot|>"
_BOT_MESSAGE: Final = "<|bot-message|>"
_SYSTEM_MESSAGE: Final = "<|system-message|>"


@dataclass(frozen=True, slots=True)
class _Turn:
    """What stands before and after a message."""

    before: str
    after: str


def jinja_of_turns(content: Mapping[str, str]) -> str:
    """The same format as a Jinja template. `content` has the TURN_KEYS, empty where the file is silent.

    `context` begins every prompt, with the system message in its place; one without a place for it comes first, and
    the system message follows in a paragraph of its own.
    """
    system = _system_turn(content["context"])
    user, bot = _speakers(content)
    return "\n".join(
        (
            _beginning(content, system),
            "{%- for message in messages -%}",
            "{%- if message['role'] == 'system' -%}",
            _said(system),
            "{%- elif message['role'] == 'assistant' -%}",
            _said(bot),
            "{%- else -%}",
            _said(user),
            "{%- endif -%}",
            "{%- endfor -%}",
            "{%- if add_generation_prompt -%}",
            # A model continues better after a word than after a space, which most tokens carry themselves.
            f"{{{{- {_literal(bot.before.rstrip(' '))} -}}}}",
            "{%- endif -%}",
        )
    )


def _system_turn(context: str) -> _Turn:
    before, place, after = context.partition(_SYSTEM_MESSAGE)
    return _Turn(before, after) if place else _Turn("", "\n\n")


def _beginning(content: Mapping[str, str], system: _Turn) -> str:
    """What stands first when the conversation does not begin with a system message, or stands first in any case."""
    if _SYSTEM_MESSAGE not in content["context"]:
        return f"{{{{- {_literal(content['context'])} -}}}}"
    default = system.before + content["system_message"] + system.after
    return f"{{%- if not messages or messages[0]['role'] != 'system' -%}}{{{{- {_literal(default)} -}}}}{{%- endif -%}}"


def _speakers(content: Mapping[str, str]) -> tuple[_Turn, _Turn]:
    template = content["turn_template"]
    place = _reply_place(template)
    user, bot = (
        part.replace(_USER, content["user"]).replace(_BOT, content["bot"])
        for part in (template[:place], template[place:])
    )
    user_before, _, user_after = user.partition(_USER_MESSAGE)
    bot_before, _, bot_after = bot.partition(_BOT_MESSAGE)
    return _Turn(user_before, user_after), _Turn(bot_before, bot_after)


def _reply_place(template: str) -> int:
    """Where the reply's turn begins: at the line that names the bot, or at the name where both speak in one line."""
    message_end = template.find(_USER_MESSAGE) + len(_USER_MESSAGE) if _USER_MESSAGE in template else 0
    name = template.find(_BOT, message_end)
    if name < 0:
        return message_end
    line = template.rfind("\n", message_end, name)
    return name if line < 0 else line + 1


def _said(turn: _Turn) -> str:
    return f"{{{{- {_literal(turn.before)} ~ message['content'] ~ {_literal(turn.after)} -}}}}"


def _literal(text: str) -> str:
    """A Jinja string; its escapes are Python's, of which JSON's are a part."""
    return json.dumps(text, ensure_ascii=False)
