"""A hardened `gr.Blocks`: serves uploaded files only, fetches no URLs, logs errors."""

import logging
from collections.abc import Iterable, Mapping
from copy import copy
from itertools import pairwise
from typing import Any, Final

import gradio as gr
from gradio.queueing import Queue
from typing_extensions import override

from modules.ui.page.languages import language_of, speaking, translated
from modules.ui.page.menus import SentNames
from modules.ui.page.page import failure
from modules.ui.shell.queue import EventQueue
from modules.ui.shell.turns import Turns

_log = logging.getLogger(__name__)
_UNREADABLE: Final = "Invalid request. Reload the page and try again."
_BROKE_DOWN: Final = "Unexpected error. See the log."

_SCHEMAS: Final = frozenset({"api_info", "api_info_as_input", "api_info_as_output", "example_inputs", "skip_api"})


class PageBlocks(gr.Blocks):  # type: ignore[misc]  # Gradio has no types
    @override
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._turns = Turns()

    def begin_use(self) -> None:
        """Gradio takes blocks that are mounted, and never launched by itself, as still being built. As long as it does,
        an event may name any file of this machine as one that was uploaded, and pictures in SVG count as the program's
        own."""
        self.has_launched = self.is_running = True

    @override
    def queue(self, **options: Any) -> "PageBlocks":
        super().queue(**options)
        made: Queue = self._queue  # type: ignore[has-type]
        self._queue = EventQueue(made)
        return self

    @override
    def get_config_file(self, **more: Any) -> dict[str, Any]:
        """With the protocol that sends values whole. In the others, browsers write the differences into values that
        the page has not shown yet: what two quick steps of an event say of a component's looks is lost.

        An event that shows no progress names no components for it either: whenever the state of any event changes,
        browsers update the progress of all that ever were named, one by one.

        Nor does a browser hold a connection open for each of its tabs, of which it has six: a tab says when it is left.

        Schemas of components are for the documentation of events that programs may call: a quarter of the page."""
        config: dict[str, Any] = super().get_config_file(**more)
        for event in config["dependencies"]:
            if event["show_progress"] == "hidden":
                event["show_progress_on"] = []
        config["dependencies"] = _cancelling_first(config["dependencies"])
        callable_parts = self._parts_of_callable_events()
        for component in config["components"]:
            if component["id"] not in callable_parts:
                for name in _SCHEMAS & component.keys():
                    del component[name]
        return config | {"protocol": "sse_v1", "connect_heartbeat": False}

    def _parts_of_callable_events(self) -> set[int]:
        """The page has none; extensions may."""
        events = [event for event in self.fns.values() if event.api_visibility != "private"]
        return {part._id for event in events for part in (*event.inputs, *event.outputs)}

    @override
    async def process_api(
        self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None, **more: Any
    ) -> dict[str, Any]:
        """In the language of whose event it is."""
        headers = getattr(request, "headers", None) or {}
        cookies = getattr(request, "cookies", None) or {}
        with speaking(language_of(cookies, headers.get("accept-language", ""))):
            result: dict[str, Any] = await super().process_api(block_fn, inputs, state, request, **more)
        return result

    @override
    def handle_streaming_diffs(
        self,
        block_fn: Any,
        data: list[Any],
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
        **more: Any,
    ) -> list[Any]:
        whole: list[Any] = super().handle_streaming_diffs(
            block_fn, data, session_hash, run, final=final, simple_format=True, **more
        )
        return whole

    @override
    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False, **more: Any
    ) -> list[Any]:
        """What was entered may be a secret or a prompt: what is wrong with it is not for the log."""
        async with self._turns.preparing(block_fn, state):
            return await self._preprocessed(block_fn, inputs, state, explicit_call, more)

    async def _preprocessed(
        self,
        block_fn: Any,  # noqa: ANN401 - Gradio has no types
        inputs: list[Any],
        state: object,
        explicit_call: bool,
        more: Mapping[str, Any],
    ) -> list[Any]:
        if _names_address(inputs):
            raise failure(_UNREADABLE)
        try:
            texts = _text_of(inputs)
            sent = SentNames.among(block_fn.inputs, texts)
            processed: list[Any] = await super().preprocess_data(
                block_fn, sent.left_out_of(texts), state, explicit_call, **more
            )
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception:  # noqa: BLE001 - whatever Gradio makes of values that no browser sends
            raise failure(_UNREADABLE) from None
        return sent.put_into(processed)

    @override
    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any, **more: Any) -> list[Any]:
        """Gradio makes components anew, with their schemas, where they are not to change, too: at each step of a reply,
        for all that an event might show. Here only those that change are gone through."""
        values = _by_output(block_fn.outputs, predictions)
        if values is None and len(block_fn.outputs) == 1:
            predictions = translated(predictions, block_fn.outputs[0].get_block_name())
        if values is None:
            whole: list[Any] = await super().postprocess_data(block_fn, predictions, state, **more)
            return whole
        # Asked once: Gradio takes values out of updates, and what is left of one may look like nothing to change.
        skips = [_is_skip(value) for value in values]
        kinds = [each.get_block_name() for each in block_fn.outputs]
        values = [translated(value, kind) for value, kind in zip(values, kinds, strict=True)]
        changing = copy(block_fn)
        changing.outputs = [each for each, skip in zip(block_fn.outputs, skips, strict=True) if not skip]
        rest = [value for value, skip in zip(values, skips, strict=True) if not skip]
        shown = iter(
            await super().postprocess_data(changing, rest[0] if len(rest) == 1 else rest, state, **more) if rest else ()
        )
        return [
            next(shown) if not skip else None if each.stateful else gr.skip()
            for each, skip in zip(block_fn.outputs, skips, strict=True)
        ]

    @override
    async def call_function(self, block_fn: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """A handler that shows nothing new returns an empty mapping, whatever its outputs are."""
        for event in args:
            if isinstance(event, gr.EventData):
                event._data = _text_of(event._data)
        try:
            with self._turns.starting():
                result: dict[str, Any] = await super().call_function(block_fn, *args, **kwargs)
        except gr.Error:
            raise
        except Exception:  # noqa: BLE001 - it is a stranger to the page, whatever it is
            _log.exception("an event handler of the page failed")
            raise failure(_BROKE_DOWN) from None
        if result["prediction"] == {} and block_fn.outputs:
            unchanged = [gr.skip() for _ in block_fn.outputs]
            result["prediction"] = unchanged if len(unchanged) > 1 else unchanged[0]
        return result


def _by_output(outputs: list[Any], predictions: object) -> list[Any] | None:
    """What a handler has returned, output by output; None for what is not several values, or not theirs."""
    if isinstance(predictions, Mapping) and predictions and predictions.keys() <= set(outputs):
        return [predictions.get(each, gr.skip()) for each in outputs]
    is_list = isinstance(predictions, list | tuple) and len(outputs) > 1 and len(predictions) == len(outputs)
    return list(predictions) if is_list and isinstance(predictions, list | tuple) else None


def _is_skip(value: object) -> bool:
    return isinstance(value, dict) and value == gr.skip()


def _cancelling_first(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gradio makes what an event cancels an event of its own, which browsers come to when the first one is over: by then
    it would end what was begun after it."""
    kept = events[:1]
    for event, canceller in pairwise(events):
        if canceller["types"]["cancel"] and canceller["targets"] == event["targets"]:
            event["cancels"] = canceller["cancels"]
        else:
            kept.append(canceller)
    return kept


def _names_address(value: object) -> bool:
    """Whether a file is an address, which Gradio would fetch."""
    if isinstance(value, Mapping):
        return _is_address(value.get("path")) or _names_address(value.values())
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return any(map(_names_address, value))
    return False


def _is_address(path: object) -> bool:
    return isinstance(path, str) and "://" in path


def _text_of(value: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
    """Browsers may send half a character, which no answer could hold; it is replaced."""
    if isinstance(value, str):
        return value if _is_text(value) else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_text_of(key): _text_of(each) for key, each in value.items()}
    return [_text_of(each) for each in value] if isinstance(value, list) else value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
