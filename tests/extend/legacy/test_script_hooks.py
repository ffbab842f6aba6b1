"""Scripts of the old kind run unchanged: through the chat service, and through the API."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio
import httpx
import pytest

from extensions.openai.app import create_app
from modules.messages import Role, text_message
from modules.reply.gather import gather
from modules.requests import ChatRequest, CompletionRequest, Limits, Mode, Persona
from tests.api.serving import BASE_URL, CHAT, TEXT, says, text_of
from tests.extend.loaded import copy_old_script, reply, running, script_of, settings_of

ALL = ("first_words", "parrot", "own_prompt", "own_voice", "weigher", "librarian")
PERSONA = Persona(mode=Mode.CHAT, character="None", bot_name="Bo", user_name="Al", context="", greeting="")


def settings_with(folder: Path, *names: str, yaml: str = "") -> Any:
    for name in names:
        copy_old_script(folder, name)
    if yaml:
        (folder / "settings.yaml").write_text(yaml)
    return settings_of(folder, *names)


def params_of(folder: Path, name: str) -> dict[str, Any]:
    params: dict[str, Any] = script_of(folder, name).params
    return params


async def test_words_are_changed_on_their_way_in_and_out(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "first_words", yaml="first_words-suffix: '?'\nfirst_words-unknown: 1\n")
    async with running(settings) as (runtime, _):
        assert (await reply(runtime, "echo: a")).text == "a12?scripted"
    params = params_of(tmp_path, "first_words")
    assert params["seen"] == [
        "setup with ?",
        ["chat input", "echo: a", "echo: a"],
        ["input", "echo: a1"],
        ["output", True, "You"],
    ]
    assert "unknown" not in params


async def test_raw_prompts_pass_input_and_output_too(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "first_words")) as (runtime, _):
        request = CompletionRequest(model=None, prompts=("echo: a", "echo: b"))
        result = await gather(runtime.chat.complete(request, owner="me"))
        assert [choice.text for choice in result.choices] == ["a2!scripted", "b2!scripted"]
    seen = params_of(tmp_path, "first_words")["seen"]
    assert ["output", False, ""] in seen
    assert not any(each[0] == "chat input" for each in seen[1:])


async def test_history_and_state_take_effect_in_order(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "parrot")) as (runtime, _):
        choice = await reply(runtime, "one", "two", "three", "four", "echo: some long words", persona=PERSONA)
    assert choice.text == "You s"
    params = params_of(tmp_path, "parrot")
    assert params["order"] == [1, 5, "echo: some long words"]
    assert {"name1", "name2", "mode", "context", "greeting", "character_menu", "history", "temperature", "stream"} <= {
        *params["keys"]
    }


async def test_the_prompt_shows_what_was_changed(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "own_prompt", "parrot")) as (runtime, _):
        await reply(runtime, "one", "two", "three", "four", "five", persona=PERSONA)
    prompt = params_of(tmp_path, "own_prompt")["prompt"]
    assert "one" not in prompt
    assert "Al: three\nParrot: four\nAl: echo: by way of the helper\nParrot: PARROT" in prompt


async def test_a_script_makes_the_prompt_with_files_beside_it(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "own_prompt")) as (runtime, _):
        usual = await runtime.chat.render(ChatRequest(model=None, messages=(text_message(Role.USER, "hi"),)))
        choice = await reply(runtime, "hi")
    assert choice.text == "by way of the helper"
    params = params_of(tmp_path, "own_prompt")
    assert params["usual"] == usual
    assert params["kwargs"] == ["_continue", "also_return_rows", "history", "impersonate"]
    assert params["shape"][0] == 1
    assert params["shape"][1] == choice.usage.prompt_tokens


async def test_logits_processors_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(settings_with(tmp_path, "own_prompt")) as (runtime, _):
        await reply(runtime, "a")
        await reply(runtime, "b")
    assert caplog.text.count("logits_processor_modifier") == 1
    assert "scripted" in caplog.text


async def test_a_script_answers_in_the_models_place(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "own_voice")) as (runtime, _):
        choice = await reply(runtime, "hi", limits=Limits(stop=("END",)))
    assert choice.text == "I have borrowed, and abc3"
    assert choice.usage.completion_tokens == len(choice.text)
    question, original, is_chat, stops = params_of(tmp_path, "own_voice")["asked"]
    assert (original, is_chat, stops) == ("hi", True, ["END"])
    assert question.endswith("<|im_start|>assistant\n")


async def test_a_script_counts_tokens_and_reads_what_is_loaded(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "weigher")) as (runtime, _):
        assert (await reply(runtime, "x", "y", "echo: b", truncates=True)).text == "B"
    params = params_of(tmp_path, "weigher")
    assert params["counted"] > 1
    assert params["tokenizer"] == [97, 98]
    assert params["args"] == ["scripted", None, "instruct"]


async def test_state_goes_from_one_function_to_the_next(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "librarian", "own_prompt")) as (runtime, _):
        await reply(runtime, "find")
    assert "system\nYou are a librarian." in params_of(tmp_path, "own_prompt")["usual"]
    assert "find [ten,two; " in params_of(tmp_path, "own_prompt")["usual"]


async def test_all_together_and_a_broken_one_beside_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_with(tmp_path, "broken", *ALL)
    async with running(settings) as (runtime, extensions):
        choice = await reply(runtime, "hi")
        infos = {info.name: info for info in extensions.available()}
    assert choice.text == "I HAV!SCRIPTED"
    assert infos["broken"].failure
    assert not infos["broken"].is_active
    assert all(infos[name].is_active for name in ALL)
    assert "broken is skipped" in caplog.text
    assert "modules.training" in caplog.text
    assert "modules.shared" not in sys.modules


async def test_what_scripts_bring_for_the_page(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "first_words", "parrot", "weigher")
    async with running(settings) as (_, extensions):
        assert [tab.title for tab in extensions.tabs] == ["parrot"]
        assert [block.title for block in extensions.blocks] == ["First words", "weigher"]
        assert "color: green" in extensions.css
        assert extensions.js.startswith("() => {")
        assert "console.log('parrot')" in extensions.js
        with gradio.Blocks() as page:
            for tab in extensions.tabs:
                tab.build()
            for block in extensions.blocks:
                block.build()
        assert any(getattr(component, "label", None) == "Suffix" for component in page.blocks.values())


async def posted(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> tuple[Any, str]:
    """The whole reply, and the streamed one."""
    whole = (await http.post(path, json=body)).json()
    streamed = await http.post(path, json={**body, "stream": True})
    return whole, text_of(streamed.text)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("first_words",), "a12!scripted"),
        (("own_prompt", "weigher"), "BY WAY OF THE HELPER"),
        (("own_voice",), "I have borrowed, and abc3"),
        (("parrot",), "a"),
    ],
)
async def test_the_api_says_the_same_streamed_and_whole(tmp_path: Path, names: Sequence[str], expected: str) -> None:
    async with running(settings_with(tmp_path, *names)) as (runtime, _):
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            whole, streamed = await posted(http, CHAT, says("echo: a"))
            assert whole["choices"][0]["message"]["content"] == streamed == expected
            raw, streamed = await posted(http, TEXT, {"prompt": "echo: a"})
            assert raw["choices"][0]["text"] == streamed


async def test_requests_at_once_do_not_mix(tmp_path: Path) -> None:
    async with running(settings_with(tmp_path, "first_words", "librarian")) as (runtime, _):
        replies = await asyncio.gather(*(reply(runtime, f"echo: {number}") for number in range(20)))
    assert [each.text.partition("12 ")[0] for each in replies] == [str(number) for number in range(20)]
