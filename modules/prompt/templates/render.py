"""Chat templates → prompt text, by sandboxed Jinja with the filters that model templates expect."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from types import CodeType
from typing import Any, Final, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.exceptions import TemplateRuntimeError
from jinja2.ext import Extension
from jinja2.filters import FILTERS, do_items
from jinja2.parser import Parser
from typing_extensions import override

from modules.errors import BadRequest
from modules.prompt.templates.sandbox import (
    Sandbox,
    TemplateExhausted,
    joined,
    measured,
    meter,
    printed,
    refuse_wide_fields,
    replaced,
)
from modules.prompt.templates.shape import BrokenArguments, ReplayedArguments, with_arguments

_log = logging.getLogger(__name__)

_OF_TEXT: Final = ("capitalize", "e", "escape", "lower", "title", "trim", "upper", "wordcount")
# Filters that Jinja has and whose result is no larger than what they are given.
_OF_VALUES: Final = (
    "abs attr count d default dictsort first float groupby int last length list map max min reject rejectattr "
    "reverse round safe select selectattr sort unique"
)
_GLOBALS: Final = ("cycler", "dict", "joiner", "namespace")
# A template could otherwise ask for gigabytes of blanks.
_MAX_INDENT: Final = 64
_MAX_DATE_PATTERN: Final = 200
# U+FDD0 to U+FDEF are our own marks, which tokenization takes out again.
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f\ufdd0-\ufdef]")


class TemplateRefusal(TemplateRuntimeError):
    """The template itself rejects the conversation; the words are the template's."""


def template_filters() -> dict[str, Callable[..., Any]]:
    """Those of Jinja's filters that cannot make much out of little, and stand-ins for the others that templates use."""
    return {
        **{name: FILTERS[name] for name in _OF_VALUES.split()},
        **{name: partial(_filter_text, FILTERS[name]) for name in _OF_TEXT},
        "format": _filter_format,
        "from_json": from_json,
        "fromjson": from_json,
        "indent": _filter_indent,
        "items": _filter_items,
        "join": _filter_join,
        "replace": _filter_replace,
        "string": printed,
        "tojson": to_json,
    }


def template_globals() -> dict[str, Any]:
    """Beside these the sandbox itself offers a bounded `range`."""
    own = {"raise_exception": raise_exception, "strftime_now": strftime_now}
    return {**{name: DEFAULT_NAMESPACE[name] for name in _GLOBALS}, **own}


def raise_exception(message: object) -> NoReturn:
    raise TemplateRefusal(printed(message))


def strftime_now(pattern: str) -> str:
    """The server's local time in the notation of `strftime`, to the hour: prompts that differ at every second would
    find nothing of the earlier turns in the model's cache."""
    hour = datetime.now().astimezone().replace(minute=0, second=0, microsecond=0)
    return hour.strftime(pattern[:_MAX_DATE_PATTERN])


def to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without HTML escapes; the options and their order are those that Hugging Face's templates are written for.

    The noncharacters that `tokens` puts into text stay as they are in ASCII output too.
    """
    if isinstance(value, BrokenArguments):
        return str(value)
    is_plain = (ensure_ascii, indent, separators, sort_keys) == (False, None, None, False)
    if isinstance(value, ReplayedArguments) and value.is_own and is_plain:
        # What the model wrote is read again in the same tokens.
        return str(value)
    if isinstance(value, Iterator):
        # What `map` and `select` give is a list to llama.cpp's engine.
        value = list(value)
    depth = None if indent is None else max(0, min(int(indent), _MAX_INDENT))
    text = json.dumps(measured(value), ensure_ascii=False, indent=depth, separators=separators, sort_keys=sort_keys)
    return _NOT_ASCII.sub(_as_escape, text) if ensure_ascii else text


def from_json(text: object) -> object:
    """What llama.cpp's engine has to read the text that a call's arguments may come as."""
    return json.loads(text) if isinstance(text, str) else text


def _as_escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def _filter_text(apply: Callable[..., Any], value: object, *args: Any, **options: Any) -> Any:  # noqa: ANN401
    return apply(printed(value), *args, **options)


def _filter_format(pattern: str, *args: object, **options: object) -> str:
    refuse_wide_fields(printed(pattern))
    return printed(pattern) % (options or args)


def _filter_indent(text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    margin = " " * max(0, min(width, _MAX_INDENT)) if isinstance(width, int) else width
    # As in Jinja, a line break at the end stays.
    lines = (printed(text) + "\n").splitlines()
    return joined("\n", (line if not wanted else margin + line for line, wanted in _margins(lines, first, blank)))


def _margins(lines: Iterable[str], first: bool, blank: bool) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is moved."""
    for number, line in enumerate(lines):
        yield line, first if number == 0 else bool(line) or blank


