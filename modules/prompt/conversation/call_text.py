"""Calls and results as text, for templates that have no place for them: in the marks that the model was trained on where
the template gives them away, else as most models know them. `modules/reply/formats` reads the same marks."""

import json
from collections.abc import Callable, Sequence
from typing import Final

from modules.messages import ToolCall
from modules.prompt.templates.arguments import Arguments, replayed_arguments


def calls_as_text(calls: Sequence[ToolCall], source: str) -> str:
    """What a model with the chat template `source` would have written to make `calls`."""
    write = next((write for hint, write in _WRITERS if hint in source), _tagged)
    return write(calls)


def result_as_text(name: str | None, text: str) -> str:
    """A result in a user's turn."""
    return f"[Tool result: {name}]\n{text}" if name else f"[Tool result]\n{text}"


def _tagged(calls: Sequence[ToolCall]) -> str:
    return "\n".join(f"<tool_call>\n{_json(call)}\n</tool_call>" for call in calls)


def _listed(calls: Sequence[ToolCall]) -> str:
    """IBM's Granite 3."""
    return f"<|tool_call|>[{', '.join(map(_json, calls))}]"


def _pythonic(calls: Sequence[ToolCall]) -> str:
    """Liquid's LFM2."""
    written = ", ".join(f"{call.name}({', '.join(_python_arguments(call))})" for call in calls)
    return f"<|tool_call_start|>[{written}]<|tool_call_end|>"


def _python_arguments(call: ToolCall) -> list[str]:
    return [f"{name}={_python(value)}" for name, value in replayed_arguments(call.arguments).items()]


def _python(value: object) -> str:
    """Python's own notation, with JSON's quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _json(call: ToolCall) -> str:
    arguments = replayed_arguments(call.arguments)
    written = str(arguments) if isinstance(arguments, Arguments) else json.dumps({"_raw": call.arguments})
    return f'{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {written}}}'


_WRITERS: Final[tuple[tuple[str, Callable[[Sequence[ToolCall]], str]], ...]] = (
    ("<|tool_call|>", _listed),
    ("<|tool_call_start|>", _pythonic),
    ("List of tools: ", _pythonic),
)
