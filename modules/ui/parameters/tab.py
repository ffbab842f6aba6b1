"""The inspector's Sampling tab: presets, sampling, length and grammars."""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from typing import Final

import gradio as gr
from gradio.components import Component

from modules.engine.types import ModelCard
from modules.errors import ServiceError
from modules.library.presets import PRESET_KEYS
from modules.models.recommended_sampling import RECOMMENDABLE
from modules.sampling import Sampling
from modules.settings.values import Settings
from modules.ui.page.languages import text
from modules.ui.page.page import Page, notify_errors
from modules.ui.page.saved_settings import SavedSettings
from modules.ui.parameters.fields import (
    FIELDS,
    LENGTH,
    MAIN,
    MORE,
    REPLY,
    ParameterField,
    ParameterGroup,
    build_field,
    refilled,
)
from modules.ui.parameters.menu import QUIET, Entered, FileMenu, Shown
from modules.ui.parameters.order import build_order, reordered
from modules.ui.replies.requests import banned_tokens, stop_strings
from modules.ui.shell.internals import sent_data

_NEUTRAL: Final = Sampling()
# What the settings take as it is and only a request reads is looked at as soon as it is entered.
_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "custom_stopping_strings": stop_strings,
    "custom_token_bans": banned_tokens,
}
RECOMMENDED: Final = "Recommended for this model"
_ORDER: Final = "sampler_priority"
_THINKING: Final = "enable_thinking"
_AT_HAND: Final = "temperature"
_SAME: Final = "(value) => value"
_LAST: Final = "temperature_last"
_GRAMMAR: Final = "grammar_string"
# One event for all fields: browsers take long to open a page that has one for each. A slider that is dragged, and a text
# that is being written, change when they are let go.
_WATCH: Final = """
element.closest('#inspector').addEventListener('change', (event) => {
  const field = event.target.closest('[id^="parameter-"], #grammar');
  // Once the field has taken what was entered for its value.
  if (field) setTimeout(() => trigger('submit', { field: field.id }));
});
"""
_DIFFERING: Final = """
window.differing.apply(props.value);
watch('value', () => window.differing.apply(props.value));
"""


def build_sampling(page: Page, at_hand: Component) -> None:
    """To be called within the inspector's tab. `at_hand` is a second field for the temperature, in another tab."""
    page.on_ready(ParametersTab(page, at_hand).connect)


