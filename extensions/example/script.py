"""Shows everything that an extension can do. Copy this folder to user_data/extensions/ to begin.

Start it with --extensions example. docs/EXTENSIONS.md explains each part.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from modules.extend.contributions import Announce
from modules.extend.host import Host
from modules.hooks import Turn
from modules.messages import ToolSpec
from modules.requests import ChatRequest, CompletionRequest
from modules.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """Parameters: settings.yaml has them as `example-signature` and so on. Values of a wrong type are refused."""

    signature: str = ""
    answers_itself: bool = False
    serves: bool = False


def setup(host: Host) -> None:
    """Called once, before the program runs. What fails here is named in the log, and the program starts without it."""
    settings = host.settings(ExampleSettings)
    watch_requests(host)
    watch_prompts(host)
    change_replies(host, settings)
    host.add_tool(ROLL, roll)
    host.add_tab("ExampleSettings", lambda: build_tab(host))
    host.add_block(lambda: gr.Markdown("A part of the page from the extension `example`."))
    host.add_css(".example { font-style: italic; }")
    host.add_js("console.log('The extension example is on the page.')")
    if settings.serves:
        host.serve(tick, name="example clock")


def watch_requests(host: Host) -> None:
    """Before the prompt is made: everything that a request asks for can be changed."""

    @host.hook
    def chat_request(request: ChatRequest, turn: Turn) -> ChatRequest:
        # What is put into the turn's memory is there for the later hooks of the same request.
        turn.memory["example: messages"] = len(request.messages)
        return request

    @host.hook
    def completion_request(request: CompletionRequest, turn: Turn) -> CompletionRequest:
        return replace(request, limits=replace(request.limits, min_tokens=max(0, request.limits.min_tokens)))


def watch_prompts(host: Host) -> None:
    """While the prompt is made."""

    @host.hook
    def chat_prompt(prompt: str, turn: Turn) -> str:
        return prompt

    @host.hook
    def reply_prefix(prefix: str, turn: Turn) -> str:
        return prefix

    @host.hook
    def prompt_tokens(tokens: tuple[int, ...], turn: Turn) -> tuple[int, ...]:
        return tokens


def change_replies(host: Host, settings: ExampleSettings) -> None:
    """A hook costs something where it is added: these two are added only when they are wanted."""
    if settings.signature:

        @host.hook
        def reply_text(text: str, turn: Turn) -> str:
            # The whole text at once, which is why replies do not appear word by word any more.
            return f"{text}\n\n{settings.signature}"

    if settings.answers_itself:

        @host.hook
        def token_count(prompt: str, turn: Turn) -> int:
            return len(prompt) // 4

        @host.hook
        def reply(turn: Turn) -> Iterator[str]:
            # No model is asked, and none has to be loaded.
            yield "You gave me a prompt of "
            yield f"{len(turn.prompt)} letters."


ROLL = ToolSpec(
    name="example_roll",
    description="Roll dice and add them up.",
    parameters={
        "type": "object",
        "properties": {"dice": {"type": "integer", "minimum": 1, "maximum": 100}},
        "required": ["dice"],
    },
)


def roll(arguments: dict[str, Any]) -> object:
    """Called when the model calls the tool and the user allows it; returns a text or what JSON can hold."""
    rolls = [random.randint(1, 6) for _ in range(min(100, int(arguments["dice"])))]
    return {"rolls": rolls, "sum": sum(rolls)}


def build_tab(host: Host) -> None:
    """Gradio components; in their events, as in hooks, the running program is there to be read."""
    gr.Markdown("A tab from the extension `example`.", elem_classes="example")
    shown = gr.Textbox(label="Loaded model", interactive=False)
    button = gr.Button("Which model is loaded?")
    button.click(lambda: host.runtime.models.state.name or "none", None, shown, api_visibility="private")


async def tick(runtime: Runtime, announce: Announce) -> None:
    """A service runs beside everything else until it is cancelled; the Session tab starts and stops it."""
    announce("The example's clock is running.")
    await asyncio.Event().wait()
