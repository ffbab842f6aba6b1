"""The body of a chat request → our ChatRequest. Pure; raises BadRequest for what is not supported."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from extensions.openai.chat.schema import (
    AllowedTool,
    AllowedTools,
    ChatCompletionRequest,
    CustomTool,
    FunctionTool,
    NamedTool,
    PredictedContent,
    ReasoningFields,
    ReasoningOptions,
    TemplateFields,
    Tool,
    ToolChoiceObject,
    ToolFields,
)
from extensions.openai.common.generation import (
    adapters_of,
    explicit_of,
    keep_alive_of,
    limits_of,
    prefix_repair_of,
    refuse_unavailable,
    sampling_of,
    unavailable,
)
from extensions.openai.common.items.inbound import items_of
from extensions.openai.common.items.messages import turns_of
from extensions.openai.common.messages import content_parts, message_of
from extensions.openai.structured.constraint import text_constraint
from extensions.openai.structured.schemas import plain_schema
from modules.errors import BadRequest
from modules.messages import Message, TextPart, ToolChoice, ToolSpec, ToolUse
from modules.requests import ChatRequest, Mode, Persona, TemplateChoice
from modules.sampling import Sampling
from modules.settings.values import Settings


def reasoning_budget(body: ReasoningFields) -> int | None:
    """The most tokens of thought; None for no bound."""
    options = body.reasoning or ReasoningOptions()
    given = (body.reasoning_budget, body.thinking_budget, body.thinking_token_budget, options.max_tokens)
    budget = next((value for value in given if value is not None), None)
    return None if budget == -1 else budget


def reasoning_arguments(body: ReasoningFields, settings: Settings) -> dict[str, Any]:
    """Who wants no thought, whether by effort or by budget, gets none from templates with a switch for it."""
    options = body.reasoning or ReasoningOptions()
    # The top-level field is OpenAI's, the object OpenRouter's.
    effort = body.reasoning_effort or options.effort or settings.wanted_effort
    asked = options.enabled if body.enable_thinking is None else body.enable_thinking
    preserves = settings.preserve_thinking if body.preserve_thinking is None else body.preserve_thinking
    wants_none = effort == "none" or reasoning_budget(body) == 0
    thinks = (settings.enable_thinking and not wants_none) if asked is None else asked
    arguments = {"enable_thinking": thinks, "preserve_thinking": preserves}
    return arguments if effort in (None, "none") else arguments | {"reasoning_effort": effort}


# What providers run themselves, in their names with and without a version.
_HOSTED: Final = re.compile(
    r"(?P<name>([a-z]+:)?(apply_patch|bash|browser|browser_search|code_execution|code_interpreter|computer|computer_use"
    r"|computer_use_preview|file_search|google_maps|google_search|image_generation|live_search|local_shell|mcp|memory"
    r"|namespace|programmatic_tool_calling|shell|text_editor|tool_search|url_context|web_fetch|web_search"
    r"|web_search_preview|x_search))(_\d[\d_]*|-\d[\d-]*)?"
)
# OpenAI allows 64 letters, digits, - and _; agents also send names with dots, colons and slashes.
_NAME: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


@dataclass(frozen=True, slots=True)
class ChatTools:
    """What a request offers. `is_legacy`: it speaks of functions, and is answered in that form. `left_out` are the
    places of what is not offered."""

    tools: tuple[ToolSpec, ...]
    choice: ToolChoice
    is_legacy: bool
    left_out: tuple[str, ...] = ()

    @property
    def customs(self) -> frozenset[str]:
        """Names of the tools that take free text."""
        return frozenset(tool.name for tool in self.tools if tool.is_custom)


def chat_tools(body: ToolFields) -> ChatTools:
    """Tools that providers run on their own servers are left out. Raises BadRequest."""
    if body.functions and body.tools:
        raise BadRequest("functions is the older form of tools; send only one of them.", param="functions")
    is_legacy = bool(body.functions)
    tools = tuple(_functions(body.functions) if body.functions else _offered(body.tools or ()))
    # The model's call names one tool; with two of a name nobody could say which.
    _refuse_duplicates(tools, "functions" if is_legacy else "tools")
    if is_legacy or body.function_call is not None:
        choice = _legacy_choice(body.function_call, tools)
    else:
        choice = _choice(body.tool_choice, tools, parallel=body.parallel_tool_calls is not False)
    return ChatTools(() if choice.use is ToolUse.NONE else tools, choice, is_legacy, tuple(_left_out(body.tools or ())))


def _left_out(tools: Sequence[Tool]) -> Iterator[str]:
    for number, tool in enumerate(tools):
        if is_hosted(tool):
            yield f"tools[{number}].{tool.type}"
        elif tool.type == "custom" and has_grammar(tool.custom):
            yield f"tools[{number}].custom.format"


def is_hosted(tool: Tool) -> bool:
    return _HOSTED.fullmatch(tool.type) is not None


def _offered(tools: Sequence[Tool]) -> Iterator[ToolSpec]:
    for number, tool in enumerate(tools):
        path = f"tools[{number}]"
        if tool.type == "function":
            yield _function(_given(tool.function, f"{path}.function"), f"{path}.function")
        elif tool.type == "custom":
            yield _custom(_given(tool.custom, f"{path}.custom"), f"{path}.custom")
        elif not is_hosted(tool):
            raise BadRequest("The type of a tool must be function or custom.", param=f"{path}.type")


def _functions(functions: Sequence[FunctionTool]) -> Iterator[ToolSpec]:
    return (_function(function, f"functions[{number}]") for number, function in enumerate(functions))


def _given(spec: Any, path: str) -> Any:  # noqa: ANN401 - one of the two kinds of tool
    if spec is None:
        raise BadRequest(f"{path} is missing.", param=path)
    return spec


def _function(function: FunctionTool, path: str) -> ToolSpec:
    return ToolSpec(
        name=_name(function.name, path),
        description=function.description or "",
        parameters=_object_schema(function.parameters, f"{path}.parameters"),
        strict=bool(function.strict),
    )


def _custom(custom: CustomTool, path: str) -> ToolSpec:
    """A grammar for the text is told to the model, and not enforced: who runs the tool checks what it gets."""
    described = custom.description or ""
    if has_grammar(custom):
        definition = _definition(custom)
        if definition is None:
            raise BadRequest(
                "The format of a custom tool is text, or a grammar with a definition.", param=f"{path}.format"
            )
        described = f"{described}\n\nThe input follows this grammar:\n{definition}".strip()
    return ToolSpec(name=_name(custom.name, path), description=described, is_custom=True)


def has_grammar(custom: CustomTool | None) -> bool:
    return custom is not None and (custom.format or {}).get("type", "text") != "text"


def _definition(custom: CustomTool) -> str | None:
    given = custom.format or {}
    inner = given.get("grammar")
    definition = (inner if isinstance(inner, dict) else given).get("definition")
    return definition if isinstance(definition, str) else None


def _name(name: str, path: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "The name of a tool is made of letters, digits and _ . : / -, 128 at most.", param=f"{path}.name"
        )
    return name


def _object_schema(given: object, path: str) -> dict[str, Any] | None:
    if given is None or given == []:
        return None
    schema = plain_schema(given)
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise BadRequest('The parameters must be the JSON schema of an object: {"type": "object", …}.', param=path)
    if not isinstance(schema.get("properties", {}), dict):
        raise BadRequest("The properties of the parameters must be an object.", param=f"{path}.properties")
    return schema


def _refuse_duplicates(tools: Sequence[ToolSpec], field: str) -> None:
    names = set[str]()
    for tool in tools:
        if tool.name in names:
            raise BadRequest(f"Two tools have the name {tool.name}.", param=field)
        names.add(tool.name)


def _legacy_choice(choice: str | NamedTool | None, tools: Sequence[ToolSpec]) -> ToolChoice:
    if isinstance(choice, NamedTool):
        return _only(choice.name, tools, "function_call")
    return ToolChoice(use=ToolUse(choice or "auto"), parallel=False)


def _choice(choice: ToolChoiceObject | None, tools: Sequence[ToolSpec], *, parallel: bool) -> ToolChoice:
    match choice:
        case None:
            return ToolChoice(parallel=parallel)
        case ToolChoiceObject(type="none" | "auto" as use):
            return ToolChoice(use=ToolUse(use), parallel=parallel)
        case ToolChoiceObject(type="required" | "any"):
            _need(tools)
            return ToolChoice(use=ToolUse.REQUIRED, parallel=parallel)
        case ToolChoiceObject(type="function" | "custom" | "tool"):
            return _only(_name_in(choice), tools, "tool_choice")
        case ToolChoiceObject(type="allowed_tools", allowed_tools=AllowedTools() as allowed):
            names = _offered_names((_name_in(tool) for tool in allowed.tools), tools)
            return ToolChoice(use=ToolUse(allowed.mode), names=names, parallel=parallel)
    raise BadRequest(
        "tool_choice must be none, auto, required, a tool by its name, or allowed_tools.", param="tool_choice"
    )


def _name_in(tool: AllowedTool) -> str:
    named = tool.custom if tool.type == "custom" else tool.function
    name = named.name if named is not None else tool.name
    if not name:
        raise BadRequest(f"tool_choice does not say which {tool.type} it means.", param="tool_choice")
    return name


def _only(name: str, tools: Sequence[ToolSpec], param: str) -> ToolChoice:
    """A tool by its name is called once."""
    if name not in {tool.name for tool in tools}:
        raise BadRequest(f"{param} names {name}, which is not among the tools that are offered.", param=param)
    return ToolChoice(use=ToolUse.REQUIRED, names=(name,), parallel=False)


def _offered_names(names: Iterable[str], tools: Sequence[ToolSpec]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_only(name, tools, "tool_choice").names[0] for name in names))


def _need(tools: Sequence[ToolSpec]) -> None:
    if not tools:
        raise BadRequest(
            "tool_choice asks for a call, but no tool is offered that the model can call.", param="tool_choice"
        )


# Silently left out, these would change what the reply is: spoken, or with sources.
_UNAVAILABLE: Final = ("audio", "web_search_options")


def chat_request(
    body: ChatCompletionRequest,
    settings: Settings,
    *,
    toolbox: ChatTools | None = None,
    defaults: Sampling | None = None,
) -> ChatRequest:
    """`toolbox` is what `chat_tools` makes of the body; `defaults` stand in for the settings' sampling. Raises
    BadRequest."""
    refuse_unavailable(body, _UNAVAILABLE)
    if set(body.modalities or ()) - {"text"}:
        raise unavailable("modalities")
    toolbox = toolbox or chat_tools(body)
    return ChatRequest(
        model=body.model,
        explicit=explicit_of(body),
        prefix_repair=prefix_repair_of(body),
        keep_alive=keep_alive_of(body),
        adapters=adapters_of(body),
        messages=_messages(body),
        sampling=sampling_of(body, defaults or settings.sampling),
        limits=limits_of(body, max_tokens=_max_tokens(body), n=body.n or 1),
        persona=_persona(body),
        template=TemplateChoice(name=body.instruction_template, source=body.instruction_template_str),
        tools=toolbox.tools,
        tool_choice=toolbox.choice,
        constraint=text_constraint(body.text, body),
        reasoning_budget=reasoning_budget(body),
        prediction=_prediction(body.prediction),
        logprobs=_alternatives(body),
        continue_last=_continues(body),
        add_generation_prompt=body.add_generation_prompt is not False,
        truncates=body.truncation == "auto",
        # What is addressed to the template by name wins over what is derived from other fields.
        template_arguments=reasoning_arguments(body, settings) | _plain_values(body.chat_template_kwargs or {}),
    )


def _messages(body: ChatCompletionRequest) -> tuple[Message, ...]:
    if body.messages is not None:
        return tuple(message_of(message, f"messages[{number}]") for number, message in enumerate(body.messages))
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


def _prediction(given: PredictedContent | None) -> str:
    parts = () if given is None else tuple(content_parts(given.content, "prediction"))
    for number, part in enumerate(parts):
        if not isinstance(part, TextPart):
            raise BadRequest("A prediction is text.", param=f"prediction.content[{number}].type", code="invalid_value")
    return "".join(part.text for part in parts if isinstance(part, TextPart))


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
        greeting_index=body.greeting_index or 0,
        lorebooks=None if body.lorebooks is None else tuple(body.lorebooks),
        uses_lore=body.use_lorebooks,
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
