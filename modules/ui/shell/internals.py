"""What the tabs and the server need of Gradio's internals; each name is listed in `surface.py`."""

import os
import shutil
from copy import copy
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.context import Context
from gradio.processing_utils import save_bytes_to_cache
from gradio.routes import App
from gradio.state_holder import SessionState
from starlette.routing import Mount


def current_tab() -> gr.Tab:
    """The one that is being built."""
    tab = Context.block
    assert isinstance(tab, gr.Tab)
    return tab


def current_page() -> gr.Blocks:
    """The blocks that are being built."""
    blocks = Context.root_block
    assert isinstance(blocks, gr.Blocks)
    return blocks


def sent_data(event: gr.EventData) -> Any:  # noqa: ANN401 - whatever the page's script sends along
    return event._data


def cache_folder(component: Any) -> str:  # noqa: ANN401 - Gradio has no types
    """Where files of the component lie that browsers may fetch."""
    return str(component.GRADIO_CACHE)


def kept_file(content: bytes, name: str, folder: str) -> str:
    """The path of a new file in `folder`, one of `cache_folder`."""
    return str(save_bytes_to_cache(content, name, folder))


def upload_folder() -> Path:
    """Gradio's own folder, from which alone it serves files."""
    folder = Path(gr.utils.get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def gradio_app(app: FastAPI) -> App:
    """Gradio's app, which is mounted in `app`."""
    (found,) = (route.app for route in app.routes if isinstance(route, Mount) and isinstance(route.app, App))
    return found


def forget_session(app: FastAPI, session: str) -> None:
    """What Gradio knows of a browser tab: its components and states, and messages that nobody will fetch."""
    gradio = gradio_app(app)
    holder, queue = gradio.state_holder, gradio.get_blocks()._queue
    for kept in (holder.session_data, holder.time_last_used, queue.pending_event_ids_session):
        kept.pop(session, None)


def use_own_folder(folder: Path) -> None:
    """Uploads lie there until the next start. Gradio takes this from the environment of the process alone."""
    shutil.rmtree(folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder.absolute())
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # After every event, Gradio would make up statistics of the last thousands that nobody sees.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"


async def takes_foreign_files(blocks: gr.Blocks) -> bool:
    """Whether an event may name a file that was not uploaded. The event takes what messages can hold, and does nothing."""
    probe = _copied(next(each for each in blocks.fns.values() if _files_of(each)))
    file = {"path": __file__, "meta": {"_type": "gradio.FileData"}}
    values = [{"text": "", "files": [file]} for _ in probe.inputs]
    try:
        await blocks.process_api(probe, values, state=SessionState(blocks))
    except gr.Error:
        return False
    return True


def _files_of(handler: Any) -> list[object]:  # noqa: ANN401 - Gradio has no types
    return [each for each in handler.inputs if isinstance(each, gr.MultimodalTextbox)]


def _copied(handler: Any) -> Any:  # noqa: ANN401 - Gradio has no types
    probe = copy(handler)
    probe.fn, probe.inputs, probe.outputs = _nothing, _files_of(handler), []
    probe.inputs_as_dict = False
    return probe


async def _nothing(_: object) -> None:
    """In place of what the event would do."""
