"""Checks what extension hooks return: a value of a wrong type fails its request with a clear error."""

import logging
import operator
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import partial
from numbers import Real
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from modules.errors import ExtensionFailed
from modules.hooks import Change, Turn, source_of
from modules.requests import ChatRequest, CompletionRequest

_log = logging.getLogger(__name__)
_Value = TypeVar("_Value")
_Read: TypeAlias = Callable[[Any, Any], Any]

# What a frame to the model process can hold.
_LEAST: Final = -(2**63)
# The range of MessagePack's integers, in which values travel to the model's process.
_MOST: Final = 2**64 - 1
_NEW: Final = object()


class _Unfit(Exception):
    """`place` is where in the value, `words` what is wrong there; neither holds anything of the value."""

    def __init__(self, place: str, words: str) -> None:
        super().__init__(words)
        self.place = place
        self.words = words

    def within(self, place: str) -> "_Unfit":
        return _Unfit(place + self.place, self.words)


async def passed_through(hook: str, functions: Iterable[Change[_Value]], value: _Value, turn: Turn) -> _Value:
    """`value` after each of `functions`, which belong to `hook`, has had it. Raises ExtensionFailed."""
    for function in functions:
        value = checked(hook, function, await function(value, turn), known=value)
    return value


def checked(hook: str, function: object, value: Any, *, known: object = _NEW) -> Any:  # noqa: ANN401 - as the hook says
    """`value`, which `function` returned for `hook`, with lists as the tuples they stand for. `known` is a value that
    was checked before: what both have in common is not looked at. Raises ExtensionFailed."""
    try:
        return _READERS[hook](value, known)
    except _Unfit as unfit:
        source = source_of(function)
        place = f"{unfit.place.lstrip('.')} " if unfit.place else ""
        _log.error("%s returned a wrong value from %s: %s%s", source, hook, place, unfit.words)
        raise ExtensionFailed(
            f"{source} returned a wrong value from {hook}: {place}{unfit.words}. Start without it to go on."
        ) from None


def _reader(kind: Any) -> _Read:  # noqa: ANN401 - one line for each form of a type
    """Reads a value as `kind`: what `get_type_hints` says of the fields of plain values."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return _anything
    if origin in (Union, UnionType):
        return partial(_read_union, tuple((each, _reader(each)) for each in arguments))
    if origin is tuple:
        return partial(_read_tuple, tuple(map(_reader, arguments)), arguments[-1] is ...)
    if origin is dict:
        return partial(_read_dict, _reader(arguments[0]), _reader(arguments[1]))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return partial(_read_dataclass, kind, {each.name: _reader(hints[each.name]) for each in fields(kind)})
    return _SIMPLE.get(kind, partial(_read_exact, kind))


def _anything(value: Any, _known: object) -> Any:  # noqa: ANN401 - of any type
    return value


def _read_union(options: tuple[tuple[Any, _Read], ...], value: Any, known: object) -> Any:  # noqa: ANN401 - of any type
    unfits: list[_Unfit] = []
    for _, read in options:
        try:
            return read(value, known)
        except _Unfit as unfit:
            unfits.append(unfit)
    deepest = max(unfits, key=lambda unfit: len(unfit.place))
    if deepest.place:
        raise deepest
    raise _Unfit("", f"must be {' or '.join(_named(kind) for kind, _ in options)}, not {_type_of(value)}")


def _read_tuple(items: tuple[_Read, ...], is_open: bool, value: Any, known: object) -> Any:  # noqa: ANN401 - of any type
    if value is known:
        return value
    if not isinstance(value, tuple | list):
        raise _Unfit("", f"must be a tuple, not {_type_of(value)}")
    if not is_open and len(value) != len(items):
        raise _Unfit("", f"must have {len(items)} entries, not {len(value)}")
    readers = items[:1] * len(value) if is_open else items
    return tuple(
        _placed(f"[{at}]", read, each, _NEW) for at, (read, each) in enumerate(zip(readers, value, strict=True))
    )


def _read_dict(read_key: _Read, read_value: _Read, value: Any, known: object) -> Any:  # noqa: ANN401 - of any type
    if value is known:
        return value
    if not isinstance(value, dict):
        raise _Unfit("", f"must be a dict, not {_type_of(value)}")
    return {
        _placed(".keys()", read_key, key, _NEW): _placed(".values()", read_value, each, _NEW)
        for key, each in value.items()
    }


def _read_dataclass(kind: Any, readers: dict[str, _Read], value: Any, known: object) -> Any:  # noqa: ANN401 - of any type
    if value is known:
        return value
    if not isinstance(value, kind):
        raise _Unfit("", f"must be {_named(kind)}, not {_type_of(value)}")
    changes = {}
    for name, read in readers.items():
        before = getattr(value, name)
        after = _placed(f".{name}", read, before, getattr(known, name, _NEW))
        if after is not before:
            changes[name] = after
    return replace(value, **changes) if changes else value


def _read_int(value: Any, _known: object) -> int:  # noqa: ANN401 - of any type
    """NumPy's numbers count too; a truth value is none."""
    if type(value) is not int:
        try:
            value = None if isinstance(value, bool) else operator.index(value)
        except TypeError:
            raise _Unfit("", f"must be a whole number, not {_type_of(value)}") from None
        if value is None:
            raise _Unfit("", "must be a whole number, not bool")
    if not _LEAST <= value <= _MOST:
        raise _Unfit("", "must be a number of at most 64 bits")
    return int(value)


def _read_float(value: Any, _known: object) -> float:  # noqa: ANN401 - of any type
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _Unfit("", f"must be a number, not {_type_of(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise _Unfit("", "must be a number that a float can hold") from None
    if number != number:
        raise _Unfit("", "must be a number, not NaN")
    return number


def _read_exact(kind: Any, value: Any, _known: object) -> Any:  # noqa: ANN401 - of any type
    if type(value) is kind:
        return value
    if isinstance(value, kind) and kind in (str, bytes):
        return kind(value)
    if isinstance(kind, type) and issubclass(kind, Enum) and isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            raise _Unfit("", f"must be one of {', '.join(str(each.value) for each in kind)}") from None
    raise _Unfit("", f"must be {_named(kind)}, not {_type_of(value)}")


def _placed(place: str, read: _Read, value: object, known: object) -> Any:  # noqa: ANN401 - as `read` says
    try:
        return read(value, known)
    except _Unfit as unfit:
        raise unfit.within(place) from None


def _named(kind: Any) -> str:  # noqa: ANN401 - a type or what stands for several
    if kind is NoneType:
        return "None"
    return str(getattr(kind, "__name__", kind)) if get_origin(kind) is None else str(kind)


def _type_of(value: object) -> str:
    return "None" if value is None else type(value).__name__


_SIMPLE: Final = MappingProxyType({int: _read_int, float: _read_float})
_READERS: Final = MappingProxyType(
    {
        "chat_request": _reader(ChatRequest),
        "completion_request": _reader(CompletionRequest),
        "chat_prompt": _reader(str),
        "reply_prefix": _reader(str),
        "token_count": _reader(int),
        "prompt_tokens": _reader(tuple[int, ...]),
        "reply": _reader(str),
        "reply_text": _reader(str),
    }
)
