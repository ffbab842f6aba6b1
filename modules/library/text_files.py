"""Reads text, YAML and JSON of bounded size and depth; errors name the file and the line."""

import codecs
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from modules.errors import BadRequest

# What people write by hand is far smaller.
MAX_TEXT_BYTES: Final = 2**20
# Aliases make a small file unfold into billions of nodes.
_MAX_NODES: Final = 20_000
# PyYAML and pydantic recurse, and a deep file would end the stack.
_MAX_DEPTH: Final = 32


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises BadRequest, FileNotFoundError."""
    try:
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadRequest(f"{path.name} is not a file.")
        with path.open("rb") as file:
            # One more than allowed, to tell a file that is exactly as large from a larger one.
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadRequest(f"{path.name} cannot be read: {error.strerror}.") from error
    if len(content) > limit:
        raise BadRequest(f"{path.name} is larger than {limit // 1024} KiB, which is more than such a file may have.")
    return content


def read_text(path: Path, *, limit: int = MAX_TEXT_BYTES) -> str:
    """As `read_bytes`, in UTF-8; ends of lines become newlines."""
    return decoded(read_bytes(path, limit=limit), path.name)


def decoded(content: bytes, file_name: str) -> str:
    """UTF-8, or UTF-16 as some editors write it. Raises BadRequest."""
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRequest(f"{file_name} is not UTF-8 text (line {line}). Save it as UTF-8.") from None
    return text.replace("\r\n", "\n")


def _encoding(content: bytes) -> str:
    """By the byte order mark, or by the zero bytes that plain letters have in UTF-16."""
    if len(content) > 2 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(content) > 2 and content[0] and not content[1]:
        return "utf-16-le"
    return "utf-16-be" if len(content) > 2 and not content[0] and content[1] else "utf-8-sig"


def parse_yaml(text: str, file_name: str) -> object:
    """One document of plain YAML; aliases are refused, since a few lines of them stand for any amount of data.

    Raises BadRequest.
    """
    try:
        return yaml.load(text, _BoundedLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1})" if mark else ""
        raise BadRequest(f"{file_name} is not valid YAML{place}: {error.problem or error.context}.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadRequest(f"{file_name} is not valid YAML: {error}.") from None


def parse_json(text: str, file_name: str) -> object:
    """Ends of lines may stand within texts, as people write them. Raises BadRequest."""
    try:
        return json.loads(text, strict=False)
    except json.JSONDecodeError as error:
        raise BadRequest(f"{file_name} is not valid JSON (line {error.lineno}): {error.msg}.") from None
    except (ValueError, RecursionError):
        raise BadRequest(f"{file_name} holds numbers or nesting beyond what JSON files here may have.") from None


def as_mapping(content: object, file_name: str) -> Mapping[str, object]:
    """The mapping that a file must hold; an empty file is an empty one. Raises BadRequest."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadRequest(f"{file_name} must hold one `key: value` per line (line 1).")
    return {str(key): value for key, value in content.items()}


def text_at(content: Mapping[str, object], key: str, file_name: str) -> str:
    """The text under `key`, empty where there is none; numbers count as text. Raises BadRequest."""
    value = content.get(key)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise BadRequest(f"{file_name}: `{key}` must be text.")
    return str(value)


def yaml_text(content: Mapping[str, object]) -> str:
    """`content` as people write YAML: in its order, texts of several lines as blocks."""
    # Without a width PyYAML breaks long lines, which changes text in blocks.
    return yaml.dump(content, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=2**31)


class _BoundedLoader(yaml.SafeLoader):
    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = 0
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401 - PyYAML's signature
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, "aliases are not read here; write the value out")
        if self._nodes > _MAX_NODES or self._depth >= _MAX_DEPTH:
            raise _refused(event, "there is more in it, or nested deeper, than such a file may have")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refused(event: Any, problem: str) -> yaml.MarkedYAMLError:  # noqa: ANN401 - PyYAML has two types of marks
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


class _BlockDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _write_text)
