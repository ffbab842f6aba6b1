"""The chat template that lies beside a model's weights, in the files that Hugging Face's libraries write."""

import logging
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modules.errors import BadRequest
from modules.library.text_files import parse_json, read_text

_log = logging.getLogger(__name__)

# The tokenizer's file lists every added token.
_MAX_BYTES: Final = 32 * 2**20
_KEY: Final = "chat_template"


def template_beside(folder: Path) -> str | None:
    """The Jinja source of the model in `folder`: chat_template.jinja, else chat_template.json, else what stands in
    tokenizer_config.json. Of several named templates the one called default counts, else the first.

    A file that cannot be read is named in the log and passed over.
    """
    for name, parse in _FILES.items():
        source = _source(folder / name, parse)
        if source:
            return source
    return None


def _source(path: Path, parse: Callable[[str, str], str | None]) -> str | None:
    try:
        return parse(read_text(path, limit=_MAX_BYTES), path.name)
    except FileNotFoundError:
        return None
    except BadRequest as error:
        _log.warning("no chat template is taken from %s: %s", path.name, error.message)
        return None


def _in_json(text: str, file_name: str) -> str | None:
    content = parse_json(text, file_name)
    return _chosen(content.get(_KEY)) if isinstance(content, dict) else None


def _chosen(templates: object) -> str | None:
    match templates:
        case str():
            return templates
        case dict():
            named = templates
        case list():
            named = {str(each.get("name")): each.get("template") for each in templates if isinstance(each, dict)}
        case _:
            return None
    source = named.get("default", next(iter(named.values()), None))
    return source if isinstance(source, str) else None


def _as_it_is(text: str, _file_name: str) -> str:
    return text


_FILES: Final = MappingProxyType(
    {"chat_template.jinja": _as_it_is, "chat_template.json": _in_json, "tokenizer_config.json": _in_json}
)
