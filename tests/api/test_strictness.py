"""The answers that exist, against the official client's types; and that the check itself can fail."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from pydantic import ValidationError

from tests.api.serving import CHAT, TEXT, Served, says
from tests.api.strictness import (
    strict,
    strict_chat,
    strict_chat_chunks,
    strict_error,
    strict_text,
    strict_text_chunks,
)

VARIANTS: list[dict[str, Any]] = [
    {},
    {"n": 2},
    {"max_tokens": 3},
    {"stop": ["h"]},
    {"seed": 1, "temperature": 0},
]


@pytest.mark.parametrize("fields", [*VARIANTS, {"logprobs": True}, {"logprobs": True, "top_logprobs": 3}])
async def test_chat_answers_are_what_the_client_expects(api: Served, fields: dict[str, Any]) -> None:
    strict_chat((await api.post(CHAT, says("echo: oh é👋", **fields))).json())
    stream = says("echo: oh é👋", stream=True, stream_options={"include_usage": True}, **fields)
    assert len(strict_chat_chunks((await api.post(CHAT, stream)).text)) > 2


@pytest.mark.parametrize("fields", [*VARIANTS, {"logprobs": 2}, {"logprobs": 2, "echo": True}, {"echo": True}])
async def test_text_answers_are_what_the_client_expects(api: Served, fields: dict[str, Any]) -> None:
    strict_text((await api.post(TEXT, {"prompt": "echo: oh é👋", **fields})).json())
    stream = {"prompt": "echo: oh é👋", "stream": True, "stream_options": {"include_usage": True}, **fields}
    assert len(strict_text_chunks((await api.post(TEXT, stream)).text)) > 2


@pytest.mark.parametrize("path", [CHAT, TEXT, "/v1/nothing"])
async def test_errors_are_what_the_client_expects(api: Served, path: str) -> None:
    assert strict_error((await api.post(path, {"temperature": -1})).json())


def changed(body: dict[str, Any], *path: str | int, value: object) -> dict[str, Any]:
    place: Any = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["created"], "1"),
        (["created"], 1.5),
        (["object"], "text_completion"),
        (["usage", "prompt_tokens"], None),
        (["choices", 0, "index"], "0"),
        (["choices", 0, "finish_reason"], None),
        (["choices", 0, "finish_reason"], "eos"),
        (["choices", 0, "message", "content"], ["hi"]),
        (["choices", 0, "message", "tool_calls"], [{"id": "c", "type": "function"}]),
        (["choices", 0, "message", "tool_calls"], [{"id": None, "function": {"name": "f", "arguments": "{}"}}]),
    ],
)
async def test_the_check_sees_what_does_not_fit(api: Served, path: list[str | int], value: object) -> None:
    body = (await api.post(CHAT, says("echo: hi"))).json()
    with pytest.raises(ValidationError):
        strict_chat(changed(body, *path, value=value))


async def test_the_check_sees_fields_that_nobody_documented(api: Served) -> None:
    body = (await api.post(CHAT, says("echo: hi"))).json()
    changed(body, "choices", 0, "message", "reasoning_content", value="hm")
    strict_chat(body)
    changed(body, "choices", 0, "message", "thoughts", value="hm")
    with pytest.raises(AssertionError, match=r"message\.thoughts"):
        strict_chat(body)
    strict(ChatCompletion, body, extras={"reasoning_content", "thoughts"})
