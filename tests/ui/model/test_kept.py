"""The button that deletes what is kept on disk, over a real runtime."""

from pathlib import Path

import gradio as gr
import pytest

from modules.runtime import Runtime
from modules.ui.model.kept import KeptOnDisk, kept_button
from modules.ui.page.languages import speaking
from tests.backends.kv.disk.states import keep, opened
from tests.models.launches import scripted_settings


@pytest.mark.parametrize(("language", "verb"), [("en", "Delete"), ("de", "löschen")])
async def test_says_how_much_and_deletes_it(tmp_path: Path, language: str, verb: str) -> None:
    with gr.Blocks():
        button = kept_button()
    runtime = Runtime(scripted_settings(tmp_path))
    handlers = KeptOnDisk(runtime.kept_prefixes, button)
    with speaking(language):
        assert not (await handlers.shown())[button]["visible"]
        root = runtime.data.cache / "prefixes"
        keep(opened(root), [1, 2, 3], filling=bytes(4000))
        shown = (await handlers.shown())[button]
        assert shown["visible"]
        assert verb in shown["value"]
        assert "(4 KiB)" in shown["value"]
        assert not (await handlers.deleted())[button]["visible"]
    assert not list(root.glob("*.kv"))
