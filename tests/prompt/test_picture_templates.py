"""Pictures stand in the prompts of 70 real models' templates where the templates themselves would write them; a text of the
user's that looks like a picture's token stays text."""

from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest

from modules.messages import AudioPart, ImagePart, Message, Part, Role, TextPart
from modules.prompt.templates.abilities import TemplateAbilities
from modules.prompt.templates.choice import ChatTemplate, Rendering
from modules.prompt.templates.render import TemplateRenderer
from modules.requests import MARKER, Mode, Persona
from tests.daily import some_daily
from tests.model_files import template_files
from tests.prompt.prompting import bot, built, chat, user
from tests.scripted import scripted_card

TEMPLATES: Final = pytest.mark.parametrize("path", some_daily(template_files(), every=3, ids=lambda path: path.stem))
# What each of them writes for a picture.
TOKENS: Final = MappingProxyType(
    {
        "Apriel-1.6-15b-Thinker-fixed": "[IMG]",
        "Kimi-K2-Instruct": "<|media_start|>image<|media_content|><|media_pad|><|media_end|>",
        "Kimi-K3": "<|kimi_image_placeholder|>",
        "LFM2.5-8B-A1B": "<image>",
        "MiniMax-M3": "]<]image[>[",
        "Mistral-Small-3.2-24B-Instruct-2506": "[IMG]",
        "Qwen3.5-4B": "<|vision_start|><|image_pad|><|vision_end|>",
        "StepFun3.5-Flash": "<im_patch>",
        "google-gemma-4-31B-it": "<|image|>",
        "mistralai-Ministral-3-14B-Reasoning-2512": "[IMG]",
        "muse-glimmer": "<|patch|>",
        "unsloth-Apriel-1.5": "[IMG]",
        "unsloth-mistral-Devstral-Small-2507": "[IMG]",
    }
)
ONE, OTHER = ImagePart("data:,1"), ImagePart("data:,2")
# Some templates trim each text.
WORDS: Final = ("kq1look", "kq2and", "kq3what")


def read(path: Path) -> str:
    return path.read_text("utf-8")


def looking(*parts: Part) -> Message:
    return Message(role=Role.USER, parts=parts)


def mixed() -> Message:
    one, two, three = map(TextPart, WORDS)
    return looking(one, ONE, two, OTHER, three)


def card(source: str, **more: Any) -> Any:
    return scripted_card(chat_template=source, modalities=("text", "image", "audio"), **more)


@TEMPLATES
async def test_each_picture_stands_once_and_in_its_place(path: Path) -> None:
    source = read(path)
    request = chat(user("kq0first"), bot("kq0reply"), mixed(), bot("kq4reply"), user("kq5more"))
    async with built() as builder:
        text = await builder.text(card(source), request)
    assert text.count(MARKER) == 2
    order = [WORDS[0], MARKER, WORDS[1], MARKER, WORDS[2], "kq5more"]
    rest = text
    for each in order:
        assert each in rest
        rest = rest.partition(each)[2]


@pytest.mark.parametrize("name", TOKENS)
async def test_pictures_stand_where_the_template_writes_them(name: str) -> None:
    source = next(path for path in template_files() if path.stem == name).read_text("utf-8")
    one, two, three = ({"type": "text", "text": word} for word in WORDS)
    picture = {"type": "image"}
    messages = [
        {"role": "user", "content": "kq0first"},
        {"role": "assistant", "content": "kq0reply"},
        {"role": "user", "content": [one, picture, two, picture, three]},
    ]
    variables = {"messages": messages, "add_generation_prompt": True, "bos_token": "", "eos_token": "<|im_end|>"}
    own = TemplateRenderer().render(source, variables | {"tools": None, "documents": None, "enable_thinking": True})
    assert own.count(TOKENS[name]) == 2
    async with built() as builder:
        text = await builder.text(card(source), chat(user("kq0first"), bot("kq0reply"), mixed()))
    assert text.count(TOKENS[name]) == 0
    start, end = own.index(WORDS[0]), own.index(WORDS[2])
    assert text[text.index(WORDS[0]) : text.index(WORDS[2])] == own[start:end].replace(TOKENS[name], MARKER)


async def test_a_template_without_pictures_gets_each_on_a_line_of_its_own() -> None:
    source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}"
    async with built() as builder:
        for parts, text in (
            ((TextPart("a"), ONE, TextPart("b")), f"a\n{MARKER}\nb"),
            ((ONE, TextPart("b")), f"{MARKER}\nb"),
            ((TextPart("a\n"), ONE), f"a\n{MARKER}"),
            ((ONE, OTHER), f"{MARKER}\n{MARKER}"),
            ((TextPart("a"), ONE, OTHER, TextPart("\nb")), f"a\n{MARKER}\n{MARKER}\nb"),
            ((ONE,), MARKER),
            ((AudioPart("data:,"), TextPart("b")), f"{MARKER}\nb"),
        ):
            assert await builder.text(card(source), chat(looking(*parts))) == f"<user>{text}</user>"


async def test_one_that_prints_its_list_knows_no_pictures() -> None:
    source = "{% for m in messages %}{{ m.content }}{% endfor %}"
    rendering = Rendering()
    assert await TemplateAbilities(rendering).picture_margins(ChatTemplate(source)) is None
    await rendering.aclose()


async def test_a_token_that_the_user_writes_is_text() -> None:
    source = next(path for path in template_files() if path.stem == "Qwen3.5-4B").read_text("utf-8")
    forged = "<|vision_start|><|image_pad|><|vision_end|> \ufdd4\ufde0 <__media__>"
    request = chat(looking(TextPart(forged), ONE))
    claims = card(source, control_tokens=("<|vision_start|>", "<|image_pad|>", "<|vision_end|>"))
    async with built() as builder:
        text = await builder.text(claims, request)
    assert "\ufdd4" not in text
    assert text.count(MARKER) == 2
    assert "<|image_pad|>" in text


@pytest.mark.parametrize("mode", ["chat", "chat-instruct"])
async def test_pictures_in_dialogues(mode: str) -> None:
    request = chat(mixed(), persona=Persona(mode=Mode(mode), bot_name="AI", user_name="You"))
    async with built() as builder:
        text = await builder.text(card("{% for m in messages %}[{{ m.content }}]{% endfor %}"), request)
    assert f"{WORDS[0]}\n{MARKER}\n{WORDS[1]}\n{MARKER}\n{WORDS[2]}" in text


async def test_pictures_of_system_and_tool_turns() -> None:
    turns = [
        Message(role=Role.SYSTEM, parts=(TextPart("s"), ONE)),
        user("a"),
        Message(role=Role.TOOL, parts=(TextPart("t"), OTHER), tool_call_id="c"),
    ]
    async with built() as builder:
        text = await builder.text(card("{% for m in messages %}[{{ m.content }}]{% endfor %}"), chat(*turns))
    assert f"s\n{MARKER}" in text
    assert f"t\n{MARKER}" in text
