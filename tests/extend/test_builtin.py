"""The extensions that come with the program."""

import io
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from extensions.gallery.pictures import Pictures, letter
from modules.hooks import HOOK_NAMES
from modules.library.characters.character import Character
from modules.library.library import Library
from modules.paths import UserData
from modules.requests import Limits, Mode, Persona
from tests.extend.loaded import reply, running, settings_of, write_extension

PERSONA = Persona(mode=Mode.CHAT, character="None", bot_name="Bo", user_name="Al", context="", greeting="")
SHOWS_PROMPT = "def setup(host):\n    @host.hook\n    def reply_text(text, turn):\n        return turn.prompt\n"


def with_yaml(folder: Path, text: str, *names: str) -> Any:
    (folder / "settings.yaml").write_text(text)
    return settings_of(folder, *names)


async def test_long_replies_are_long(tmp_path: Path) -> None:
    async with running(with_yaml(tmp_path, "long_replies-min_length: 9", "long_replies")) as (runtime, _):
        assert (await reply(runtime, "echo: ab")).text == "ab......."
        assert (await reply(runtime, "echo: ab", limits=Limits(max_tokens=3))).text == "ab."


@pytest.mark.parametrize(
    ("yaml", "end"),
    [
        ("character_bias-bias_string: '*grins*'", "Bo: *grins* "),
        ("character_bias-custom_string: '*nods*'", "Bo: *nods* "),
        ("character_bias-activate: false", "Bo:"),
    ],
)
async def test_character_bias_stands_at_the_beginning_of_the_reply(tmp_path: Path, yaml: str, end: str) -> None:
    write_extension(tmp_path, "witness", SHOWS_PROMPT)
    async with running(with_yaml(tmp_path, yaml, "character_bias", "witness")) as (runtime, _):
        assert (await reply(runtime, "hello", persona=PERSONA)).text == f"Al: hello\n{end}"
        assert (await reply(runtime, "hello")).text.endswith("assistant\n")


async def test_the_example_shows_every_hook(tmp_path: Path) -> None:
    yaml = "example-signature: Yours\nexample-answers_itself: true\nexample-serves: true"
    async with running(with_yaml(tmp_path, yaml, "example")) as (runtime, extensions):
        assert all(getattr(extensions.hooks, name) for name in HOOK_NAMES)
        assert (await reply(runtime, "hi")).text.endswith("letters.\n\nYours")
        assert [tool.spec.name for tool in extensions.tools] == ["example_roll"]
        assert extensions.services.names == ("example clock",)
        assert len(extensions.tabs) == len(extensions.blocks) == 1
        with gr.Blocks():
            extensions.tabs[0].build()
            extensions.blocks[0].build()
        assert "example" in extensions.css
        assert "example" in extensions.js


async def test_the_example_changes_nothing_by_itself(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, "example")) as (runtime, extensions):
        assert (await reply(runtime, "echo: hi")).text == "hi"
        assert not extensions.hooks.reply_text


def png(colour: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (900, 300), colour).save(content, "PNG")
    return content.getvalue()


async def test_the_gallery_chooses_a_character(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path, "gallery")) as (runtime, extensions):
        runtime.library.characters.save("Ann", Character("Ann"), picture=png("red"))
        with gr.Blocks() as page:
            menu = gr.Dropdown(["Ann"])
            extensions.offer_components({"character_menu": menu})
            [block] = extensions.blocks
            block.build()
        into_menu = [event for event in page.fns.values() if event.outputs == [menu]]
        assert [event.targets[0][1] for event in into_menu] == ["select"]


def test_pictures_are_small_and_letters_stand_in_for_them(tmp_path: Path) -> None:
    characters = Library(UserData(tmp_path)).characters
    characters.save("Ann", Character("Ann"), picture=png("red"))
    characters.save("Bob", Character("Bob"))
    characters.save("Cid", Character("Cid"), picture=png("blue")[:100])
    pictures = Pictures(characters).first(10)
    assert [name for _, name in pictures] == ["Ann", "Bob", "Cid"]
    assert {picture.size for picture, _ in pictures} == {(256, 256)}
    assert pictures[0][0].getpixel((5, 5)) == (255, 0, 0)
    assert pictures[2][0].tobytes() == letter("Cid").tobytes()
    assert len(Pictures(characters).first(1)) == 1
