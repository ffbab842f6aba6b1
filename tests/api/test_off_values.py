"""What clients send for "off", for nothing, or as a default that nobody asked for is no mistake, at every endpoint."""

from typing import Any

import pytest

from tests.api.serving import CHAT, TEXT, Served, says

RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: says("count 3"),
    TEXT: {"prompt": "count 3"},
    RESPONSES: {"input": "count 3"},
    MESSAGES: {"messages": [{"role": "user", "content": "count 3"}], "max_tokens": 50},
}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
TOOL = {"type": "function", "function": FUNCTION}
SAMPLERS: list[dict[str, Any]] = [
    {"adaptive_target": -0.01, "adaptive_decay": 0.9},
    {"adaptive_target": -1},
    {"top_n_sigma": -1},
    {"top_n_sigma": 0, "nsigma": 0},
    {"repetition_penalty_range": -1},
    {"no_repeat_ngram_size": -1},
    {"smoothing_factor": -1},
    {"dry_multiplier": -0.8},
    {"xtc_probability": -1},
    {"min_p": -1},
    {"epsilon_cutoff": -1, "eta_cutoff": -1},
    {"penalty_alpha": -1, "prompt_lookup_num_tokens": -1, "max_tokens_second": -1, "truncation_length": -1},
    {"top_k": -1, "seed": -1, "min_tokens": -1, "mirostat_mode": 0},
    {"logit_bias": [], "stream_options": [], "metadata": [], "stop_token_ids": []},
    {"logit_bias": None, "stream_options": None, "metadata": None, "stop": None, "user": None, "seed": None},
    {"stop": []},
    {"stop": ""},
    {"stop": [None]},
    {"stop": [""]},
    {"response_format": ""},
    {"response_format": {"type": None}},
    {"response_format": []},
    {"response_format": {"type": ""}},
    {"custom_token_bans": "", "preset": "", "grammar_string": "", "guided_regex": ""},
    {"sampler_priority": [], "dry_sequence_breakers": []},
]
CHAT_ONLY: list[dict[str, Any]] = [
    {"max_tokens": -1},
    {"max_tokens": -2},
    {"max_tokens": "-1"},
    {"max_completion_tokens": -1},
    {"max_tokens": -1, "max_completion_tokens": -1},
    {"logprobs": -1, "top_logprobs": -1},
    {"logprobs": False, "top_logprobs": 0},
    {"tools": [], "tool_choice": ""},
    {"tools": [], "functions": []},
    {"tools": [TOOL], "tool_choice": {"type": "none", "function": {"name": ""}}},
    {"tools": [TOOL], "tool_choice": {"type": "auto", "function": {"name": ""}}},
    {"tools": [TOOL], "tool_choice": []},
    {"tools": [TOOL], "tool_choice": {"type": "auto", "function": {"name": None}}},
    {"functions": [FUNCTION], "function_call": {"name": ""}},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": []}}}]},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
    {"tools": [{"type": "function", "function": {**FUNCTION, "strict": None, "description": None}}]},
    {"reasoning_effort": "banana"},
    {"reasoning_effort": ""},
    {"reasoning_effort": 3},
    {"reasoning": {"effort": "turbo", "max_tokens": None}},
    {"reasoning": []},
    {"modalities": [], "audio": [], "web_search_options": [], "chat_template_kwargs": []},
    {"n": None, "continue_": None, "character": None, "name1": None},
]
TEXT_ONLY: list[dict[str, Any]] = [
    {"max_tokens": -1},
    {"logprobs": -1},
    {"logprobs": False},
    {"best_of": 0},
    {"best_of": -1},
    {"best_of": None, "n": None, "suffix": "", "echo": None},
]
RESPONSES_ONLY: list[dict[str, Any]] = [
    {"max_output_tokens": -1},
    {"max_output_tokens": None, "max_tool_calls": -1, "top_logprobs": -1},
    {"previous_response_id": "", "conversation": ""},
    {"conversation": []},
    {"text": {"format": {"type": ""}, "verbosity": "normal"}},
    {"text": []},
    {"reasoning": {"effort": "banana", "summary": "none"}},
    {"reasoning": []},
    {"tools": [], "tool_choice": ""},
    {"tools": [{**FUNCTION, "type": "function", "parameters": []}], "tool_choice": []},
    {"tools": [{**FUNCTION, "type": "function", "parameters": {"properties": []}}]},
    {"metadata": [], "include": []},
]
MESSAGES_ONLY: list[dict[str, Any]] = [
    {"max_tokens": -1},
    {"max_tokens": None},
    {"thinking": [], "output_config": [], "tool_choice": []},
    {"output_config": {"effort": "banana"}},
    {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": []}}]},
    {"stop_sequences": []},
    {"stop_sequences": None, "system": None, "tools": None},
]
EVERYWHERE = [(path, fields) for path in BODIES for fields in SAMPLERS]
ONLY = [
    (path, fields)
    for path, cases in ((CHAT, CHAT_ONLY), (TEXT, TEXT_ONLY), (RESPONSES, RESPONSES_ONLY), (MESSAGES, MESSAGES_ONLY))
    for fields in cases
]


@pytest.mark.parametrize(("path", "fields"), EVERYWHERE + ONLY)
async def test_nothing_that_means_off_is_refused(api: Served, path: str, fields: dict[str, Any]) -> None:
    response = await api.post(path, BODIES[path] | fields)
    assert response.status_code == 200, response.text
    assert "1 2 3" in response.text


@pytest.mark.parametrize("path", BODIES)
async def test_without_a_bound_the_reply_may_fill_the_context(api: Served, path: str) -> None:
    words = (
        {"input": "count 400"} if path == RESPONSES else {"prompt": "count 400"} if path == TEXT else says("count 400")
    )
    bound = {"max_output_tokens" if path == RESPONSES else "max_tokens": -1}
    response = await api.post(path, {**words, **bound})
    assert response.status_code == 200
    assert path == TEXT or " 400" in response.text


@pytest.mark.parametrize("number", [7, 0])
async def test_ids_of_calls_may_be_numbers(api: Served, number: int) -> None:
    call = {"id": number, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": number, "content": "ok"},
        {"role": "user", "content": "count 3"},
    ]
    items = [
        {"type": "function_call", "call_id": number, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": number, "output": "ok"},
        {"role": "user", "content": "count 3"},
    ]
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": number, "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": number, "content": "ok"}]},
        {"role": "user", "content": "count 3"},
    ]
    for path, body in ((CHAT, {"messages": chat}), (RESPONSES, {"input": items}), (MESSAGES, {"messages": turns})):
        response = await api.post(path, {"max_tokens": 20, **body})
        assert response.status_code == 200, response.text


async def test_tools_that_providers_run_are_named(api: Served) -> None:
    tools = [{"type": "web_search"}, TOOL, {"type": "code_interpreter", "container": {"type": "auto"}}]
    for stream in (False, True):
        response = await api.post(CHAT, says("count 3", tools=tools, stream=stream))
        assert response.headers["x-ignored-parameters"] == "tools[0].web_search, tools[2].code_interpreter"


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
@pytest.mark.parametrize("kind", ["a secret\r\nSet-Cookie: x", "é👋", "x" * 10_000, "a, b"])
async def test_a_type_of_the_callers_own_is_no_danger_to_the_header(api: Served, path: str, kind: str) -> None:
    for stream in (False, True):
        body = {**BODIES[path], "tools": [{"type": kind, "name": "x"}] * 60, "stream": stream}
        response = await api.post(path, body)
        assert response.status_code == 200, response.text
        named = response.headers["x-ignored-parameters"]
        assert named.startswith("tools[0].")
        assert "set-cookie" not in response.headers
        assert len(named) < 10_000
        assert named.isascii()
