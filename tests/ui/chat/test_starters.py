"""What an empty chat says and offers."""

from types import SimpleNamespace
from typing import cast

import gradio as gr
import pytest

from modules.settings.values import Settings
from modules.ui.chat.starters import STARTERS, starter, welcome


def test_the_chat_says_where_words_go() -> None:
    assert "stays on this machine" in welcome(Settings())
    told = welcome(Settings().with_changes({"upstream": ("lab=http://127.0.0.1:9/v1",)}))
    assert "stays" not in told
    assert "sent to that server" in told


@pytest.mark.parametrize("value", [None, "x", 3, {}, {"text": None}, {"text": "something else"}, {"text": ["a"]}])
def test_only_what_is_offered_is_put_into_the_box(value: object) -> None:
    assert starter(cast("gr.SelectData", SimpleNamespace(value=value))) == {"text": "", "files": []}


def test_an_offer_is_put_into_the_box() -> None:
    words = STARTERS[0][1]
    chosen = cast("gr.SelectData", SimpleNamespace(value={"text": words, "display_text": "Explain"}))
    assert starter(chosen) == {"text": words, "files": []}
