"""The user's instruction templates: Jinja sources by name."""

import re
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.file_cache import FileCache
from modules.library.folder import Folder, blaming
from modules.library.text_files import as_mapping, parse_yaml, read_text, text_at, yaml_text
from modules.library.turn_template import TURN_KEYS, jinja_of_turns
from modules.paths import UserData, atomic_write

DEFAULT_TEMPLATE: Final = "Alpaca"

_YAML: Final = (".yaml", ".yml")
_KEY: Final = "instruction_template"
_LOOKS_LIKE_YAML: Final = re.compile(rf"^({_KEY}|turn_template)\s*:", re.MULTILINE)
_NO_TEMPLATE: Final = "None"
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
