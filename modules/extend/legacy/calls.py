"""How functions of old scripts are called: with as many arguments as they declare."""

import inspect
from collections.abc import Callable
from typing import Any


def called(function: Callable[..., Any], *args: object, **offered: object) -> Any:  # noqa: ANN401 - what it returns
    """What `function` returns for as many of `args` as it takes by position, and those of `offered` that it names."""
    parameters = list(inspect.signature(function).parameters.values())
    named = {each.name for each in parameters}
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
    keywords = {name: value for name, value in offered.items() if takes_all or name in named}
    return function(*args[: _positions(parameters, keywords)], **keywords)


def _positions(parameters: list[inspect.Parameter], keywords: dict[str, object]) -> int | None:
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in by_position and each.name not in keywords for each in parameters)
