"""Prompts are, byte for byte, what Hugging Face's own renderer makes of the same templates and conversations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest
from modules.prompt.builder import PromptBuilder
from modules.prompt.render import TemplateRefused
from tests.golden.template_cases import BOS, EOS, GOLDENS, MODELS, TEMPLATES, Case, cases, model_template
from tests.scripted import scripted_card

FAMILIES = sorted(path.stem for path in TEMPLATES.glob("*.jinja"))


def goldens(name: str) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((GOLDENS / f"{name}.json").read_text("utf-8"))
    return stored


async def written(source: str, case: Case) -> dict[str, Any]:
    card = scripted_card(chat_template=source, bos_token=BOS, eos_token=EOS)
    try:
        return {"text": await PromptBuilder().text(card, case.request)}
    except TemplateRefused as refusal:
        return {"refused": refusal.message}
    except BadRequest as failure:
        return {"refused": failure.message.partition(": ")[2]}


def test_there_are_twelve_families() -> None:
    assert len(FAMILIES) >= 12


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
@pytest.mark.parametrize("name", FAMILIES)
async def test_family_is_written_the_same(name: str, case: Case) -> None:
    source = (TEMPLATES / f"{name}.jinja").read_text("utf-8")
    assert await written(source, case) == goldens(name)[case.name]


@pytest.mark.model
@pytest.mark.parametrize("name", MODELS)
async def test_template_in_a_model_is_written_the_same(name: str, model_file: Callable[[str], Path]) -> None:
    source = await model_template(model_file(MODELS[name]))
    assert {case.name: await written(source, case) for case in cases()} == goldens(name)


@pytest.mark.parametrize("name", FAMILIES)
def test_most_conversations_can_be_written(name: str) -> None:
    """A golden of nothing but refusals would prove nothing."""
    texts = [golden for golden in goldens(name).values() if "text" in golden]
    assert len(texts) >= len(cases()) * 2 // 3
