"""What every part of the page is built on, passed to it by argument."""

import html
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import gradio as gr
from gradio.components import Component

from modules.chat.tools.toolbox import ToolBox
from modules.engine.types import ModelCard
from modules.errors import ServiceError
from modules.extend.extensions import Extensions
from modules.models.recommended_sampling import RecommendedSampling, recommended_for
from modules.runtime import Runtime
from modules.settings.values import Settings
from modules.ui.page.inputs import Inputs
from modules.ui.page.languages import text
from modules.ui.page.saved_settings import SavedSettings
from modules.ui.replies.active import ActiveReplies
from modules.ui.replies.list_changes import ListChanges

_Value = TypeVar("_Value")
Fill = Callable[[], Awaitable[Mapping[Component, Any]]]

_NOTICE_SECONDS: Final = 20


class Page:
    """Event handlers run on the event loop of the runtime, so they await it directly; what blocks goes to a thread.

    `inputs` collects the components that stand for settings while the tabs are built; `remembered` is what was entered
    in them last, by anybody.
    """

    def __init__(self, runtime: Runtime, extensions: Extensions, tools: ToolBox) -> None:
        self.runtime = runtime
        self.extensions = extensions
        self.tools = tools
        self.inputs = Inputs()
        self.saved_settings = SavedSettings(runtime.settings, self._recommended)
        self.list_changes = ListChanges()
        self.active_replies = ActiveReplies(runtime, tools, self.list_changes)
        self.fills: list[tuple[Fill, list[Component]]] = []
        self.openings: list[tuple[Callable[..., Any], list[Component]]] = []
        self.model_changes: list[tuple[Callable[..., Any], list[Component], list[Component]]] = []
        self.model_choices: list[tuple[Callable[..., Any], list[Component], list[Component]]] = []
        # By name: another text whenever what browsers show of it may not be so any more.
        self.news: dict[str, Callable[[], str]] = {"chats": lambda: self.list_changes.revision}
        self.file_changes: dict[str, list[tuple[Callable[..., Any], list[Component], list[Component]]]] = {}
        # What was chosen last, for chats that have none of their own yet.
        self.chosen_model = ""
        self._closings: list[Callable[[], Awaitable[None]]] = []
        self._connections: list[Callable[[], None]] = []

    @property
    def settings(self) -> Settings:
        """As they were entered last."""
        return self.saved_settings.settings

    def model_card(self, name: str | None) -> ModelCard | None:
        """Of the chat model of that name, or of the one that answers without a name, as far as it is known."""
        runtime = self.runtime
        known = runtime.chat.known_card(name)
        if known is None and name is None and not runtime.models.has_model and runtime.remote:
            known = next(iter(runtime.remote.values())).known_card(None)
        return known.model if known is not None else runtime.models.known_card(name)

    def _recommended(self, name: str | None, is_thinking: bool) -> RecommendedSampling:
        card = self.model_card(name)
        known = card.name if card is not None else name or self.runtime.models.state.name
        return recommended_for(known, card, is_thinking=is_thinking)

    def fill_in(self, fill: Fill, outputs: list[Component]) -> None:
        """Have `fill` say what `outputs` show of the page when it is sent to anybody. None of them may be a State."""
        self.fills.append((fill, outputs))

    def on_open(self, fill: Callable[..., Any], outputs: list[Component]) -> None:
        """Have `fill` called by every browser that has opened the page, for what is the browser's own, takes long or
        goes on. It takes nothing, or Gradio's request."""
        self.openings.append((fill, outputs))

    def answering_model(self, chosen: str) -> str | None:
        """The model of a chat for which `chosen` was chosen, as a request names it. None, which means the one that
        answers without a name, where that is not there any more."""
        chosen = chosen or self.chosen_model
        is_remote = chosen.partition("/")[0] in self.runtime.remote
        return chosen if chosen and (is_remote or self.runtime.models.known_card(chosen) is not None) else None

    def on_model_change(
        self, fill: Callable[..., Any], outputs: list[Component], inputs: list[Component] | None = None
    ) -> None:
        """Have `fill` say what `outputs` show when another model answers, or none any more."""
        self.model_changes.append((fill, inputs or [], outputs))

    def on_model_choice(self, choose: Callable[..., Any], outputs: list[Component], inputs: list[Component]) -> None:
        """Have `choose` called when a model is chosen for what is shown; the event has its `name`."""
        self.model_choices.append((choose, inputs, outputs))

    def on_files_change(
        self, kind: str, fill: Callable[..., Any], outputs: list[Component], inputs: list[Component]
    ) -> None:
        """Have `fill` say what `outputs` show when the settings' page of that kind of file has changed some. To be called
        while the page is built."""
        self.file_changes.setdefault(kind, []).append((fill, inputs, outputs))

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        self._closings.append(close)

    def on_ready(self, connect: Callable[[], None]) -> None:
        """Have `connect` called when all tabs are built, to bind events that need to know the components of others."""
        self._connections.append(connect)

    def connect(self) -> None:
        for connect in self._connections:
            connect()

    async def aclose(self) -> None:
        self.list_changes.close()
        for close in self._closings:
            await close()
        await self.active_replies.aclose()
        await self.saved_settings.aclose()


def failure(message: str) -> gr.Error:
    """What went wrong, as a notice that stays long enough to be read twice. Gradio takes it for HTML."""
    shown = html.escape(text(message), quote=False)
    return gr.Error(shown, title=text("Action failed"), duration=_NOTICE_SECONDS, print_exception=False)


async def notify_errors(work: Awaitable[_Value]) -> _Value:
    """The result of `work`; what went wrong by the program's own account is shown to the user as it is."""
    try:
        return await work
    except ServiceError as error:
        raise failure(error.message) from None
