"""Where templates run: those of this machine on worker threads, those that come in requests in a process of their own."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from modules.prompt.templates.choice import ChatTemplate
from modules.prompt.templates.foreign import ForeignRenderer
from modules.prompt.templates.render import TemplateRenderer


class Rendering:
    """Renders off the event loop. `aclose` ends the process for request templates, if one runs."""

    def __init__(self) -> None:
        self._own = TemplateRenderer()
        self._foreign = ForeignRenderer()

    async def render(self, template: ChatTemplate, variables: Mapping[str, Any]) -> str:
        """Raises TemplateRefused, or BadRequest that says what is wrong with the template."""
        if template.param is not None:
            return await self._foreign.render(template.source, variables, param=template.param)
        return await asyncio.to_thread(self._own.render, template.source, variables)

    async def attempt(self, template: ChatTemplate, conversations: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """One text for each of several small `conversations`, given as variables; None where the template refuses one
        or does not work with it. Raises TemplateKilled."""
        if template.param is not None:
            return await self._foreign.attempt(template.source, conversations, param=template.param)
        return await asyncio.to_thread(self._own.attempt, template.source, conversations)

    async def aclose(self) -> None:
        await self._foreign.aclose()
