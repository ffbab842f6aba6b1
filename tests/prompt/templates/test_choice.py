"""Which template a conversation is written with: of several answers to that, the nearest to the request counts."""

from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest
from modules.requests import Mode, Persona, TemplateChoice
from tests.prompt.prompting import built, chat, prompt_of
from tests.scripted import scripted_engine

# From the last to the first.
SOURCES = ("suggested", "model", "saved", "load", "settings", "name", "request")


async def chosen(folder: Path, *, up_to: str) -> str:
    """What the prompt is when everything up to, and including, `up_to` has an answer."""
    has = set(SOURCES[: SOURCES.index(up_to) + 1])
    files = {f"instruction-templates/{name}.jinja": name for name in ("suggested", "saved", "name")}
    files |= {"models/config.yaml": ".*:\n  instruction_template: suggested\n"}
    files |= {"models/config-user.yaml": "scripted$:\n  instruction_template: saved\n"} if "saved" in has else {}
    files |= {"own.yaml": "instruction_template: settings\n"}
    settings: dict[str, Any] = {"chat_template_file": folder / "own.yaml"} if "settings" in has else {}
    choice = TemplateChoice(name="name" if "name" in has else None, source="request" if "request" in has else None)
    async with built(folder, files, **settings) as builder:
        return await prompt_of(
            builder,
            chat(template=choice),
            chat_template="model" if "model" in has else None,
            instruction_template="load" if "load" in has else "",
        )


@pytest.mark.parametrize("source", SOURCES)
async def test_the_nearest_answer_counts(tmp_path: Path, source: str) -> None:
    assert await chosen(tmp_path, up_to=source) == source


async def test_model_that_nobody_knows_reads_alpaca(tmp_path: Path) -> None:
    async with built(tmp_path) as builder:
        assert "### Instruction:\nHi." in await prompt_of(builder, chat(), chat_template=None)


async def test_an_edited_file_counts_at_once(tmp_path: Path) -> None:
    async with built(tmp_path, {"instruction-templates/T.jinja": "one"}) as builder:
        request = chat(template=TemplateChoice(name="T"))
        assert await prompt_of(builder, request) == "one"
        (tmp_path / "instruction-templates" / "T.jinja").write_text("two!", "utf-8")
        assert await prompt_of(builder, request) == "two!"


@pytest.mark.parametrize("name", ["Nothing", "../settings", "/etc/passwd", "C:\\x", ""])
async def test_name_that_is_none_is_the_callers_mistake(tmp_path: Path, name: str) -> None:
    async with built(tmp_path) as builder:
        with pytest.raises(BadRequest) as caught:
            await prompt_of(builder, chat(template=TemplateChoice(name=name)))
    assert caught.value.param == "instruction_template"


async def test_reply_is_read_by_the_template_it_was_asked_with(tmp_path: Path) -> None:
    """Tool and reasoning formats are chosen by it."""
    async with built(tmp_path) as builder, scripted_engine() as engine:
        instructed = await builder.chat(engine, chat(persona=Persona(mode=Mode.CHAT_INSTRUCT)))
        spoken = await builder.chat(engine, chat(persona=Persona(mode=Mode.CHAT)))
    assert instructed.template.source == engine.card.chat_template
    assert "name2" in spoken.template.source


async def test_empty_source_is_none(tmp_path: Path) -> None:
    """Front ends send fields that nobody filled in."""
    async with built(tmp_path) as builder:
        assert await prompt_of(builder, chat(template=TemplateChoice(source="")), chat_template="own") == "own"
