"""Which chat template a conversation is written with, and in which process it is rendered."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modules.engine.types import ModelCard
from modules.library.library import Library
from modules.library.templates import DEFAULT_TEMPLATE
from modules.prompt.templates.isolated import IsolatedRenderer
from modules.prompt.templates.render import TemplateRenderer
from modules.requests import TemplateChoice
from modules.settings.values import Settings


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A Jinja template, and the texts at which the next turn of its format would begin.

    `param` is the request field that it came in, None for templates of this machine's own files and models.
    """

    source: str
    stop: tuple[str, ...] = ()
    param: str | None = None


# A dialogue as a script writes it: one line for each turn.
DIALOGUE: Final = ChatTemplate(
    source=(
        "{%- for message in messages -%}"
        "{%- if message.role == 'system' -%}"
        "{%- if message.content -%}{{- message.content ~ ('\\n\\n' if loop.first else '\\n') -}}{%- endif -%}"
        "{%- if loop.first and user_bio -%}{{- user_bio ~ '\\n\\n' -}}{%- endif -%}"
        "{%- elif message.role == 'user' -%}"
        "{{- name1 ~ ': ' ~ message.content ~ '\\n' -}}"
        "{%- elif message.role == 'tool' -%}"
        "{{- '[Tool result: ' ~ message.content ~ ']\\n' -}}"
        "{%- else -%}"
        "{%- if message.content or not message.tool_calls -%}"
        "{{- name2 ~ ': ' ~ message.content ~ '\\n' -}}"
        "{%- endif -%}"
        "{%- for call in message.tool_calls or () -%}"
        "{{- '[Calling: ' ~ call.function.name ~ '(' ~ call.function.arguments ~ ')]\\n' -}}"
        "{%- endfor -%}"
        "{%- endif -%}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- name2 ~ ':' -}}{%- endif -%}"
    ),
)


class TemplateSelector:
    """Finds the instruction template for a request: what the request says, then what the operator chose, then what
    belongs to the model."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings

    def choose(self, card: ModelCard, wanted: TemplateChoice) -> ChatTemplate:
        """Reads files. Raises BadRequest for a name that there is no template of."""
        if wanted.source:
            return ChatTemplate(wanted.source, param="instruction_template_str")
        return ChatTemplate(self._named(wanted) or self._of_operator(card) or self._of_model(card))

    def _named(self, choice: TemplateChoice) -> str | None:
        return None if choice.name is None else self._library.templates.read(choice.name)

    def _of_operator(self, card: ModelCard) -> str | None:
        if self._settings.chat_template_file is not None:
            return self._library.templates.read_file(self._settings.chat_template_file)
        if card.instruction_template:
            return card.instruction_template
        saved = self._library.model_settings.own_template(card.name)
        return None if saved is None else self._library.templates.read(saved)

    def _of_model(self, card: ModelCard) -> str:
        if card.chat_template:
            return card.chat_template
        suggested = self._library.model_settings.suggested_template(card.name)
        return self._library.templates.read(suggested or DEFAULT_TEMPLATE)


class Rendering:
    """Renders off the event loop. `aclose` ends the process for request templates, if one runs."""

    def __init__(self) -> None:
        self._own = TemplateRenderer()
        self._isolated = IsolatedRenderer()

    async def render(self, template: ChatTemplate, variables: Mapping[str, Any]) -> str:
        """Raises TemplateRefused, or BadRequest that says what is wrong with the template."""
        if template.param is not None:
            return await self._isolated.render(template.source, variables, param=template.param)
        return await asyncio.to_thread(self._own.render, template.source, variables)

    async def attempt(self, template: ChatTemplate, conversations: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """One text for each of several small `conversations`, given as variables; None where the template refuses one
        or does not work with it. Raises TemplateKilled."""
        if template.param is not None:
            return await self._isolated.attempt(template.source, conversations, param=template.param)
        return await asyncio.to_thread(self._own.attempt, template.source, conversations)

    async def aclose(self) -> None:
        await self._isolated.aclose()
