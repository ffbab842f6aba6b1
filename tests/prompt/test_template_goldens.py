"""Prompts are, byte for byte, what Hugging Face's own renderer makes of the same templates and conversations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.prompt.builder import PromptBuilder
from modules.prompt.writer import Written
from tests.golden.template_cases import BOS, EOS, GOLDENS, MODELS, TEMPLATES, Case, cases, model_template
from tests.scripted import scripted_card

FAMILIES = sorted(path.stem for path in TEMPLATES.glob("*.jinja"))


def goldens(name: str) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((GOLDENS / f"{name}.json").read_text("utf-8"))
    return stored


async def written(source: str, case: Case) -> Written:
    card = scripted_card(chat_template=source, bos_token=BOS, eos_token=EOS)
    return await PromptBuilder().written(card, case.request)


def lacks_something(golden: dict[str, Any], case: Case) -> bool:
    """Whether Hugging Face's renderer refuses the conversation, leaves a text or a call of it out, or moves a text."""
    if "refused" in golden:
        return True
    calls = [call["function"]["name"] for message in case.messages for call in message.get("tool_calls", ())]
    texts = [message["content"].strip() for message in case.messages]
    prompt = golden["text"].partition("<|im_start|>user")[2] or golden["text"]
    places = [golden["text"].find(text) for text in texts if text]
    return places != sorted(places) or -1 in places or not all(f'"{name}"' in prompt for name in calls)


def assert_same(text: Written, golden: dict[str, Any], case: Case) -> None:
    """What had to be repaired is what Hugging Face's renderer refuses, shows without a part of it, or in another order."""
    if text.repairs:
        assert lacks_something(golden, case), text.repairs
    else:
        assert {"text": text.text} == golden


def test_there_are_twelve_families() -> None:
    assert len(FAMILIES) >= 12


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
@pytest.mark.parametrize("name", FAMILIES)
async def test_family_is_written_the_same(name: str, case: Case) -> None:
    source = (TEMPLATES / f"{name}.jinja").read_text("utf-8")
    assert_same(await written(source, case), goldens(name)[case.name], case)


@pytest.mark.model
@pytest.mark.parametrize("name", MODELS)
async def test_template_in_a_model_is_written_the_same(name: str, model_file: Callable[[str], Path]) -> None:
    source = await model_template(model_file(MODELS[name]))
    for case in cases():
        assert_same(await written(source, case), goldens(name)[case.name], case)


@pytest.mark.parametrize("name", FAMILIES)
def test_most_conversations_can_be_written(name: str) -> None:
    """A golden of nothing but refusals would prove nothing."""
    texts = [golden for golden in goldens(name).values() if "text" in golden]
    assert len(texts) >= len(cases()) * 2 // 3
