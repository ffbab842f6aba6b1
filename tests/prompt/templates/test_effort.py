"""Efforts of reasoning reach a template in words that it takes, and only when somebody asked for one."""

from typing import Any

import pytest

from modules.prompt.builder import PromptBuilder
from modules.prompt.templates.variables import EFFORT_WORDS, nearest_effort, no_effort
from modules.requests import TemplateChoice
from tests.prompt.prompting import chat, prompt_of
from tests.scripted import scripted_card

SHOWN = "{{ messages[0].content ~ ' ' ~ reasoning_effort | default('unset') }}"
HY3 = (
    "{% if reasoning_effort is defined and reasoning_effort not in ['no_think', 'low', 'high'] %}"
    "{{ raise_exception('reasoning_effort error : ' ~ reasoning_effort) }}{% endif %}" + SHOWN
)
MISTRAL = (
    "{% set e = reasoning_effort | default('none') %}{% if e not in ['none', 'high'] %}"
    "{{ raise_exception('reasoning_effort must be none or high') }}{% endif %}" + SHOWN
)
DEEPSEEK = "{% if reasoning_effort == 'high' or reasoning_effort == 'max' %}long {% endif %}" + SHOWN
GPT_OSS = '{% if reasoning_effort is not defined %}{% set reasoning_effort = "medium" %}{% endif %}' + SHOWN
KIMI_K3 = (
    "{% if thinking and thinking_effort is defined and thinking_effort not in ['low', 'high', 'max'] %}"
    "{{ raise_exception('Unsupported') }}{% endif %}{{ messages[0].content ~ ' ' ~ thinking_effort | default('unset') }}"
)


async def given(template: str, **arguments: Any) -> str:
    request = chat(template_arguments=arguments)
    return (await prompt_of(PromptBuilder(), request, chat_template=template)).rpartition(" ")[2]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (HY3, ("low", "low", "high", "high", "high", "high")),
        (MISTRAL, ("high", "high", "high", "high", "high", "high")),
        (DEEPSEEK, ("low", "low", "medium", "high", "max", "max")),
        (GPT_OSS, ("low", "low", "medium", "high", "high", "high")),
        (KIMI_K3, ("low", "low", "high", "high", "max", "max")),
        (SHOWN, ("low", "low", "medium", "high", "high", "high")),
    ],
)
async def test_words_become_those_that_the_template_takes(template: str, words: tuple[str, ...]) -> None:
    assert await given(template, enable_thinking=True) in {"unset", "medium"}
    asked = [await given(template, enable_thinking=True, reasoning_effort=word) for word in EFFORT_WORDS[1:]]
    assert tuple(asked) == words


@pytest.mark.parametrize(
    ("template", "word"),
    [(HY3, "no_think"), (MISTRAL, "none"), (DEEPSEEK, "unset"), (GPT_OSS, "medium"), (KIMI_K3, "unset")],
)
async def test_no_thinking_has_a_word_in_some_templates(template: str, word: str) -> None:
    assert await given(template, enable_thinking=False) == word
    if word not in {"unset", "medium"}:
        assert await given(template, enable_thinking=False, reasoning_effort="high") == word


@pytest.mark.parametrize("template", [HY3, MISTRAL, KIMI_K3])
async def test_unknown_words_are_nobodys_error(template: str) -> None:
    assert await given(template, enable_thinking=True, reasoning_effort="ultra") == "unset"


async def test_a_template_may_have_words_of_its_own() -> None:
    assert await given(HY3, reasoning_effort="no_think") == "no_think"


@pytest.mark.parametrize("template", [HY3, MISTRAL])
async def test_templates_of_requests_are_asked_too(template: str) -> None:
    builder = PromptBuilder()
    try:
        for arguments, word in (({}, "unset"), ({"reasoning_effort": "xhigh"}, "high")):
            request = chat(template=TemplateChoice(source=template), template_arguments=arguments)
            assert (await builder.text(scripted_card(), request)).endswith(word)
    finally:
        await builder.aclose()


def test_a_template_that_takes_no_word_gets_none() -> None:
    assert nearest_effort("high", (), SHOWN) is None
    assert no_effort((), MISTRAL) is None
