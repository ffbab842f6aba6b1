"""Values and choices that are known before the page is opened, sent with the page itself."""

import asyncio
import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final, TypeGuard

import gradio as gr
from gradio.components import Component
from gradio.context import LocalContext
from gradio.state_holder import SessionState

from modules.ui.page.page import Fill
from modules.ui.shell.blocks import PageBlocks

_log = logging.getLogger(__name__)

Shown = Mapping[Component, Any]
_UPDATE: Final = "__type__"


class InitialValues:
    """Gradio sends a page as it was built, and has every browser ask for what has changed since: the page is there, and
    a moment later all of its menus are made again, closing those that were opened meanwhile. Here, what was built is
    brought up to date before it is sent, for all browsers and for the checks of what they send back."""

    def __init__(self, blocks: PageBlocks, fills: list[tuple[Fill, list[Component]]]) -> None:
        """`fills` return what their components are to show, as handlers of events do."""
        self._blocks = blocks
        self._fills = fills
        self._session = SessionState(blocks)
        self._said: dict[Component, dict[str, Any]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._revision = 0

    @property
    def revision(self) -> int:
        """Another number whenever the page holds something else."""
        return self._revision

    async def refresh(self) -> None:
        """Takes what there is now. Where that fails, the page stays as it was, and the log says why."""
        async with self._one_at_a_time:
            for fill, outputs in self._fills:
                try:
                    await self._refresh(await _filled(fill), outputs)
                except gr.Error as error:
                    _log.warning("the page could not be updated: %s", error.message)
                except Exception:  # noqa: BLE001 - whatever broke, the rest of the page can be used
                    _log.exception("a part of the page could not be filled in")

    async def _refresh(self, values: Shown, outputs: list[Component]) -> None:
        """Gradio needs long to show a value; most are what they were at the last visit."""
        said = {component: _said(value) for component, value in values.items()}
        new = [each for each in outputs if each in said and self._is_new(each, said[each])]
        if not new:
            return
        event = SimpleNamespace(outputs=new, batch=False, is_validator_function=False, postprocess=True, name="fill")
        shown = await self._blocks.postprocess_data(
            event, [values[each] for each in new] if len(new) > 1 else values[new[0]], self._session
        )
        for component, value in zip(new, shown, strict=True):
            self._said[component] = self._said.get(component, {}) | said[component]
            if value != gr.skip():
                self._keep(component, value if _is_update(value) else {"value": value}, said[component])

    def _is_new(self, component: Component, said: Mapping[str, Any]) -> bool:
        before = self._said.get(component, {})
        return any(name not in before or before[name] != value for name, value in said.items())

    def _keep(self, component: Component, update: dict[str, Any], said: dict[str, Any]) -> None:
        """In what is sent, and in the component: new sessions check what browsers send by that one."""
        (entry,) = (each for each in self._blocks.config["components"] if each["id"] == component._id)
        changed = {name: value for name, value in update.items() if name != _UPDATE}
        self._revision += 1
        props = entry["props"]
        if "props" in changed:
            changed["props"] = props.get("props", {}) | changed["props"]
        # Another thread may be sending it: one that reads it sees the old one or the new one.
        entry["props"] = props | changed
        made: Any = self._session[component._id]
        for name in changed.keys() - {"props"}:
            setattr(component, name, changed[name] if name == "value" else getattr(made, name))
        component.constructor_args.update({name: value for name, value in said.items() if name != "value"})


async def _filled(fill: Fill) -> Shown:
    """As an event would have it: what it makes there are no components, but what is to be said of some."""
    outside = LocalContext.in_event_listener.set(True)
    try:
        return await fill()
    finally:
        LocalContext.in_event_listener.reset(outside)


def _said(value: object) -> dict[str, Any]:
    """What a handler said of a component, so that it can be compared."""
    if isinstance(value, gr.blocks.Block):
        return dict(value.constructor_args)
    return {name: each for name, each in value.items() if name != _UPDATE} if _is_update(value) else {"value": value}


def _is_update(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and value.get(_UPDATE) == "update"