class ParametersTab:
    """The components, and what happens on their events. What is entered is remembered as soon as it is whole."""

    def __init__(self, page: Page, at_hand: Component) -> None:
        self._page = page
        self._at_hand = at_hand
        self._fields: dict[str, Component] = {}
        # Of the chosen preset, once it has been read.
        self._preset_values: Mapping[str, object] | None = None
        self._watch = gr.HTML(html_template="", js_on_load=_WATCH, elem_id="parameters-watch")
        presets = page.runtime.library.presets
        self.presets = FileMenu(
            page,
            presets,
            "preset",
            self.load_preset,
            self._save_preset,
            chosen=self._chosen_preset,
            fixed=[RECOMMENDED],
        )
        with self.presets.buttons:
            self._restore = gr.Button(
                "Reset to preset", size="sm", elem_classes="quiet-button", elem_id="restore-preset"
            )
            self._neutralize = gr.Button("Neutralize", size="sm", elem_classes="quiet-button", elem_id="neutralize")
        self._source = gr.Markdown(source_text(page.saved_settings), elem_id="sampling-source")
        self._differing = gr.HTML(
            "[]", html_template="", js_on_load=_DIFFERING, elem_id="parameters-differing", visible=True
        )
        self._build(MAIN)
        self._build(LENGTH, is_open=True)
        for group in MORE:
            self._build(group)
        self._build_order()
        self.grammars = self._build_grammar()
        self._build(REPLY)
        self._fits = gr.Checkbox(
            True,
            label="Hide parameters that the loader does not support",
            elem_id="fits",
            elem_classes="expert",
            container=False,
        )

    def connect(self) -> None:
        order, last = self._fields[_ORDER], self._fields[_LAST]
        self._watch.submit(self.noted, set(self._all), self._told, trigger_mode="multiple", **QUIET)
        self._connect_at_hand()
        order.input(self.ordered, [order], self._told, trigger_mode="always_last", **QUIET)
        if _THINKING in self._page.inputs:
            switch = self._page.inputs[_THINKING]
            switch.input(self.thinking, [switch], self._recommendable, trigger_mode="always_last", **QUIET)
        self._page.on_model_change(self.followed, self._recommendable)
        last.change(_marked, [last], [order], **QUIET)
        self._connect_presets()
        grammar = self._fields[_GRAMMAR]
        self.grammars.connect([grammar], {grammar})
        self._fits.input(self.fitting, [self._fits], self._sampling_fields, **QUIET)
        filled = [*self.presets.components, *self.grammars.components, *self._told, *self._all]
        self._page.fill_in(self.opened, filled)

    async def opened(self) -> Shown:
        """What there is on disk, and what a list or a slider needs to know beside its value."""
        settings = self._page.settings
        await self._read_preset(settings.preset)
        return {
            **await self.presets.listed(self._chosen_preset),
            **await self.grammars.listed(None),
            **self._refilled(settings, [_ORDER, *FIELDS]),
        }

    async def followed(self) -> Shown:
        """What is recommended for the model that answers now, where the parameters follow it."""
        if not self._page.saved_settings.follows_model:
            return {}
        return self._refilled(self._page.settings, RECOMMENDABLE)

    async def thinking(self, is_on: bool) -> Shown:
        """The model was told to think, or not to: other values may be recommended."""
        await notify_errors(self._noted(_THINKING, is_on))
        return await self.followed()

    async def load_preset(self, name: str) -> Shown:
        """The file's values, and neutral ones for what it leaves out, or what is recommended for the model. Raises
        BadRequest."""
        if name == RECOMMENDED:
            return self._refilled(self._page.saved_settings.follow_model(), PRESET_KEYS)
        values = await asyncio.to_thread(self._page.runtime.library.presets.read, name)
        self._preset_values = {**_neutral(), **values}
        return self._unfollowed({**self._preset_values, "preset": name})

    async def neutralize(self) -> Shown:
        return await notify_errors(self._neutralized())

    async def restore(self, name: str | None) -> Shown:
        """The chosen preset as it is on disk."""
        return await notify_errors(self._restored(name))

    async def fitting(self, only_used: bool) -> Shown:
        """The fields that the loaded model's backend has, or all."""
        unsupported = unused_fields(self._page.runtime.models.state.card) if only_used else frozenset()
        return {self._fields[name]: gr.update(visible=name not in unsupported) for name in _SAMPLED}

    async def noted(self, entered: Entered, event: gr.EventData) -> Shown:
        """A value was entered by hand."""
        sent = sent_data(event)
        field = sent.get("field") if isinstance(sent, dict) else None
        for name, component in self._fields.items():
            if component.elem_id == field:
                await notify_errors(self._noted(name, entered[component]))
        return self._sources()

    async def at_hand(self, temperature: object) -> Shown:
        """The temperature was entered beside the chat."""
        await notify_errors(self._noted(_AT_HAND, temperature))
        return self._sources()

    async def ordered(self, order: object) -> Shown:
        """The samplers were put in another order."""
        await notify_errors(self._noted(_ORDER, order))
        return self._sources()

    @property
    def _all(self) -> list[Component]:
        return [*self._fields.values(), self._at_hand]

    @property
    def _recommendable(self) -> list[Component]:
        return [*self._told, self._at_hand, *(self._fields[name] for name in RECOMMENDABLE)]

    @property
    def _chosen_preset(self) -> str:
        return RECOMMENDED if self._page.saved_settings.follows_model else self._page.settings.preset

    @property
    def _sampling_fields(self) -> list[Component]:
        return [self._fields[name] for name in _SAMPLED]

    def _build(self, group: ParameterGroup, *, is_open: bool = False) -> None:
        if not group.title:
            self._add_fields(group.fields)
            return
        with gr.Accordion(group.title, open=is_open, elem_classes=[] if is_open else ["expert"]):
            self._add_fields(group.fields)

    def _add_fields(self, fields: tuple[ParameterField, ...]) -> None:
        for field in fields:
            self._fields[field.name] = build_field(self._page, field)

    def _build_grammar(self) -> FileMenu:
        with gr.Accordion("Grammar", open=False, elem_classes="expert"):
            grammars = self._page.runtime.library.grammars
            menu = FileMenu(self._page, grammars, "grammar", self._open_grammar, self._save_grammar)
            text = gr.Textbox(
                self._page.settings.grammar_string,
                label="GBNF grammar",
                info="Constrains replies; empty for none.",
                lines=8,
                max_lines=24,
                elem_id="grammar",
                elem_classes="source",
            )
            self._fields[_GRAMMAR] = self._page.inputs.add(_GRAMMAR, text)
        return menu

    def _build_order(self) -> None:
        with gr.Accordion("Sampler order", open=False, elem_classes="expert"):
            self._add_fields((ParameterField(_LAST),))
            self._fields[_ORDER] = build_order(self._page)

    def _connect_at_hand(self) -> None:
        """Both fields follow each other within the browser: the next message is asked for with what either shows."""
        field = self._fields[_AT_HAND]
        self._at_hand.input(None, [self._at_hand], [field], js=_SAME, **QUIET)
        self._at_hand.input(self.at_hand, [self._at_hand], self._told, trigger_mode="always_last", **QUIET)
        field.input(None, [field], [self._at_hand], js=_SAME, **QUIET)

    def _connect_presets(self) -> None:
        sampled = {self._fields[name] for name in PRESET_KEYS}
        shown = [*self.presets.components, *self._told]
        self.presets.connect([*self._told, *self._all], sampled)
        self._restore.click(self.restore, [self.presets.menu], [*shown, *self._all], **QUIET)
        self._neutralize.click(self.neutralize, None, [*shown, *self._all], **QUIET)

    async def _noted(self, name: str, value: object) -> None:
        self._page.saved_settings.set_by_hand(name, value)
        if name in _READERS:
            _READERS[name](str(value))

    async def _neutralized(self) -> Shown:
        self._preset_values = None
        return {
            **self._unfollowed({**_neutral(), "preset": ""}),
            **await self.presets.listed(None),
            self.presets.name: "",
        }

    async def _restored(self, name: str | None) -> Shown:
        return await self.load_preset(name) if name else await self._neutralized()

    async def _save_preset(self, name: str, entered: Entered) -> None:
        values = {key: entered[self._fields[key]] for key in PRESET_KEYS}
        sampling = self._page.saved_settings.checked(values).sampling
        await asyncio.to_thread(self._page.runtime.library.presets.save, name, sampling)
        self._preset_values = values
        self._page.saved_settings.leave_model({**values, "preset": name})

    async def _open_grammar(self, name: str) -> Shown:
        return self._changed({_GRAMMAR: await asyncio.to_thread(self._page.runtime.library.grammars.read, name)})

    async def _save_grammar(self, name: str, entered: Entered) -> None:
        source = str(entered[self._fields[_GRAMMAR]])
        await asyncio.to_thread(self._page.runtime.library.grammars.save, name, source)

    def _changed(self, values: Mapping[str, object]) -> Shown:
        """The components of what is new, once it is the page's. Raises SettingsError."""
        return self._refilled(self._page.saved_settings.remember(values), values)

    def _unfollowed(self, values: Mapping[str, object]) -> Shown:
        """As `_changed`, for values that hold whatever is recommended for the model."""
        return self._refilled(self._page.saved_settings.leave_model(values), values)

    @property
    def _told(self) -> list[Component]:
        return [self._source, self._differing]

    def _sources(self) -> Shown:
        names = differing(self._page.saved_settings, self._preset_values)
        return {self._source: source_text(self._page.saved_settings), self._differing: json.dumps(names)}

    async def _read_preset(self, name: str) -> None:
        if not name or self._preset_values is not None:
            return
        try:
            values = await asyncio.to_thread(self._page.runtime.library.presets.read, name)
        except ServiceError:
            return
        self._preset_values = {**_neutral(), **values}

    def _refilled(self, settings: Settings, names: Collection[str]) -> Shown:
        shown: Shown = {self._fields[name]: refilled(FIELDS[name], settings) for name in names if name in FIELDS}
        if _ORDER in names:
            shown |= {
                self._fields[_LAST]: gr.Checkbox(value=settings.temperature_last),
                self._fields[_ORDER]: reordered(settings),
            }
        if _AT_HAND in names:
            shown[self._at_hand] = refilled(FIELDS[_AT_HAND], settings)
        if _GRAMMAR in names:
            shown[self._fields[_GRAMMAR]] = gr.Textbox(value=settings.grammar_string)
        return shown | self._sources()


def source_text(saved: SavedSettings) -> str:
    """Where the sampling parameters come from, in Markdown."""
    if not saved.follows_model:
        return ""
    own = [FIELDS[name].title if name in FIELDS else name for name in saved.own_sampling]
    changed = f" Changed by you: {', '.join(own)}." if own else ""
    return text("Recommended values come from {source}.{changed}", source=saved.recommended.source, changed=changed)


def differing(saved: SavedSettings, preset: Mapping[str, object] | None) -> list[str]:
    """The sampling parameters that are not as the chosen preset, or what is recommended, has them."""
    if saved.follows_model:
        return list(saved.own_sampling)
    chosen = saved.checked(preset or {})
    return [name for name in preset or {} if getattr(saved.settings, name) != getattr(chosen, name)]


def unused_fields(card: ModelCard | None) -> frozenset[str]:
    """The sampling fields that the loaded model's backend ignores."""
    return frozenset() if card is None else frozenset(card.unsupported)


_SAMPLED: Final = tuple(name for name, field in FIELDS.items() if field.is_sampling)


def _neutral() -> dict[str, object]:
    return {key: getattr(_NEUTRAL, key) for key in PRESET_KEYS}


async def _marked(last: bool) -> gr.HTML:
    return gr.HTML(last=last)
