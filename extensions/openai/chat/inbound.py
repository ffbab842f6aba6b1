"""The body of a chat request → our ChatRequest. Pure; what cannot be honoured is a BadRequest that names it."""

from typing import Any, Final

from extensions.openai.chat.message_inbound import message_of
from extensions.openai.chat.reasoning_inbound import reasoning_arguments, reasoning_budget
from extensions.openai.chat.schema import ChatCompletionRequest, TemplateFields
from extensions.openai.chat.tool_inbound import Toolbox, toolbox_of
from extensions.openai.common.generation_inbound import (
    keep_alive_of,
    limits_of,
    refuse_unavailable,
    sampling_of,
    unavailable,
)
from extensions.openai.responses.inbound import text_constraint
from extensions.openai.responses.input_items import items_of
from extensions.openai.responses.turns import turns_of
from modules.errors import BadRequest
from modules.messages import Message
from modules.requests import ChatRequest, Mode, Persona, TemplateChoice
from modules.sampling import Sampling
from modules.settings.values import Settings

_UNAVAILABLE: Final = ("audio", "web_search_options")


def chat_request(
    body: ChatCompletionRequest,
    settings: Settings,
    *,
    toolbox: Toolbox | None = None,
    defaults: Sampling | None = None,
) -> ChatRequest:
    """`toolbox` is what `toolbox_of` makes of the body; `defaults` stand in for the settings' sampling. Raises
    BadRequest."""
    refuse_unavailable(body, _UNAVAILABLE)
    if set(body.modalities or ()) - {"text"}:
        raise unavailable("modalities")
    toolbox = toolbox or toolbox_of(body)
    return ChatRequest(
        model=body.model,
        keep_alive=keep_alive_of(body),
        messages=_messages(body),
        sampling=sampling_of(body, defaults or settings.sampling),
        limits=limits_of(body, max_tokens=_max_tokens(body), n=body.n or 1),
        persona=_persona(body),
        template=TemplateChoice(name=body.instruction_template, source=body.instruction_template_str),
        tools=toolbox.tools,
        tool_choice=toolbox.choice,
        constraint=text_constraint(body.text, body),
        reasoning_budget=reasoning_budget(body),
        logprobs=_alternatives(body),
        continue_last=_continues(body),
        add_generation_prompt=body.add_generation_prompt is not False,
        truncates=body.truncation == "auto",
        template_arguments=reasoning_arguments(body, settings) | _plain_values(body.chat_template_kwargs or {}),
    )


def _messages(body: ChatCompletionRequest) -> tuple[Message, ...]:
    if body.messages is not None:
        last = max((i for i, message in enumerate(body.messages) if message.role == "user"), default=0)
        return tuple(
            message_of(message, f"messages[{number}]", is_past=number < last)
            for number, message in enumerate(body.messages)
        )
    if body.input is None:
        raise BadRequest("'messages' is missing.", param="messages", code="missing_required_parameter")
    if body.previous_response_id is not None:
        raise BadRequest(
            "previous_response_id is read by POST /v1/responses. Send the whole conversation here.",
            param="previous_response_id",
        )
    turns = turns_of(items_of(body.input, {}), body.instructions)
    if not turns:
        raise BadRequest("There is no input.", param="input", code="missing_required_parameter")
    return turns


def _max_tokens(body: ChatCompletionRequest) -> int | None:
    given = (body.max_tokens, body.max_completion_tokens, body.max_output_tokens)
    max_tokens = next((bound for bound in given if bound is not None), None)
    if max_tokens == 0:
        raise BadRequest("max_tokens must be at least 1.", param="max_tokens")
    return max_tokens


def _persona(body: TemplateFields) -> Persona:
    return Persona(
        mode=Mode(body.mode or Mode.INSTRUCT),
        character=body.character,
        bot_name=body.bot_name if body.name2 is None else body.name2,
        user_name=body.user_name if body.name1 is None else body.name1,
        context=body.context,
        greeting=body.greeting,
        user_bio=body.user_bio,
        chat_instruct_command=body.chat_instruct_command,
        chat_template=body.chat_template_str,
    )


def _alternatives(body: ChatCompletionRequest) -> int | None:
    if body.logprobs:
        return body.top_logprobs or 0
    if body.top_logprobs:
        raise BadRequest("top_logprobs needs logprobs to be true.", param="top_logprobs")
    return None


def _continues(body: TemplateFields) -> bool:
    if body.add_generation_prompt and body.continue_final_message:
        raise BadRequest(
            "continue_final_message goes on with a turn, add_generation_prompt begins one: leave one of them out.",
            param="add_generation_prompt",
        )
    return bool(body.continue_ or body.continue_final_message)


def _plain_values(arguments: dict[str, Any]) -> dict[str, Any]:
    """Refuses containers: a template's own lists of messages or tools are not the caller's to set."""
    for name, value in arguments.items():
        if not isinstance(value, str | int | float | bool | None):
            raise BadRequest(
                f"chat_template_kwargs.{name} must be text, a number, true or false.", param="chat_template_kwargs"
            )
    return arguments
