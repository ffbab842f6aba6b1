"""Which way of writing thoughts a model has, by its template and the end of its prompt."""

import pytest

from modules.reply.reasoning import formats
from modules.reply.reasoning.formats import ReplyReasoning, choose_reasoning

QWEN = "{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' }}"
GEMMA = "{{ '<|think|>' }}{{ '<|channel>thought\\n<channel|>' }}"


@pytest.mark.parametrize(
    ("template", "chosen"),
    [
        (QWEN, (formats.THINK,)),
        ("{{ '<|channel|>analysis<|message|>' }}", (formats.ANALYSIS, formats.COMMENTARY)),
        ("{{ '<seed:think>' }}", (formats.SEED,)),
        ("{{ '[THINK]' }}", (formats.BRACKETS,)),
        (GEMMA, (formats.CHANNEL,)),
        ("{{ '<|begin|>assistant<|think|>' }}{{ '<|content|>' }}", (formats.SOLAR,)),
        ("{{ content.split('</think>')[-1] }}", (formats.THINK, formats.END_ONLY)),
        ("{{ message.content }}", ()),
        ("", ()),
    ],
)
def test_template_tells_the_family(template: str, chosen: tuple[formats.ReasoningFormat, ...]) -> None:
    assert choose_reasoning(template, "<|im_start|>assistant\n") == ReplyReasoning(formats=chosen)


@pytest.mark.parametrize(
    ("template", "prompt", "is_open"),
    [
        (QWEN, "assistant\n<think>\n", True),
        (QWEN, "assistant\n<think>", True),
        (QWEN, "assistant\n<think>\n\n</think>\n\n", False),
        (QWEN, "what does <think> mean?<|im_end|>\n<|im_start|>assistant\n", False),
        (GEMMA, "model\n<|channel>thought\n", True),
        (GEMMA, "model\n<|channel>thought\n<channel|>", False),
        ("{{ message.content }}", "assistant\n<think>\n", False),
    ],
)
def test_prompt_can_open_the_thought(template: str, prompt: str, is_open: bool) -> None:
    assert choose_reasoning(template, prompt).is_open is is_open


@pytest.mark.parametrize("prompt", ["model\n<|channel>", "<tool_response|>", "<tool_response|>\n"])
def test_the_bare_word_begins_a_thought_after_tools_only(prompt: str) -> None:
    assert formats.CHANNEL_AFTER_TOOL in choose_reasoning(GEMMA, prompt).formats
    assert formats.CHANNEL_AFTER_TOOL not in choose_reasoning(GEMMA, "<|turn>model\n").formats


def test_continued_replies_go_on_where_they_were() -> None:
    in_thought = choose_reasoning(QWEN, "assistant\n<think>\nLet me", is_open=True)
    assert (in_thought.is_open, in_thought.can_occur) == (True, True)
    assert not choose_reasoning(QWEN, "assistant\nThe answer", is_over=True).can_occur
    assert not choose_reasoning("", "assistant\nLet me", is_open=True).can_occur


def test_every_format_belongs_to_a_family() -> None:
    assert len(formats.ALL) == len({each.name for each in formats.ALL})
    chosen = {
        each
        for own in formats.ALL
        for each in choose_reasoning(f"{own.start}{own.end}{own.answer}{own.after}", next(iter(own.after), "")).formats
    }
    assert chosen == set(formats.ALL)
