"""What the tests of prompts share: requests in a line, and builders over a user's folder of their own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from modules.library.library import Library
from modules.messages import Message, Role, text_message
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest
from modules.settings.values import Settings
from tests.scripted import scripted_card


def user(text: str) -> Message:
    return text_message(Role.USER, text)


def bot(text: str, **more: Any) -> Message:
    return Message(role=Role.ASSISTANT, parts=text_message(Role.ASSISTANT, text).parts if text else (), **more)


def system(text: str) -> Message:
    return text_message(Role.SYSTEM, text)


def chat(*messages: Message, **options: Any) -> ChatRequest:
    return ChatRequest(model=None, messages=messages or (user("Hi."),), **options)


@asynccontextmanager
async def built(
    folder: Path | None = None, files: Mapping[str, str] | None = None, **settings: Any
) -> AsyncIterator[PromptBuilder]:
    """A builder whose user data folder is `folder`, with `files` by their path in it."""
    if folder is not None:
        settings["user_data_dir"] = folder
    for name, text in (files or {}).items():
        assert folder is not None
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    chosen = Settings(**settings)
    builder = PromptBuilder(Library(chosen.user_data), chosen)
    try:
        yield builder
    finally:
        await builder.aclose()


async def prompt_of(builder: PromptBuilder, request: ChatRequest, **claims: Any) -> str:
    return await builder.text(scripted_card(**claims), request)
