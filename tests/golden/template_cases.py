"""The conversations of templates/, as Hugging Face's renderer gets them and as a request has them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from modules.engine.process import ProcessEngine
from modules.engine.types import LoadSpec
from modules.messages import Message, Role, TextPart, ToolCall, ToolSpec
from modules.requests import ChatRequest
from tests.model_files import QWEN, SMOLLM2

TEMPLATES: Final = Path(__file__).parent / "templates"
CLIENTS: Final = Path(__file__).parent / "client_conversations.json"
GOLDENS: Final = TEMPLATES / "goldens"
MODELS: Final = MappingProxyType({"smollm2": SMOLLM2, "qwen2.5": QWEN})
BOS: Final = "<bos>"
EOS: Final = "<eos>"
_ALWAYS: Final = MappingProxyType({"date_string": "26 Jul 2024"})


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation; `variables` are all that a template gets besides messages and tools."""

    name: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    add_generation_prompt: bool
    arguments: dict[str, Any]
    reasoning_budget: int | None
    continues: bool = False

    @property
    def variables(self) -> dict[str, Any]:
        own = {"bos_token": BOS, "eos_token": EOS, **self.arguments}
        if "enable_thinking" not in self.arguments:
            return own
        budget = -1 if self.reasoning_budget is None else self.reasoning_budget
        is_on = self.arguments["enable_thinking"]
        return own | {"thinking": is_on, "thinking_budget": budget if is_on else 0}

    @property
    def request(self) -> ChatRequest:
        return ChatRequest(
            model=None,
            messages=tuple(_message(message) for message in self.messages),
            tools=tuple(_tool(tool["function"]) for tool in self.tools or ()),
            continue_last=self.continues,
            add_generation_prompt=self.add_generation_prompt,
            reasoning_budget=self.reasoning_budget,
            template_arguments=self.arguments,
        )


def cases(file: Path = TEMPLATES / "conversations.json") -> list[Case]:
    tools = json.loads((TEMPLATES / "tools.json").read_text("utf-8"))
    conversations = json.loads(file.read_text("utf-8"))
    return [_case(name, stored, tools) for name, stored in conversations.items()]


async def model_template(path: Path) -> str:
    """The chat template in a model file's metadata."""
    engine = await ProcessEngine.probe(LoadSpec(name=path.name, path=str(path), loader="llama.cpp"))
    try:
        assert engine.card.chat_template is not None
        return engine.card.chat_template
    finally:
        await engine.aclose()


def _case(name: str, stored: dict[str, Any], tools: dict[str, Any]) -> Case:
    return Case(
        name=name,
        messages=stored["messages"],
        tools=[tools[tool] for tool in stored.get("tools", ())] or None,
        add_generation_prompt=stored.get("add_generation_prompt", not stored.get("continues")),
        arguments={**_ALWAYS, **stored.get("arguments", {})},
        reasoning_budget=stored.get("reasoning_budget"),
        continues=stored.get("continues", False),
    )


def _message(message: dict[str, Any]) -> Message:
    return Message(
        role=Role(message["role"]),
        parts=tuple(_parts(message["content"])),
        name=message.get("name"),
        tool_calls=tuple(_call(call) for call in message.get("tool_calls", ())),
        tool_call_id=message.get("tool_call_id"),
        reasoning=message.get("reasoning_content"),
    )


def _parts(content: str | list[dict[str, Any]] | None) -> Iterator[TextPart]:
    """No part at all where the content is null."""
    if isinstance(content, str):
        yield TextPart(content)
    else:
        yield from (TextPart(part["text"]) for part in content or ())


def _call(call: dict[str, Any]) -> ToolCall:
    function = call["function"]
    return ToolCall(call["id"], function["name"], json.dumps(function["arguments"], ensure_ascii=False))


def _tool(function: dict[str, Any]) -> ToolSpec:
    return ToolSpec(function["name"], function["description"], function["parameters"])
