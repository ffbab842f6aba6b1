"""What is refused: always with a 400 that names the parameter, and never at the next caller's cost."""

import json
from typing import Any

import pytest

from tests.api.serving import CHAT, TEXT, Served, says
from tests.effort import async_effort_ratio

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "f"}}

SHARED: list[tuple[dict[str, Any], str]] = [
    ({"temperature": -1}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 1.1}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"top_k": 10**18}, "top_k"),
    ({"top_k": 1.5}, "top_k"),
    ({"min_p": False}, "min_p"),
    ({"frequency_penalty": 2.1}, "frequency_penalty"),
    ({"presence_penalty": -2.1}, "presence_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"repetition_penalty_range": 2**31 - 1}, "repetition_penalty_range"),
    ({"dry_sequence_breakers": ["x"] * 10_000}, "dry_sequence_breakers"),
    ({"mirostat_mode": 3}, "mirostat_mode"),
    ({"seed": 10**30}, "seed"),
    ({"seed": "x"}, "seed"),
    ({"n": 0}, "n"),
    ({"n": 129}, "n"),
    ({"n": 10**6}, "n"),
    ({"n": True}, "n"),
    ({"max_tokens": 10**12}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"stop": ["x"] * 10_000}, "stop"),
    ({"stop": [1]}, "stop[0]"),
    ({"stop": 5}, "stop"),
    ({"stop": "x" * 5000}, "stop[0]"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5"),
    ({"logit_bias": {str(number): 1 for number in range(10_000)}}, "logit_bias"),
    ({"custom_token_bans": "1,x"}, "custom_token_bans"),
    ({"stop_token_ids": [-1]}, "stop_token_ids[0]"),
    ({"stop_token_ids": [2**40]}, "stop_token_ids[0]"),
    ({"stream": "maybe"}, "stream"),
    ({"include_stop_str_in_output": True}, "include_stop_str_in_output"),
    ({"model": 5}, "model"),
    ({"preset": "Top-P"}, "preset"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format"),
    ({"guided_choice": []}, "guided_choice"),
    ({"guided_regex": "a", "guided_choice": ["b"]}, "guided_choice"),
]
CHAT_ONLY: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"content": "hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "assistant", "tool_calls": []}]}, "messages[0].content"),
    ({"messages": [{"role": "tool", "tool_call_id": "c"}]}, "messages[0].content"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, "messages[0].tool_calls[0].function"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}]},
        "messages[0].tool_calls[0].function.name",
    ),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0].image_url"),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
    ({"top_logprobs": 10**6}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"tools": [TOOL] * 10_000}, "tools"),
    ({"mode": "narrate"}, "mode"),
    ({"truncation": "sometimes"}, "truncation"),
    ({"reasoning_budget": -2}, "reasoning_budget"),
    ({"continue_final_message": True, "add_generation_prompt": True}, "add_generation_prompt"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "alloy"}}, "audio"),
    ({"web_search_options": {"a": 1}}, "web_search_options"),
    ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs"),
    ({"chat_template_kwargs": {"chat_template": "{{ 1 }}"}}, "chat_template_kwargs"),
    ({"continue_": True}, "messages"),
]
TEXT_ONLY: list[tuple[dict[str, Any], str]] = [
    ({"prompt": None}, "prompt"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": [[]]}, "prompt"),
    ({"prompt": [-1]}, "prompt[0]"),
    ({"prompt": [True]}, "prompt[0]"),
    ({"prompt": [100_000]}, "prompt"),
    ({"prompt": ["a", {"b": 1}]}, "prompt[1]"),
    ({"prompt": ["a"] * 100_000}, "prompt"),
    ({"prompt": ["a"] * 2000, "n": 2}, "prompt"),
    ({"best_of": 10**6}, "best_of"),
    ({"best_of": 21}, "best_of"),
    ({"best_of": 1, "n": 2}, "best_of"),
    ({"best_of": 2, "stream": True}, "best_of"),
    ({"logprobs": 10**6}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"max_tokens": 0, "echo": True}, "max_tokens"),
    ({"max_tokens": 0, "logprobs": 1}, "max_tokens"),
    ({"messages": [{"role": "user", "content": [IMAGE]}], "prompt": None}, "messages[0].content[0].image_url"),
]


@pytest.mark.parametrize(("fields", "param"), SHARED + CHAT_ONLY)
async def test_chat_refuses(api: Served, fields: dict[str, Any], param: str) -> None:
    await _is_refused(api, CHAT, says("echo: hi") | fields, param)


@pytest.mark.parametrize(("fields", "param"), SHARED + TEXT_ONLY)
async def test_completions_refuse(api: Served, fields: dict[str, Any], param: str) -> None:
    await _is_refused(api, TEXT, {"prompt": "echo: hi"} | fields, param)


async def _is_refused(api: Served, path: str, body: dict[str, Any], param: str) -> None:
    response = await api.post(path, body)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    await _works(api)

    async def ordinary() -> None:
        json.loads(json.dumps(body))
        await _works(api)

    assert await async_effort_ratio(lambda: api.post(path, body), ordinary, times=1) < 80


async def _works(api: Served) -> None:
    after = await api.post(CHAT, says("echo: still here"))
    assert after.json()["choices"][0]["message"]["content"] == "still here"


async def test_a_million_wrong_items_cost_little_more_than_reading_them(api: Served) -> None:
    content = b'{"prompt": [' + b"true," * 2_000_000 + b"true]}"

    async def refused() -> None:
        response = await api.http.post(TEXT, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == 400
        assert len(response.content) < 1000

    async def read() -> None:
        json.loads(content)

    assert await async_effort_ratio(refused, read, times=2) < 80


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"messages":' * 100_000,
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "echo: hi"}], "stop": "\\ud800"}',
        b'{"messages": [{"role": "user", "content": "echo: hi"}], "temperature": NaN}',
        b'{"messages": [{"role": "user", "content": "echo: hi"}], "temperature": 1e999}',
        b'{"messages": [{"role": "user", "content": "echo: hi"}], "logit_bias": {"5": -Infinity}}',
    ],
)
async def test_a_body_that_is_no_json_object_is_a_mistake_of_the_client(api: Served, content: bytes) -> None:
    response = await api.http.post(CHAT, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_control_tokens_in_a_message_stay_text(api: Served) -> None:
    """As a control token it would be one token, not ten."""
    tokens = [(await api.post(CHAT, says(words))).json()["usage"]["prompt_tokens"] for words in ("x", "x<|im_end|>")]
    assert tokens[1] - tokens[0] == len("<|im_end|>")
