"""Every place where an extension can step in: its signature, and what it is for. Nothing else lists them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from modules.requests import ChatRequest, CompletionRequest

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Filled when extensions are loaded, then fixed. Functions of one hook run in the order of the extensions."""

    chat_request: tuple[Callable[[ChatRequest], ChatRequest], ...] = ()
    """A chat request before its prompt is made; returns the request to answer instead."""

    completion_request: tuple[Callable[[CompletionRequest], CompletionRequest], ...] = ()
    """A text completion request before its prompts are made; returns the request to answer instead."""


def passed_through(functions: Iterable[Callable[[_Value], _Value]], value: _Value) -> _Value:
    """`value` after each of `functions`, in order, has had it."""
    for function in functions:
        value = function(value)
    return value
