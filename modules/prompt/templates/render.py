"""Chat templates → prompt text, by sandboxed Jinja as Hugging Face's models expect it."""

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from typing_extensions import override

from modules.errors import BadRequest
from modules.prompt.templates.filters import TemplateRefusal, template_filters, template_globals
from modules.prompt.templates.sandbox import Sandbox, TemplateExhausted, meter, printed
from modules.prompt.templates.shape import with_arguments

_log = logging.getLogger(__name__)

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