def _filter_items(value: Any) -> Iterable[tuple[object, object]]:  # noqa: ANN401
    return value.items() if isinstance(value, BrokenArguments) else do_items(value)


def _filter_join(parts: Iterable[object], separator: object = "", attribute: str | None = None) -> str:
    if attribute is None:
        return joined(printed(separator), parts)
    return joined(printed(separator), (_member(part, attribute) for part in parts))


def _member(part: object, name: str) -> object:
    return part.get(name, "") if isinstance(part, Mapping) else ""


def _filter_replace(text: object, old: str, new: str, count: int | None = None) -> str:
    return replaced(printed(text), printed(old), printed(new), -1 if count is None else count)


# Templates of published models are far shorter.
_MAX_SOURCE: Final = 500_000
# Compiling takes much longer than rendering; templates in use at one time are few.
_CACHED_TEMPLATES: Final = 16


class TemplateRefused(BadRequest):
    """The template rejects the conversation, in its own words."""


class TemplateKilled(BadRequest):
    """The template used more time or memory than it may have, and would again."""


class TemplateRenderer:
    """Renders any number of templates, from any number of threads; keeps the last few compiled."""

    def __init__(self) -> None:
        self._sandbox = _prepared_sandbox()
        self._code = lru_cache(maxsize=_CACHED_TEMPLATES)(self._compile)

    def render(self, source: str, variables: Mapping[str, Any]) -> str:
        """Blocks for as long as the template runs, which the sandbox bounds.

        Raises TemplateRefused, or BadRequest that says what is wrong with the template.
        """
        try:
            sandbox = self._sandbox.overlay()
            given = with_arguments(variables)
            sandbox.begin(given)
            return Template.from_code(sandbox, self._code(source), sandbox.make_globals(None)).render(given)
        except TemplateRefusal as refusal:
            raise TemplateRefused(
                refusal.message or "The chat template refuses this conversation.", param="messages"
            ) from None
        except Exception as error:
            raise BadRequest(_explanation(error), param="messages") from error

    def attempt(self, source: str, conversations: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """One text for each of `conversations`, which are variables; None where `render` would raise. A template that
        uses up its budget with one of them is not tried with the others. Raises BadRequest when that is the first."""
        texts: list[str | None] = []
        for variables in conversations:
            try:
                texts.append(self.render(source, variables))
            except BadRequest as failure:
                is_exhausted = isinstance(failure.__cause__, TemplateExhausted)
                if is_exhausted and not texts:
                    raise
                texts.append(None)
                if is_exhausted:
                    break
        return texts + [None] * (len(conversations) - len(texts))

    def _compile(self, source: str) -> CodeType:
        if len(source) > _MAX_SOURCE:
            raise TemplateExhausted(f"The chat template is longer than {_MAX_SOURCE} characters.")
        return self._sandbox.compile(meter(self._sandbox, source))


class _GenerationBlock(Extension):
    """`{% generation %}` marks what the assistant says, for training; here its content is all there is to it."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's declaration

    @override
    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _prepared_sandbox() -> Sandbox:
    sandbox = Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", _GenerationBlock],
        finalize=printed,
    )
    sandbox.filters = template_filters()
    sandbox.globals = {"range": sandbox.globals["range"], **template_globals()}
    return sandbox


def _explanation(error: Exception) -> str:
    """What of an error may be shown: Jinja's words are about the template, Python's may quote the conversation."""
    match error:
        case TemplateExhausted():
            return str(error)
        case TemplateSyntaxError():
            return f"The chat template cannot be read: {error.message} (line {error.lineno})."
        case TemplateError():
            return f"The chat template failed on this conversation: {error.message}"
    _log.debug("chat template failed", exc_info=error)
    return f"The chat template failed on this conversation ({type(error).__name__})."
