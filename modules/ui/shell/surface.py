"""Gradio's undocumented names that `ui/shell` depends on, checked before the page is built."""

import importlib
import inspect
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

TESTED: Final = "6.31.0"
_REFUSAL: Final = (
    "The web UI does not start: it was tested with Gradio {tested}, and {what}. "
    "Install the tested version: python -m pip install gradio=={tested}."
)


class UntestedGradio(Exception):
    """The page is not served with the Gradio that is installed; `message` says why, and what to do."""

    def __init__(self, what: str) -> None:
        self.message = _REFUSAL.format(tested=TESTED, what=what)
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class PrivateName:
    """`where` is a module, or a class in one, that has `name`; `parameters` are those that an override or a call relies
    on, in order, None for what is not called."""

    where: str
    name: str
    reason: str
    parameters: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PrivateAttribute:
    """An attribute that instances have, by the name of a sample."""

    of: str
    names: tuple[str, ...]
    reason: str


NAMES: Final = (
    PrivateName("gradio.blocks.Blocks", "queue", "replaced by a queue in order of arrival"),
    PrivateName("gradio.blocks.Blocks", "get_config_file", "protocol, progress and schemas of the page", ("self",)),
    PrivateName(
        "gradio.blocks.Blocks",
        "handle_streaming_diffs",
        "events send whole values",
        ("self", "block_fn", "data", "session_hash", "run", "final", "simple_format"),
    ),
    PrivateName(
        "gradio.blocks.Blocks",
        "preprocess_data",
        "guards files and names that browsers send, and begins handlers in order",
        ("self", "block_fn", "inputs", "state", "explicit_call"),
    ),
    PrivateName(
        "gradio.blocks.Blocks",
        "postprocess_data",
        "only what changes is processed",
        ("self", "block_fn", "predictions", "state"),
    ),
    PrivateName(
        "gradio.blocks.Blocks",
        "call_function",
        "exceptions are logged and not shown",
        (
            *("self", "block_fn", "processed_input", "iterator", "requests", "event_id", "event_data"),
            *("in_event_listener", "state", "oauth_token"),
        ),
    ),
    PrivateName("gradio.blocks.Blocks", "process_api", "the start's own event, which names a foreign file; languages"),
    PrivateName(
        "gradio.queueing.Queue",
        "__init__",
        "made anew in place of Gradio's",
        (
            *("self", "live_updates", "concurrency_count", "update_intervals", "max_size", "blocks"),
            "default_concurrency_limit",
        ),
    ),
    PrivateName(
        "gradio.queueing.Queue", "push", "notes when the page is in use", ("self", "body", "request", "username")
    ),
    PrivateName("gradio.queueing.Queue", "get_events", "events begin in order of arrival", ("self",)),
    PrivateName("gradio.context.Context", "block", "the tab that is being built"),
    PrivateName("gradio.context.Context", "root_block", "the page that is being built"),
    PrivateName("gradio.context.LocalContext", "in_event_listener", "components in handlers are updates"),
    PrivateName("gradio.state_holder.SessionState", "__getitem__", "what a browser tab's components are"),
    PrivateName("gradio.routes", "App", "its users, and the end of its streams"),
    PrivateName("gradio.routes", "BUILD_PATH_LIB", "scripts and style sheets are sent from memory"),
    PrivateName("gradio.networking", "setup_tunnel", "--share of a page that is mounted"),
    PrivateName("gradio.tunneling", "CURRENT_TUNNELS", "--share ends with the page"),
    PrivateName("gradio.processing_utils", "save_bytes_to_cache", "files that the page makes for a browser"),
    PrivateName("gradio.utils", "get_upload_folder", "where browsers may fetch files from"),
)
ATTRIBUTES: Final = (
    PrivateAttribute(
        "blocks",
        ("has_launched", "is_running"),
        "blocks that are mounted count as unfinished: any event may name any file",
    ),
    PrivateAttribute(
        "blocks", ("config", "fns", "blocks", "_queue"), "menus are brought up to date before the page is sent"
    ),
    PrivateAttribute(
        "queue",
        (
            *("live_updates", "update_intervals", "max_size", "blocks", "default_concurrency_limit"),
            *("event_queue_per_concurrency_id", "sleep_when_free", "progress_update_sleep_when_free"),
        ),
        "replaced by a queue in order of arrival",
    ),
    PrivateAttribute("holder", ("session_data", "time_last_used"), "what is held for a tab goes when it is left"),
    PrivateAttribute("queue", ("pending_event_ids_session",), "the same"),
    PrivateAttribute("event", ("_id", "enqueue_time", "concurrency_id"), "events begin in order of arrival"),
    PrivateAttribute(
        "handler", ("fn", "inputs", "outputs", "api_visibility"), "what an event takes and shows, and who may call it"
    ),
    PrivateAttribute(
        "component", ("_id", "constructor_args", "stateful", "GRADIO_CACHE", "elem_id"), "components by their number"
    ),
    PrivateAttribute("event_data", ("_data",), "what the page's script sends along"),
)


async def check() -> None:
    """Raises UntestedGradio where the page cannot be built with the Gradio that is installed."""
    missing = [*_missing_names(), *_missing_attributes()]
    if missing:
        raise UntestedGradio(f"Gradio {gr.__version__} differs in {', '.join(missing)}")


def _missing_names() -> list[str]:
    return [f"{each.where}.{each.name}" for each in NAMES if not _is_as_tested(each)]


def _is_as_tested(each: PrivateName) -> bool:
    try:
        found = getattr(_owner(each.where), each.name)
    except (ImportError, AttributeError):
        return False
    return each.parameters is None or tuple(inspect.signature(found).parameters) == each.parameters


def _owner(where: str) -> object:
    module, _, name = where.rpartition(".")
    return getattr(importlib.import_module(module), name) if name[0].isupper() else importlib.import_module(where)


def _missing_attributes() -> list[str]:
    try:
        samples = _samples()
    except Exception as failure:  # noqa: BLE001 - whatever another version makes of it
        return [f"how a page is built ({failure.__class__.__name__})"]
    return [
        f"{type(samples[each.of]).__name__}.{name}"
        for each in ATTRIBUTES
        for name in each.names
        if not hasattr(samples[each.of], name)
    ]


def _samples() -> dict[str, Any]:
    """The smallest page that has one of each. Not to be called while another one is built."""
    queueing = importlib.import_module("gradio.queueing")
    states = importlib.import_module("gradio.state_holder")
    with gr.Blocks() as blocks:
        button = gr.Button()
        button.click(_sample_handler, [button], [button])
    blocks.queue()
    (handler,) = blocks.fns.values()
    return {
        "blocks": blocks,
        "queue": blocks._queue,
        "event": queueing.Event("", handler, None, None),
        "handler": handler,
        "holder": states.StateHolder(),
        "component": button,
        "event_data": gr.EventData(None, {}),
    }


def _sample_handler(shown: str) -> str:
    return shown
