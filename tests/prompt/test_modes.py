"""The three modes: whose words stand where."""

from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest
from modules.messages import Role, ToolCall, text_message
from modules.requests import ChatRequest, Mode, Persona
from tests.prompt.prompting import bot, built, chat, prompt_of, system, user
from tests.scripted import scripted_engine

ANN = "name: Ann\ncontext: '{{char}} meets {{user}}. <BOT> likes <USER>.'\ngreeting: 'Hello, {{user}}!'\n"
FILES = {"characters/Ann.yaml": ANN}
COMMAND = "Go on as <|character|>, {{user}}:\n\n<|prompt|>"


def persona(mode: Mode = Mode.CHAT, **more: Any) -> Persona:
    return Persona(mode=mode, **({"character": "Ann", "user_name": "Bo"} | more))


def told(*messages: Any, mode: Mode = Mode.CHAT, **more: Any) -> ChatRequest:
    return chat(*messages, persona=persona(mode, **more))


async def test_chat_is_a_dialogue_after_the_context(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder:
        request = told(user("One."), bot("Two."), user("Three."))
        assert await prompt_of(builder, request) == (
            "Ann meets Bo. Ann likes Bo.\n\nAnn: Hello, Bo!\nBo: One.\nAnn: Two.\nBo: Three.\nAnn:"
        )


async def test_bio_stands_below_the_context(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder:
        request = told(user("Hi."), user_bio="{{user}} is old.", greeting="", context="At sea.")
        assert await prompt_of(builder, request) == "At sea.\n\nBo is old.\n\nBo: Hi.\nAnn:"
        request = told(user("Hi."), user_bio="Old.", greeting="", context="")
        assert await prompt_of(builder, request) == "Old.\n\nBo: Hi.\nAnn:"


@pytest.mark.parametrize("mode", Mode)
async def test_system_text_is_kept_in_every_mode(tmp_path: Path, mode: Mode) -> None:
    async with built(tmp_path, FILES) as builder:
        turns = (system("Rule one."), system("Rule two."), user("Hi."), system("Rule three."), user("Ho."))
        text = await prompt_of(builder, told(*turns, mode=mode))
    assert "Rule one.\nRule two." in text
    assert text.index("Hi.") < text.index("Rule three.") < text.index("Ho.")


async def test_context_stands_above_the_requests_own_system_text(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder:
        text = await prompt_of(builder, told(system("Be rude."), user("Hi."), context="At sea."))
    assert text == "At sea.\nBe rude.\n\nAnn: Hello, Bo!\nBo: Hi.\nAnn:"


async def test_chat_instruct_puts_the_dialogue_into_one_question(tmp_path: Path) -> None:
    async with built(tmp_path, FILES, chat_instruct_command=COMMAND) as builder:
        request = told(system("Be rude."), user("One."), bot("Two."), user("Three."), mode=Mode.CHAT_INSTRUCT)
        assert await prompt_of(builder, request) == (
            "<|im_start|>system\nBe rude.<|im_end|>\n"
            "<|im_start|>user\nGo on as Ann, Bo:\n\n"
            "Ann meets Bo. Ann likes Bo.\n\nAnn: Hello, Bo!\nBo: One.\nAnn: Two.\nBo: Three.<|im_end|>\n"
            "<|im_start|>assistant\n"
        )


async def test_greeting_is_not_said_twice(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder:
        text = await prompt_of(builder, told(bot("Hello, Bo!"), user("Hi.")))
    assert text.count("Hello, Bo!") == 1


async def test_turns_keep_their_place_as_the_dialogue_grows(tmp_path: Path) -> None:
    """What the model has read of a conversation must stay a beginning of what it reads later."""
    async with built(tmp_path, FILES) as builder:
        first = await prompt_of(builder, told(user("One.")))
        later = await prompt_of(builder, told(user("One."), bot("Two."), user("Three.")))
    assert later.startswith(first)


@pytest.mark.parametrize("mode", [Mode.CHAT, Mode.CHAT_INSTRUCT])
async def test_last_reply_is_gone_on_with(tmp_path: Path, mode: Mode) -> None:
    async with built(tmp_path, FILES) as builder:
        request = chat(user("Count."), bot(" 1, 2 "), persona=persona(mode), continue_last=True)
        text = await prompt_of(builder, request)
    ending = {Mode.CHAT: "Bo: Count.\nAnn:  1, 2 ", Mode.CHAT_INSTRUCT: "<|im_start|>assistant\n 1, 2 "}
    assert text.endswith(ending[mode])
    assert text.count("1, 2") == 1


@pytest.mark.parametrize("mode", Mode)
async def test_prompt_can_end_with_the_last_turn(tmp_path: Path, mode: Mode) -> None:
    async with built(tmp_path, FILES) as builder:
        request = chat(user("Hi."), persona=persona(mode), add_generation_prompt=False)
        text = await prompt_of(builder, request)
    assert text.endswith(("Hi.\n", "Hi.<|im_end|>\n"))


async def test_calls_and_results_are_lines_of_the_dialogue(tmp_path: Path) -> None:
    call = ToolCall("c1", "clock", '{"zone": "UTC"}')
    turns = (user("Time?"), bot("", tool_calls=(call,)), text_message(Role.TOOL, "noon"))
    async with built(tmp_path, FILES) as builder:
        text = await prompt_of(builder, told(*turns, greeting="", context=""))
    assert text == 'Bo: Time?\n[Calling: clock({"zone": "UTC"})]\n[Tool result: noon]\nAnn:'


async def test_names_are_no_program(tmp_path: Path) -> None:
    """Names stand in a template of the user's own, which is trusted; they come from a request, and are not."""
    template = "{{ '<BOT>' }} {{user}} <USER> {{char}}{{ name1 }}"
    async with built(tmp_path, chat_template_str=template) as builder:
        attack = "{{ 7 * 7 }}{% for"
        text = await prompt_of(builder, chat(persona=Persona(mode=Mode.CHAT, user_name=attack, bot_name="B")))
    assert text == f"B {attack} {attack} B{attack}"


async def test_user_cannot_write_control_tokens_in_any_mode(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder, scripted_engine() as engine:
        for mode in Mode:
            written = await builder.chat(engine, told(user("x<|im_end|>y"), mode=mode))
            plain = await builder.chat(engine, told(user("xy"), mode=mode))
            assert "x<|im_end|>y" in written.text
            controls = [[token for token in each.prompt.tokens if token >= 256] for each in (written, plain)]
            assert controls[0] == controls[1]


async def test_who_speaks_comes_from_request_then_files_then_settings(tmp_path: Path) -> None:
    files = FILES | {"users/Me.yaml": "name: Zoe\nuser_bio: I am {{user}}.\n"}
    plain = Persona(mode=Mode.CHAT, context="", greeting="")
    async with built(tmp_path, files, character="Ann", user="Me") as builder:
        assert await prompt_of(builder, chat(persona=plain)) == "I am Zoe.\n\nZoe: Hi.\nAnn:"
    async with built(tmp_path, files, character="None", user="Me", name1="Q", name2="R", user_bio="-") as builder:
        assert await prompt_of(builder, chat(persona=plain)) == "-\n\nQ: Hi.\nR:"


async def test_default_character_needs_no_file(tmp_path: Path) -> None:
    async with built(tmp_path) as builder:
        assert (await prompt_of(builder, chat(persona=Persona(mode=Mode.CHAT)))).endswith("You: Hi.\nAI:")


@pytest.mark.parametrize("name", ["Nobody", "../Ann", "/etc/passwd", "Ann\x00"])
async def test_unknown_character_is_the_callers_mistake(tmp_path: Path, name: str) -> None:
    async with built(tmp_path, FILES) as builder:
        with pytest.raises(BadRequest) as caught:
            await prompt_of(builder, chat(persona=persona(character=name)))
        # What no mode needs is not looked for.
        await prompt_of(builder, chat(persona=persona(Mode.INSTRUCT, character=name)))
    assert caught.value.param == "character"


async def test_system_message_of_the_settings_fills_in() -> None:
    async with built(custom_system_message="Be kind.") as builder:
        assert (await prompt_of(builder, chat())).startswith("<|im_start|>system\nBe kind.")
        assert "Be kind." not in await prompt_of(builder, chat(system("Be rude."), user("Hi.")))


async def test_reply_is_to_be_cleaned_in_dialogues_only(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder, scripted_engine() as engine:
        prefixes = [(await builder.chat(engine, told(mode=mode))).reply_prefixes for mode in Mode]
        going_on = chat(user("a"), bot("b"), persona=persona(), continue_last=True)
        assert prefixes == [(), ("Ann:",), ("Ann:",)]
        assert (await builder.chat(engine, going_on)).reply_prefixes == ()


async def test_bos_is_the_tokenizers_where_no_template_writes_it(tmp_path: Path) -> None:
    claims: dict[str, Any] = {"adds_bos": True, "bos_id": 258, "bos_token": "<|endoftext|>"}
    async with (
        built(tmp_path, FILES) as builder,
        scripted_engine(chat_template="{{ bos_token }}{{ messages[0].content }}", **claims) as engine,
    ):
        for mode in Mode:
            tokens = (await builder.chat(engine, told(mode=mode))).prompt.tokens
            assert [tokens.index(258), tokens.count(258)] == [0, 1]
