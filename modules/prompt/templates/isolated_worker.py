"""The process in which templates from requests are rendered; `IsolatedRenderer` is its only caller."""

import json
import logging
from collections.abc import Iterator

import msgspec

from modules.errors import BadRequest
from modules.process.server import Task, serve
from modules.prompt.templates.render import TemplateRefused, TemplateRenderer


class RenderQuestion(msgspec.Struct, frozen=True):
    """JSON of a template's source and its variables, or of a list of such: JSON holds numbers of any size and halves of
    surrogate pairs, which a frame does not."""

    content: bytes


class RenderAnswer(msgspec.Struct, frozen=True):
    """One of them: JSON of the text, or of a list of texts and nulls; what the template raised; what is wrong with it."""

    content: bytes | None = None
    refused: str | None = None
    failed: str | None = None


def run() -> None:
    logging.disable()
    renderer = TemplateRenderer()

    def answers(question: RenderQuestion, _: Task) -> Iterator[RenderAnswer]:
        yield _answer(renderer, question.content)

    serve(answers, questions=RenderQuestion)


def _answer(renderer: TemplateRenderer, content: bytes) -> RenderAnswer:
    source, variables = json.loads(content)
    try:
        if isinstance(variables, list):
            return RenderAnswer(content=json.dumps(renderer.attempt(source, variables)).encode())
        return RenderAnswer(content=json.dumps(renderer.render(source, variables)).encode())
    except TemplateRefused as refusal:
        return RenderAnswer(refused=_whole_characters(refusal.message))
    except BadRequest as failure:
        return RenderAnswer(failed=_whole_characters(failure.message))


def _whole_characters(text: str) -> str:
    """A template can quote halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
