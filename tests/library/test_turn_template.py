"""Prompts of old turn templates come out as they did: context, then the turns, then the reply's beginning."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.library.templates import jinja_of_turns
from modules.prompt.templates.render import TemplateRenderer

SYSTEM = {"role": "system", "content": "S"}
USER = {"role": "user", "content": "U"}
BOT = {"role": "assistant", "content": "B"}

VICUNA = {
    "user": "USER:",
    "bot": "ASSISTANT:",
    "turn_template": "<|user|> <|user-message|> <|bot|> <|bot-message|></s>",
    "context": "<|system-message|> ",
    "system_message": "Default.",
}
CHATML = {
    "user": "user",
    "bot": "assistant",
    "turn_template": "<|im_start|><|user|>\n<|user-message|><|im_end|>\n<|im_start|><|bot|>\n<|bot-message|><|im_end|>\n",
    "context": "<|im_start|>system\n<|system-message|><|im_end|>\n",
    "system_message": "Default.",
}
NAMELESS = {"turn_template": "[INST] <|user-message|> [/INST] <|bot-message|></s>", "context": "<s>"}


def rendered(fields: dict[str, str], *messages: dict[str, str], prompt: bool = True) -> str:
    content = dict.fromkeys(("turn_template", "context", "system_message", "user", "bot"), "") | fields
    variables: dict[str, Any] = {"messages": list(messages), "add_generation_prompt": prompt}
    return TemplateRenderer().render(jinja_of_turns(content), variables)


@pytest.mark.parametrize(
    ("fields", "messages", "expected"),
    [
        (VICUNA, [SYSTEM, USER, BOT, USER], "S USER: U ASSISTANT: B</s>USER: U ASSISTANT:"),
        (VICUNA, [USER], "Default. USER: U ASSISTANT:"),
        (VICUNA, [USER, SYSTEM, USER], "Default. USER: U S USER: U ASSISTANT:"),
        (
            CHATML,
            [SYSTEM, USER, BOT],
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n"
            "<|im_start|>assistant\n",
        ),
        (NAMELESS, [USER, BOT, USER], "<s>[INST] U [/INST] B</s>[INST] U [/INST]"),
        (NAMELESS, [SYSTEM, USER], "<s>S\n\n[INST] U [/INST]"),
        (VICUNA, [], "Default. ASSISTANT:"),
    ],
)
def test_formats_of_the_time(fields: dict[str, str], messages: list[dict[str, str]], expected: str) -> None:
    assert rendered(fields, *messages) == expected


def test_without_a_reply_to_begin_the_prompt_ends_with_the_turns() -> None:
    assert rendered(VICUNA, SYSTEM, USER, BOT, prompt=False) == "S USER: U ASSISTANT: B</s>"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_may_stand_around_the_messages(text: str) -> None:
    for place in ("<|", "|>", "\r"):
        text = text.replace(place, "")
    fields = {"turn_template": f"{text}<|user-message|>|{text}<|bot-message|>{text}.", "context": f"{text}!"}
    assert rendered(fields, USER, BOT, prompt=False) == f"{text}!{text}U|{text}B{text}."
