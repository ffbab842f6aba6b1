"""The kinds of value that request fields are made of. Numbers are finite and no booleans; null always means absent.

Lists end at their first bad item: a message per item of a hostile list would cost more than the list."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from modules.option_values import Breakers, Words

MAX_COUNT: Final = 2**31 - 1
MAX_BIASES: Final = 4096


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it must be a number, not true or false")
    return value


def _refuse_large(value: object) -> object:
    if isinstance(value, dict) and len(value) > MAX_BIASES:
        raise ValueError(f"it can have {MAX_BIASES} entries at most")
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


_IS_NUMBER = BeforeValidator(_refuse_bool)

Number = Annotated[float, _IS_NUMBER]
Share = Annotated[float, Field(ge=0, le=1), _IS_NUMBER]
Amount = Annotated[float, Field(ge=0, le=1e6), _IS_NUMBER]
Temperature = Annotated[float, Field(ge=0, le=100), _IS_NUMBER]
Factor = Annotated[float, Field(gt=0, le=100), _IS_NUMBER]
Penalty = Annotated[float, Field(ge=-2, le=2), _IS_NUMBER]
Bias = Annotated[float, Field(ge=-100, le=100), _IS_NUMBER]
Integer = Annotated[int, Field(ge=-(2**63), lt=2**64), _IS_NUMBER]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT), _IS_NUMBER]
Budget = Annotated[int, Field(ge=-1, le=MAX_COUNT), _IS_NUMBER]
Window = Annotated[int, Field(ge=0, le=2**20), _IS_NUMBER]
TopK = Annotated[int, Field(ge=-1, le=MAX_COUNT), _IS_NUMBER]
MirostatMode = Annotated[int, Field(ge=0, le=2), _IS_NUMBER]
Choices = Annotated[int, Field(ge=1, le=128), _IS_NUMBER]
BestOf = Annotated[int, Field(ge=1, le=20), _IS_NUMBER]
TopLogits = Annotated[int, Field(ge=1, le=1000), _IS_NUMBER]
Alternatives = Annotated[int, Field(ge=0, le=20), _IS_NUMBER]
TokenId = Annotated[int, Field(ge=0, le=MAX_COUNT), _IS_NUMBER]
TokenIds = Annotated[list[TokenId], Field(max_length=2**20, fail_fast=True)]
LogitBias = Annotated[dict[TokenId, Bias], BeforeValidator(_refuse_large)]
Stops = Annotated[
    list[Annotated[str, Field(max_length=4096)]],
    Field(max_length=1024, fail_fast=True),
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
]
SequenceBreakers = Annotated[Breakers, Field(max_length=128)]
SamplerNames = Annotated[Words, Field(max_length=128)]
Anything = Any


class RequestModel(BaseModel):
    """Base of every request body: unknown fields are ignored, NaN and infinity refused."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())
