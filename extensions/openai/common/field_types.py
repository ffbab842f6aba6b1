"""Types of request fields. Numbers are finite and no booleans; null always means absent.

What clients send for "off" is read as that: a negative bound or strength, an empty text for an id or a mode, and the
empty list that PHP writes for an empty object. Lists end at their first bad item: a message per item of a hostile list
would cost more than the list.
"""

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from modules.settings.option_values import Breakers, Words

# llama.cpp counts tokens in 32 bits with a sign.
MAX_COUNT: Final = 2**31 - 1
# Each bias costs work for every token.
MAX_BIASES: Final = 4096


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it must be a number, not true or false")
    return value


def _refuse_large(value: object) -> object:
    if isinstance(value, dict) and len(value) > MAX_BIASES:
        raise ValueError(f"it can have {MAX_BIASES} entries at most")
    return value


def _as_stops(value: object) -> object:
    """Without the nulls that stand where a client's list has nothing to say."""
    if isinstance(value, list):
        return [text for text in value if text is not None] if None in value else value
    return [value] if isinstance(value, str) else value


def _none_if_negative(value: object) -> object:
    return None if _is_negative(value) else value


def _is_negative(value: object) -> bool:
    if isinstance(value, str):
        return value.strip() in {"-1", "-2"}
    return isinstance(value, int | float) and not isinstance(value, bool) and value < 0


def _none_if_off(value: object) -> object:
    return None if value is False or _is_negative(value) else value


def _none_if_zero(value: object) -> object:
    return None if isinstance(value, int) and not isinstance(value, bool) and value == 0 else _none_if_negative(value)


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_effort(value: object) -> object:
    """The nearest of OpenAI's words; None, as if nothing had been said, for what is none."""
    if not isinstance(value, str):
        return "none" if value is False else None
    word = _SPELLING.sub("", value.lower())
    return word if word in get_args(_EffortWord) else _EFFORTS.get(word)


# `X-High`, `x_high` and `xhigh` are one word.
_SPELLING: Final = re.compile(r"[^a-z0-9]")
_EffortWord = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_EFFORTS: Final[Mapping[str, _EffortWord]] = types.MappingProxyType(
    {
        "off": "none",
        "no": "none",
        "disabled": "none",
        "disable": "none",
        "false": "none",
        "min": "minimal",
        "minimum": "minimal",
        "lowest": "minimal",
        "verylow": "minimal",
        "mid": "medium",
        "med": "medium",
        "middle": "medium",
        "moderate": "medium",
        "normal": "medium",
        "standard": "medium",
        "balanced": "medium",
        "hard": "high",
        "veryhigh": "xhigh",
        "extrahigh": "xhigh",
        "maximum": "max",
        "highest": "max",
        "huge": "max",
        "ultra": "max",
    }
)
# In Python a bool is an int; in JSON `true` is no number.
_IS_NUMBER = BeforeValidator(_refuse_bool)

Number = Annotated[float, _IS_NUMBER]
Share = Annotated[float, Field(ge=0, le=1), _IS_NUMBER]
Amount = Annotated[float, Field(ge=0, le=1e6), _IS_NUMBER]
Seconds = Annotated[float, Field(strict=True), _IS_NUMBER]
Temperature = Annotated[float, Field(ge=0, le=100), _IS_NUMBER]
Factor = Annotated[float, Field(gt=0, le=100), _IS_NUMBER]
Penalty = Annotated[float, Field(ge=-2, le=2), _IS_NUMBER]
Bias = Annotated[float, Field(ge=-100, le=100), _IS_NUMBER]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**64), _IS_NUMBER]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT), _IS_NUMBER]
Bound = Annotated[Count | None, BeforeValidator(_none_if_negative)]
Budget = Annotated[int, Field(ge=-1, le=MAX_COUNT), _IS_NUMBER]
Window = Annotated[int, Field(ge=0, le=2**20), _IS_NUMBER]
TopK = Annotated[int, Field(ge=-1, le=MAX_COUNT), _IS_NUMBER]
MirostatMode = Annotated[int, Field(ge=0, le=2), _IS_NUMBER]
Choices = Annotated[int, Field(ge=1, le=128), _IS_NUMBER]
BestOf = Annotated[Annotated[int, Field(ge=1, le=20), _IS_NUMBER] | None, BeforeValidator(_none_if_zero)]
TopLogits = Annotated[int, Field(ge=1, le=1000), _IS_NUMBER]
Alternatives = Annotated[Annotated[int, Field(ge=0, le=20), _IS_NUMBER] | None, BeforeValidator(_none_if_off)]
Switch = Annotated[bool | None, BeforeValidator(_none_if_negative)]
TokenId = Annotated[int, Field(ge=0, le=MAX_COUNT), _IS_NUMBER]
TokenIds = Annotated[list[TokenId], Field(max_length=2**20, fail_fast=True)]
LogitBias = Annotated[dict[TokenId, Bias], BeforeValidator(_refuse_large)]
Stops = Annotated[
    list[Annotated[str, Field(max_length=4096)]],
    Field(max_length=1024, fail_fast=True),
    BeforeValidator(_as_stops, json_schema_input_type=str | list[str]),
]
SequenceBreakers = Annotated[Breakers, Field(max_length=128)]
SamplerNames = Annotated[Words, Field(max_length=128)]
Effort = Annotated[_EffortWord | None, BeforeValidator(_as_effort, json_schema_input_type=_EffortWord)]
CallId = Annotated[str, Field(max_length=1024), BeforeValidator(_number_as_text)]
Name = Annotated[str | None, BeforeValidator(_none_if_empty)]
Anything = Any


class RequestModel(BaseModel):
    """Base of every request body: unknown fields are ignored, NaN and infinity refused. An empty list in the place of
    an object, which is what PHP makes of an empty array, counts as absent."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())
    _object_fields: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:  # noqa: ANN401 - pydantic's signature
        fields = cls.model_fields.items()
        cls._object_fields = frozenset(field.alias or name for name, field in fields if _is_object(field.annotation))

    @model_validator(mode="before")
    @classmethod
    def _without_empty_lists_for_objects(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(given, dict) or not any(given.get(name) == [] for name in cls._object_fields):
            return given
        return {name: value for name, value in given.items() if value != [] or name not in cls._object_fields}


def _is_object(annotation: Any) -> bool:  # noqa: ANN401 - a type form has no static type
    """Whether a field of that type holds one object, and never a list."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_object(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        kinds = get_args(annotation)
        return any(map(_is_object, kinds)) and not any(map(_is_list, kinds))
    return origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel))


def _is_list(annotation: Any) -> bool:  # noqa: ANN401 - a type form has no static type
    origin = get_origin(annotation)
    return _is_list(get_args(annotation)[0]) if origin is Annotated else origin is list or annotation is Any


def known_words(*words: str) -> BeforeValidator:
    """Any other word is none."""
    return BeforeValidator(lambda value: value if value in words else None)


class TokenFields(RequestModel):
    """Whose tokens they are."""

    model: str | None = Field(None, description="Any name, as in a chat.")
