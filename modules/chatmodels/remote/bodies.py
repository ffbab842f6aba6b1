"""Our requests → bodies for an OpenAI-compatible server. Pure.

What the caller left out is left out here: the server's own defaults count then. Beyond OpenAI's fields the names are
vLLM's, where it has one, and else ours; `dialects.py` has those of other servers.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from modules.chatmodels.remote.dialects import Dialect, constraint_fields, translated, without_end
from modules.engine.types import Constraint
from modules.errors import NotSupported
from modules.messages import AudioPart, FilePart, ImagePart, Message, Part, TextPart, ToolSpec, ToolUse
from modules.requests import ChatRequest, CompletionRequest, Limits, MixedPrompt
from modules.sampling import Sampling

_SCHEME: Final = re.compile(r"\s*(data:|https?://)", re.IGNORECASE)
_NEUTRAL_SAMPLING: Final = Sampling()
_NEUTRAL_LIMITS: Final = Limits()
# Sampling fields that are written in another way than by their own name.
_TRANSLATED: Final = frozenset({"logit_bias", "banned_tokens", "do_sample", "temperature"})
# OpenAI: "values between -100 and 100"; -100 "should result in a ban".
_BAN: Final = -100
# What templates are told when nobody asks for anything else.
_USUAL_ARGUMENTS: Final = (("enable_thinking", True), ("preserve_thinking", False))


def chat_body(request: ChatRequest, model: str, dialect: Dialect = Dialect.USUAL) -> dict[str, Any]:
    """For POST /chat/completions. Raises NotSupported."""
    body = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        **_generation(request, dialect),
        **_chat_logprobs(request.logprobs),
        **_tools(request),
        **_template(request),
    }
    return translated(body, dialect)


def completion_body(request: CompletionRequest, model: str, dialect: Dialect = Dialect.USUAL) -> dict[str, Any]:
    """For POST /completions. Raises NotSupported."""
    if request.prompt_logprobs is not None:
        raise NotSupported(
            "Log probabilities of the prompt cannot be had from a model on another server. Leave out echo with logprobs.",
            param="echo",
        )
    body = {"model": model, "prompt": _prompts(request.prompts), **_generation(request, dialect)}
    if request.limits.max_tokens is None:
        body |= without_end(dialect)
    if request.logprobs is not None:
        body["logprobs"] = request.logprobs
    if request.suffix is not None:
        body["suffix"] = request.suffix
    if not request.add_bos:
        body["add_special_tokens"] = False
    if not request.skip_special_tokens:
        body["skip_special_tokens"] = False
    return translated(body, dialect)


def _generation(request: ChatRequest | CompletionRequest, dialect: Dialect) -> dict[str, Any]:
    body = dict(_sampling(request.sampling, request.explicit))
    for field in fields(Limits):
        value = getattr(request.limits, field.name)
        if value is not None and (value != getattr(_NEUTRAL_LIMITS, field.name) or field.name in request.explicit):
            body[field.name] = list(value) if isinstance(value, tuple) else value
    if request.constraint is not None:
        body |= _constraint(request.constraint, dialect)
    return body


def _sampling(sampling: Sampling, explicit: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for field in fields(Sampling):
        value = getattr(sampling, field.name)
        is_set = field.name in explicit or value != getattr(_NEUTRAL_SAMPLING, field.name)
        if is_set and value is not None and field.name not in _TRANSLATED:
            yield field.name, list(value) if isinstance(value, tuple) else value
    if not sampling.do_sample:
        yield "temperature", 0
    elif sampling.temperature != _NEUTRAL_SAMPLING.temperature or "temperature" in explicit:
        yield "temperature", sampling.temperature
    bias = {str(token): value for token, value in sampling.logit_bias.items()}
    bias |= {str(token): _BAN for token in sampling.banned_tokens}
    if bias:
        yield "logit_bias", bias


def _constraint(constraint: Constraint, dialect: Dialect) -> dict[str, Any]:
    if constraint.kind != "json_schema":
        return constraint_fields(constraint, dialect)
    form = {"name": "reply", "schema": json.loads(constraint.text), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _chat_logprobs(alternatives: int | None) -> dict[str, Any]:
    if alternatives is None:
        return {}
    return {"logprobs": True} | ({"top_logprobs": alternatives} if alternatives else {})


def _prompts(prompts: Sequence[str | tuple[int, ...] | MixedPrompt]) -> object:
    written: list[object] = []
    for prompt in prompts:
        if isinstance(prompt, MixedPrompt):
            raise NotSupported(
                "Pictures and sounds in raw prompts cannot be sent on to another server. Send a chat completion.",
                param="messages",
            )
        written.append(prompt if isinstance(prompt, str) else list(prompt))
    return written[0] if len(written) == 1 else written


def _tools(request: ChatRequest) -> dict[str, Any]:
    choice = request.tool_choice
    tools = [tool for tool in request.tools if not choice.names or tool.name in choice.names]
    if not tools:
        return {}
    body: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]}
    if choice.use is ToolUse.REQUIRED and len(choice.names) == 1:
        body["tool_choice"] = {"type": "function", "function": {"name": choice.names[0]}}
    elif choice.use is not ToolUse.AUTO:
        body["tool_choice"] = choice.use.value
    if not choice.parallel:
        body["parallel_tool_calls"] = False
    return body


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _template(request: ChatRequest) -> dict[str, Any]:
    """Switches of the chat template, which vLLM, SGLang and llama-server hand on to it."""
    arguments = dict(request.template_arguments)
    body: dict[str, Any] = {}
    if (effort := arguments.pop("reasoning_effort", None)) is not None:
        body["reasoning_effort"] = effort
    for name, usual in _USUAL_ARGUMENTS:
        if arguments.get(name) == usual and name not in request.explicit:
            arguments.pop(name, None)
    if arguments:
        body["chat_template_kwargs"] = arguments
    if request.reasoning_budget is not None:
        body["thinking_token_budget"] = request.reasoning_budget
    if request.prediction:
        body["prediction"] = {"type": "content", "content": request.prediction}
    if request.continue_last:
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    elif not request.add_generation_prompt:
        body["add_generation_prompt"] = False
    if request.truncates:
        body["truncate_prompt_tokens"] = -1
    return body


def _message(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role.value, "content": _content(message)}
    if message.name:
        written["name"] = message.name
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    if message.reasoning:
        written["reasoning_content"] = message.reasoning
    if message.tool_calls:
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return written


def _content(message: Message) -> object:
    if message.tool_calls and not message.parts:
        return None
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [_part(part) for part in message.parts]


def _part(part: Part) -> Mapping[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(source, detail):
            url = source if _SCHEME.match(source) else f"data:image/png;base64,{source}"
            image = {"url": url} | ({} if detail == "auto" else {"detail": detail})
            return {"type": "image_url", "image_url": image}
        case AudioPart(source, form):
            return {"type": "input_audio", "input_audio": {"data": source.rpartition(",")[2], "format": form or "wav"}}
        case FilePart(source, name):
            return {"type": "file", "file": {"filename": name, "file_data": source}}
