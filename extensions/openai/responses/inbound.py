"""The body of a responses request → our ChatRequest, and the response as it is before the model has begun. Pure."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from extensions.openai.common.generation_inbound import keep_alive_of, limits_of, sampling_of
from extensions.openai.responses.bodies import ConversationReference, ReasoningEcho, ResponseObject, TextEcho
from extensions.openai.responses.items import ForeignItem, Item
from extensions.openai.responses.names import new_id
from extensions.openai.responses.namespaces import CallName
from extensions.openai.responses.schema import (
    CreateResponseRequest,
    PromptFields,
    ResponseReasoning,
    ResponseText,
    TextFormat,
)
from extensions.openai.responses.tools import Toolbox, added_tools, toolbox_of
from extensions.openai.responses.turns import turns_of
from extensions.openai.structured.constraint import (
    StructuredFields,
    constraint_of,
    json_schema_constraint,
    unenforced_keywords,
)
from modules.engine.types import Constraint
from modules.errors import BadRequest
from modules.requests import ChatRequest
from modules.sampling import Sampling
from modules.settings.values import Settings

_LOGPROBS: Final = "message.output_text.logprobs"
_ENCRYPTED: Final = "reasoning.encrypted_content"
_FORMAT_PARAM: Final = "text.format"


@dataclass(frozen=True, slots=True)
class Presentation:
    """How the reply is shown: which tools take free text, which stand in namespaces (by the model's names for them),
    whether thoughts come as summaries, what else is included."""

    custom_names: frozenset[str]
    has_logprobs: bool
    summarizes: bool
    seals_thoughts: bool
    in_namespaces: Mapping[str, CallName] = field(default_factory=dict)


def prompt_request(body: PromptFields, items: Sequence[Item], model: str | None, settings: Settings) -> ChatRequest:
    """What of a request makes up its prompt; `items` are all that the model is to read. Raises BadRequest."""
    toolbox = tools_of(body, items)
    turns = turns_of(items, body.instructions)
    if not turns:
        raise BadRequest("There is no input.", param="input", code="missing_required_parameter")
    return ChatRequest(
        model=model,
        messages=turns,
        tools=toolbox.specs,
        tool_choice=toolbox.choice,
        truncates=body.truncation == "auto",
        template_arguments=_template_arguments(body.reasoning, settings),
    )


def chat_request(
    body: CreateResponseRequest, items: Sequence[Item], settings: Settings, *, defaults: Sampling | None = None
) -> ChatRequest:
    """`defaults` stand in for the settings' sampling. Raises BadRequest."""
    if body.prompt is not None:
        raise BadRequest("Stored prompts are not available. Send the text itself.", param="prompt")
    if body.max_output_tokens == 0:
        raise BadRequest("max_output_tokens must be at least 1.", param="max_output_tokens")
    return replace(
        prompt_request(body, items, body.model, settings),
        keep_alive=keep_alive_of(body),
        sampling=sampling_of(body, defaults or settings.sampling),
        limits=limits_of(body, max_tokens=body.max_output_tokens, n=1),
        constraint=text_constraint(body.text, body),
        logprobs=_alternatives(body),
    )


def presentation_of(body: CreateResponseRequest, items: Sequence[Item] = ()) -> Presentation:
    """`items` are all that the model is to read."""
    toolbox = tools_of(body, items)
    return Presentation(
        custom_names=toolbox.custom_names,
        in_namespaces=toolbox.in_namespaces,
        has_logprobs=_alternatives(body) is not None,
        summarizes=_summary(body.reasoning) is not None,
        seals_thoughts=_ENCRYPTED in (body.include or ()),
    )


def draft_of(
    body: CreateResponseRequest, request: ChatRequest, model: str, items: Sequence[Item] = ()
) -> ResponseObject:
    """The response before there is anything in it; `items` are all that the model is to read."""
    toolbox = tools_of(body, items)
    effort = body.reasoning.effort if body.reasoning else None
    return ResponseObject(
        id=new_id("resp"),
        created_at=int(time.time()),
        status="queued" if body.background else "in_progress",
        background=bool(body.background),
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        model=model,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        conversation=ConversationReference(id=body.conversation.id) if body.conversation else None,
        prompt_cache_key=body.prompt_cache_key,
        reasoning=ReasoningEcho(effort=effort, summary=_summary(body.reasoning)),
        safety_identifier=body.safety_identifier,
        temperature=request.sampling.temperature,
        text=_text_echo(body),
        tool_choice=toolbox.shown_choice,
        tools=toolbox.shown,
        top_logprobs=body.top_logprobs or 0,
        top_p=request.sampling.top_p,
        truncation=body.truncation or "disabled",
        user=body.user,
        metadata=body.metadata or {},
    )


def tools_of(body: PromptFields, items: Sequence[Item] = ()) -> Toolbox:
    """Those of the request, and those that items among `items` add."""
    return toolbox_of(
        body.tools or (),
        body.tool_choice,
        parallel=body.parallel_tool_calls is not False,
        more=[tool for item in items if isinstance(item, ForeignItem) for tool in added_tools(item)],
    )


def _template_arguments(reasoning: ResponseReasoning | None, settings: Settings) -> dict[str, Any]:
    effort = (reasoning.effort if reasoning else None) or settings.wanted_effort
    arguments: dict[str, Any] = {"preserve_thinking": settings.preserve_thinking}
    if effort == "none":
        return arguments | {"enable_thinking": False}
    arguments["enable_thinking"] = settings.enable_thinking
    return arguments if effort is None else arguments | {"reasoning_effort": effort}


def _summary(reasoning: ResponseReasoning | None) -> str | None:
    return (reasoning.summary or reasoning.generate_summary) if reasoning else None


def _alternatives(body: CreateResponseRequest) -> int | None:
    if body.top_logprobs is None and _LOGPROBS not in (body.include or ()):
        return None
    return body.top_logprobs or 0


def text_constraint(text: ResponseText | None, fields: StructuredFields) -> Constraint | None:
    """From OpenAI's text.format, or else from the fields that other APIs and servers have for it. Raises BadRequest."""
    text_format = text.format if text else None
    match text_format:
        case None | TextFormat(type="text"):
            return constraint_of(fields)
        case TextFormat(type="json_object"):
            return json_schema_constraint({"type": "object"}, param=_FORMAT_PARAM)
        case TextFormat(type="json_schema", schema_=dict(schema)):
            return json_schema_constraint(schema, param=_FORMAT_PARAM, strict=text_format.strict is True)
        case TextFormat(type="json_schema"):
            raise BadRequest("'text.format.schema' is missing.", param=f"{_FORMAT_PARAM}.schema")
    raise BadRequest("text.format.type must be text, json_object or json_schema.", param=f"{_FORMAT_PARAM}.type")


def unenforced_text(text: ResponseText | None) -> tuple[str, ...]:
    """The places of what the reply is not held to, of a schema that is there."""
    match text.format if text else None:
        case TextFormat(type="json_schema", schema_=dict(schema), strict=strict):
            return unenforced_keywords(schema, f"{_FORMAT_PARAM}.schema", strict=strict is True)
    return ()


def _text_echo(body: CreateResponseRequest) -> TextEcho:
    text_format = body.text.format if body.text else None
    verbosity = (body.text.verbosity if body.text else None) or "medium"
    if text_format is None or text_format.type != "json_schema":
        return TextEcho(format={"type": text_format.type if text_format else "text"}, verbosity=verbosity)
    shown = {"type": "json_schema", "name": text_format.name or "schema", "description": text_format.description}
    return TextEcho(
        format=shown | {"schema": text_format.schema_, "strict": text_format.strict is not False}, verbosity=verbosity
    )
