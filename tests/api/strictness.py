"""Strict checks of answers against the types that official clients ship: no missing field, none of another type, and
none that those types do not know but for the ones that are documented."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

import orjson
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, TypeAdapter

from tests.api.serving import chunks_of

DOCUMENTED_EXTRAS: Final = frozenset({"reasoning_content"})
M = TypeVar("M", bound=BaseModel)


def strict(model: type[M], body: object, *, extras: Collection[str] = DOCUMENTED_EXTRAS) -> M:
    """`body` as that type. Raises ValidationError or AssertionError for anything that does not fit exactly."""
    answer = TypeAdapter(model).validate_json(orjson.dumps(body), strict=True)
    unknown = set(_unknown_fields(answer, model.__name__, frozenset(extras)))
    assert not unknown, f"the client's types do not know {sorted(unknown)}"
    return answer


def strict_chat(body: object) -> ChatCompletion:
    return strict(ChatCompletion, body)


def strict_chat_chunks(stream: str) -> list[ChatCompletionChunk]:
    """Every event of a stream but `[DONE]`."""
    return [strict(ChatCompletionChunk, chunk) for chunk in chunks_of(stream)]


def strict_text(body: Mapping[str, Any]) -> Completion:
    """A text completion. In what it echoes the first token has no log probability, which OpenAI's API says with a null
    that its clients' types leave out."""
    return strict(Completion, {**body, "choices": [_without_first_nulls(choice) for choice in body["choices"]]})


def strict_text_chunks(stream: str) -> list[Completion]:
    """Every event of a stream but `[DONE]`. Their type is the whole answer's, whose finish_reason is never null: a
    chunk has null until its choice ends."""
    return [strict_text(_as_if_finished(chunk)) for chunk in chunks_of(stream)]


def strict_error(body: Mapping[str, Any]) -> str:
    """The message of OpenAI's error object, whose four fields are always there."""
    assert body.keys() == {"error"}
    error = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    assert all(error[name] is None or isinstance(error[name], str) for name in ("param", "code"))
    return error["message"]


def _unknown_fields(value: object, path: str, extras: frozenset[str]) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or {} if name not in extras)
        for name in value.model_fields_set - (value.model_extra or {}).keys():
            yield from _unknown_fields(getattr(value, name), f"{path}.{name}", extras)
    elif isinstance(value, list):
        for item in value:
            yield from _unknown_fields(item, f"{path}[]", extras)


def _without_first_nulls(choice: Mapping[str, Any]) -> dict[str, Any]:
    logprobs = choice["logprobs"]
    if logprobs is None or not logprobs["token_logprobs"] or logprobs["token_logprobs"][0] is not None:
        return {**choice}
    assert logprobs["top_logprobs"][0] is None
    return {**choice, "logprobs": {name: values[1:] for name, values in logprobs.items()}}


def _as_if_finished(chunk: Mapping[str, Any]) -> dict[str, Any]:
    choices = [
        {**choice, "finish_reason": "stop"} if choice["finish_reason"] is None else choice
        for choice in chunk["choices"]
    ]
    return {**chunk, "choices": choices}
