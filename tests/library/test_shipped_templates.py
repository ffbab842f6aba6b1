"""The shipped templates write what their models were trained on. Where llama.cpp knows a format too, it is the judge."""

import ctypes
from collections.abc import Sequence
from typing import Any

import pytest
from llama_cpp import llama_cpp as c

from modules.library.library import Library
from modules.paths import PROGRAM_FOLDER, UserData
from modules.prompt.templates.render import TemplateRenderer

SHIPPED = Library(UserData(PROGRAM_FOLDER / "user_data")).templates

SYSTEM = ("system", "Be brief.")
QUESTION = ("user", "Hello")
ANSWER = ("assistant", "Hi there")
PARTING = ("user", "Bye")
TALK = (SYSTEM, QUESTION, ANSWER, PARTING)

TOOL = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
CALL = {"id": "abcdefghi", "type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": "ü"}}}
ASKED: tuple[dict[str, Any], ...] = (
    {"role": "user", "content": "1 + ü?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "1ü", "tool_call_id": "abcdefghi"},
)


def rendered(name: str, messages: Sequence[dict[str, Any]], **variables: Any) -> str:
    own = {"messages": list(messages), "add_generation_prompt": True, "bos_token": "", "eos_token": "</s>"}
    return TemplateRenderer().render(SHIPPED.read(name), own | variables)


def turns(*messages: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in messages]


def by_llama_cpp(format_name: str, messages: Sequence[tuple[str, str]]) -> str:
    pairs = [c.llama_chat_message(role=role.encode(), content=text.encode()) for role, text in messages]
    array, room = (c.llama_chat_message * len(pairs))(*pairs), 8192
    buffer = ctypes.create_string_buffer(room)
    length = c.llama_chat_apply_template(format_name.encode(), array, len(pairs), True, buffer, room)
    assert 0 < length < room
    return buffer.raw[:length].decode()


@pytest.mark.parametrize(
    ("name", "format_name", "eos"),
    [
        ("ChatML", "chatml", ""),
        ("Llama-v3", "llama3", ""),
        ("Llama-v4", "llama4", ""),
        ("Mistral", "mistral-v3", "</s>"),
        ("Mistral-v7", "mistral-v7", "</s>"),
        ("Mistral-v7-Tekken", "mistral-v7-tekken", "</s>"),
        ("Gemma", "gemma", ""),
        ("Phi-3", "phi3", ""),
        ("Phi-4", "phi4", ""),
        ("Command-R", "command-r", ""),
        ("DeepSeek-V2", "deepseek2", ""),
        ("Zephyr", "zephyr", "<|endoftext|>"),
        ("StableLM", "zephyr", ""),
        ("OpenChat", "openchat", ""),
        ("Granite", "granite", ""),
        ("EXAONE", "exaone3", ""),
        ("ChatGLM", "chatglm4", ""),
        ("MiniCPM", "minicpm", ""),
        ("Seed-OSS", "seed_oss", ""),
    ],
)
@pytest.mark.parametrize("talk", [TALK, TALK[1:], TALK[:2]], ids=["whole", "no system", "begun"])
def test_as_llama_cpp_writes_them(name: str, format_name: str, eos: str, talk: Sequence[tuple[str, str]]) -> None:
    assert rendered(name, turns(*talk), eos_token=eos) == by_llama_cpp(format_name, talk)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "Alpaca",
            "Be brief.\n\n### Instruction:\nHello\n\n### Response:\nHi there\n\n### Instruction:\nBye\n\n### Response:\n",
        ),
        (
            "Llama-v2",
            "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHello [/INST] Hi there </s><s>[INST] Bye [/INST]",
        ),
        ("Vicuna-v1.1", "Be brief. USER: Hello ASSISTANT: Hi there</s>USER: Bye ASSISTANT:"),
        (
            "DeepSeek",
            "<s>Be brief.<｜User｜>Hello<｜Assistant｜>Hi there<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>",
        ),
        (
            "DeepSeek-Coder",
            "<s>Be brief.\n### Instruction:\nHello\n### Response:\nHi there\n<|EOT|>\n### Instruction:\nBye\n### Response:\n",
        ),
        (
            "Falcon-v3",
            "<|system|>\nBe brief.\n<|user|>\nHello\n<|assistant|>\nHi there<|endoftext|>\n<|user|>\nBye\n<|assistant|>\n",
        ),
        ("Falcon", "Be brief.\n\nUser: Hello\n\nAssistant: Hi there\n\nUser: Bye\n\nAssistant:"),
        (
            "Solar",
            "### System:\nBe brief.\n\n### User:\nHello\n\n### Assistant:\nHi there\n\n### User:\nBye\n\n### Assistant:\n",
        ),
        (
            "Open Assistant",
            "<|system|>Be brief.<|endoftext|><|prompter|>Hello<|endoftext|><|assistant|>Hi there<|endoftext|>"
            "<|prompter|>Bye<|endoftext|><|assistant|>",
        ),
        ("Metharme", "<|system|>Be brief.<|user|>Hello<|model|>Hi there<|user|>Bye<|model|>"),
        ("Tulu", "<|system|>\nBe brief.\n<|user|>\nHello\n<|assistant|>\nHi there</s>\n<|user|>\nBye\n<|assistant|>\n"),
    ],
)
def test_as_their_authors_describe_them(name: str, expected: str) -> None:
    assert rendered(name, turns(*TALK), bos_token="<s>") == expected


