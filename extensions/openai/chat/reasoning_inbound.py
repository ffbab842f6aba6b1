"""What a chat request says about reasoning → variables of the chat template, and a budget. Pure."""

from typing import Any

from extensions.openai.chat.schema import ReasoningFields, ReasoningOptions
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
    effort = body.reasoning_effort or options.effort or settings.wanted_effort
    asked = options.enabled if body.enable_thinking is None else body.enable_thinking
    preserves = settings.preserve_thinking if body.preserve_thinking is None else body.preserve_thinking
    wants_none = effort == "none" or reasoning_budget(body) == 0
    thinks = (settings.enable_thinking and not wants_none) if asked is None else asked
    arguments = {"enable_thinking": thinks, "preserve_thinking": preserves}
    return arguments if effort in (None, "none") else arguments | {"reasoning_effort": effort}
