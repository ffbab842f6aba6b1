"""Instruction templates: the user's, and the format before Jinja."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.folder import FileCache, Folder, blaming
from modules.library.text_files import as_mapping, parse_yaml, read_text, text_at, yaml_text
from modules.paths import UserData, atomic_write

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


DEFAULT_TEMPLATE: Final = "Alpaca"

_YAML: Final = (".yaml", ".yml")
_KEY: Final = "instruction_template"
# Some users keep Jinja source alone in a .yaml file.
_LOOKS_LIKE_YAML: Final = re.compile(rf"^({_KEY}|turn_template)\s*:", re.MULTILINE)
_NO_TEMPLATE: Final = "None"
# What most base models have seen among their training data.
_ALPACA: Final = """\
{%- set ns = namespace(has_system=false) -%}
{%- for message in messages if message['role'] == 'system' -%}
    {%- set ns.has_system = true -%}
{%- endfor -%}
{%- if not ns.has_system -%}
    {{- 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' -}}
    {{- '\\n\\n' -}}
{%- endif -%}
{%- for message in messages -%}
    {%- if message['role'] == 'system' -%}
        {{- message['content'] + '\\n\\n' -}}
    {%- elif message['role'] == 'assistant' -%}
        {{- '### Response:\\n' + message['content'] + '\\n\\n' -}}
    {%- elif message['role'] == 'tool' -%}
        {{- '### Input:\\n' + message['content'] + '\\n\\n' -}}
    {%- else -%}
        {{- '### Instruction:\\n' + message['content'] + '\\n\\n' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '### Response:\\n' -}}
{%- endif -%}
"""


class InstructionTemplates:
    """Files in `instruction-templates/`."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.instruction_templates, "instruction template", (".jinja", ".jinja2", *_YAML))
        self._cache = FileCache[str](_read)

    def names(self) -> list[str]:
        return self._folder.names()

    def has(self, name: str) -> bool:
        """Whether there is a file of that name. Raises BadRequest for what is no plain name."""
        return self._folder.find(name) is not None

    def read(self, name: str, *, param: str = "instruction_template") -> str:
        """The template's source. The default one is there even when its file is not, and `None` means it.

        Raises BadRequest, naming `param`.
        """
        path = self._folder.find(name, param=param)
        if path is None and name == _NO_TEMPLATE:
            return self.read(DEFAULT_TEMPLATE, param=param)
        if path is None and name == DEFAULT_TEMPLATE:
            return _ALPACA
        with blaming(param):
            return self._cache.read(path or self._folder.existing(name, param=param))

    def read_file(self, path: Path, *, param: str = "chat_template_file") -> str:
        """The source in a file that the operator chose: Jinja, or in .yaml and .yml the value of `instruction_template`.

        Raises BadRequest, naming `param`.
        """
        with blaming(param):
            return self._cache.read(path)

    def save(self, name: str, source: str, *, param: str = "instruction_template") -> None:
        """Write the source, to the file that `read` reads. Raises BadRequest."""
        path = self._folder.find(name, param=param) or self._folder.new(name, ".jinja", param=param)
        atomic_write(path, yaml_text({_KEY: source}) if path.suffix.lower() in _YAML else source)

    def delete(self, name: str, *, param: str = "instruction_template") -> None:
        """Raises BadRequest when there is none of that name."""
        self._folder.delete(name, param=param)


def _read(path: Path) -> str:
    text = read_text(path)
    return _in_yaml(text, path.name) if path.suffix.lower() in _YAML else text


def _in_yaml(text: str, file_name: str) -> str:
    try:
        parsed = parse_yaml(text, file_name)
    except BadRequest:
        if _LOOKS_LIKE_YAML.search(text):
            raise
        return text
    if isinstance(parsed, str):
        return text
    content = as_mapping(parsed, file_name)
    if isinstance(source := content.get(_KEY), str):
        return source
    if "turn_template" in content:
        return jinja_of_turns({key: text_at(content, key, file_name) for key in TURN_KEYS})
    raise BadRequest(f"{file_name} holds no template: there is no text under `{_KEY}` in it.")