@pytest.mark.parametrize("name", SHIPPED.names())
@pytest.mark.parametrize(
    "roles",
    [
        ("system",),
        ("system", "user"),
        ("user", "system", "user"),
        ("system", "system", "user", "assistant"),
        ("assistant", "user"),
        ("user", "assistant", "tool"),
        ("user", "user", "assistant", "assistant", "user"),
    ],
    ids="-".join,
)
def test_no_template_loses_a_message_or_the_order(name: str, roles: tuple[str, ...]) -> None:
    texts = [f"text-{number}" for number in range(len(roles))]
    prompt = rendered(name, turns(*zip(roles, texts, strict=True)))
    places = [prompt.find(text) for text in texts]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", SHIPPED.names())
def test_a_reply_to_go_on_with_is_the_end_of_the_prompt_but_for_its_closing(name: str) -> None:
    prompt = rendered(name, turns(*TALK[:3]), add_generation_prompt=False)
    assert prompt.startswith(rendered(name, turns(*TALK[:2])).rstrip())
    assert "Hi there" in prompt


@pytest.mark.parametrize(
    ("name", "call", "answer"),
    [
        (
            "ChatML",
            '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": "ü"}}\n</tool_call><|im_end|>\n',
            "<|im_start|>user\n<tool_response>\n1ü\n</tool_response><|im_end|>\n",
        ),
        (
            "Llama-v3",
            '{"name": "add", "parameters": {"a": 1, "b": "ü"}}<|eot_id|>',
            "<|start_header_id|>ipython<|end_header_id|>\n\n1ü<|eot_id|>",
        ),
        (
            "Mistral",
            '[TOOL_CALLS] [{"name": "add", "arguments": {"a": 1, "b": "ü"}, "id": "abcdefghi"}]</s>',
            '[TOOL_RESULTS] {"content": "1ü", "call_id": "abcdefghi"}[/TOOL_RESULTS]',
        ),
    ],
)
def test_tools_are_offered_called_and_answered(name: str, call: str, answer: str) -> None:
    prompt = rendered(name, (*turns(SYSTEM), *ASKED), tools=[TOOL])
    offer, rest = prompt.split(call)
    assert "Be brief." in offer
    assert prompt.count("Be brief.") == 1
    assert '"add"' in offer
    assert rest.startswith(answer)
    assert '"add"' not in rendered(name, turns(*TALK))


def test_calls_side_by_side_are_told_apart() -> None:
    both = {"role": "assistant", "content": "Well.", "tool_calls": [CALL, CALL]}
    assert "Well.\n<tool_call>\n{" in rendered("ChatML", [both])
    assert "</tool_call>\n<tool_call>" in rendered("ChatML", [both])
    assert '}, {"name"' in rendered("Mistral", [both])
    assert '}\n{"name"' in rendered("Llama-v3", [both])
