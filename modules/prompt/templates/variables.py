"""The variables of a chat template beside the messages: tools, tokens, reasoning effort, switches."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from modules.engine.types import ModelCard
from modules.errors import BadRequest
from modules.prompt.conversation.messages import template_tools
from modules.requests import ChatRequest

# Templates have two names for the same thing.
EFFORT_NAMES: Final = ("reasoning_effort", "thinking_effort")
EFFORT_WORDS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
OFF: Final = ("none", "no_think")
# What models were trained on where a template prints the word and names none itself.
_USUAL: Final = ("low", "medium", "high")
# Words that the template compares with stand in its source as texts.
_QUOTED: Final = re.compile(rf"""['"]({"|".join((*EFFORT_WORDS, "no_think"))})['"]""")


def nearest_effort(wish: str, taken: Collection[str], source: str) -> str | None:
    """The word for `wish` that is given to the template `source`, which refuses all words but those `taken`; of two as
    near the longer. None where it takes none, or where nobody knows what was wished for."""
    known = frozenset(_QUOTED.findall(source))
    if wish in taken and (wish in known or wish in _USUAL):
        return wish
    if wish not in EFFORT_WORDS:
        return None
    usable = [word for word in EFFORT_WORDS if word in taken and word not in OFF and (word in known or word in _USUAL)]
    place = EFFORT_WORDS.index(wish)
    return min(
        usable, key=lambda word: (abs(EFFORT_WORDS.index(word) - place), -EFFORT_WORDS.index(word)), default=None
    )


def no_effort(taken: Collection[str], source: str) -> str | None:
    """The word by which the template is told not to let the model think, if it has one."""
    known = frozenset(_QUOTED.findall(source))
    return next((word for word in OFF if word in known and word in taken), None)


# What the program itself says, and what templates call.
_OWN: Final = frozenset(
    {
        *(
            "messages",
            "tools",
            "documents",
            "add_generation_prompt",
            "continue_final_message",
            "bos_token",
            "eos_token",
        ),
        *("chat_template", "tokenize", "padding", "truncation", "max_length"),
        *("name1", "name2", "user_bio"),
        *(
            "range",
            "namespace",
            "dict",
            "cycler",
            "joiner",
            "raise_exception",
            "strftime_now",
            "loop",
            "self",
            "caller",
        ),
    }
)
# FireFunction's template, which asks for what others find out themselves.
_FUNCTIONS: Final = re.compile(r"\+\s*functions\s.*\+\s*datetime\s", re.DOTALL)
# What Jinja can read as a name; others could not be used by a template anyway.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MAX_LIST: Final = 64


def template_variables(card: ModelCard, request: ChatRequest, source: str, *, shows_tools: bool) -> dict[str, Any]:
    """All but the messages. Raises BadRequest for an argument that a request cannot set."""
    tools = template_tools(request.tools) if shows_tools else None
    own = {"tools": tools, "documents": None, "bos_token": card.bos_token, "eos_token": card.eos_token}
    variables = (
        _dates(source)
        | _thinking(request)
        | _effort(request, source)
        | _allowed(request.template_arguments, source)
        | own
    )
    return variables | (_functions(tools) if _FUNCTIONS.search(source) else {})


def _effort(request: ChatRequest, source: str) -> dict[str, Any]:
    """Under whichever name the template has for it."""
    wish = request.template_arguments.get(EFFORT_NAMES[0])
    return {name: wish for name in EFFORT_NAMES if wish is not None and re.search(rf"\b{name}\b", source)}


def _functions(tools: list[dict[str, Any]] | None) -> dict[str, Any]:
    now = datetime.now().astimezone().replace(minute=0, second=0)
    return {
        "functions": json.dumps(tools, ensure_ascii=False, indent=2) if tools else "",
        "datetime": now.strftime("%b %d %Y %H:%M:%S %Z").strip(),
    }


def _thinking(request: ChatRequest) -> dict[str, Any]:
    """The names under which templates other than the first ones read the same wish."""
    wish = request.template_arguments.get("enable_thinking")
    if wish is None:
        return {}
    budget = request.reasoning_budget
    return {"thinking": wish, "thinking_budget": (-1 if budget is None else budget) if wish else 0}


def _dates(source: str) -> dict[str, Any]:
    """For templates that name the date and have no way of finding it out."""
    if "date_string" not in source or re.search(r"date_string\s+is\s+(not\s+)?defined", source):
        return {}
    return {"date_string": datetime.now().astimezone().strftime("%d %b %Y")}


def _allowed(arguments: Mapping[str, Any], source: str) -> dict[str, Any]:
    """What the template mentions; the rest would change nothing."""
    for name, value in arguments.items():
        if name in _OWN or name.startswith("return_") or not _NAME.fullmatch(name):
            raise BadRequest(f"The template arguments cannot set {ascii(name)[:80]}.", param="chat_template_kwargs")
        if not _is_plain(value):
            raise BadRequest(
                f"chat_template_kwargs.{name} must be text, a number, true, false or a list of texts.",
                param="chat_template_kwargs",
            )
    return {name: value for name, value in arguments.items() if re.search(rf"\b{name}\b", source)}


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= _MAX_LIST and all(isinstance(item, str) for item in value)
    return isinstance(value, str | int | float | bool | None)
