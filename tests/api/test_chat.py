"""Whole answers of POST /v1/chat/completions."""

import pytest
from openai import AsyncOpenAI

from extensions.openai.typing import ChatCompletionRequest
from tests.api.serving import CHAT, Served, says


async def test_the_official_client_gets_a_reply(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="gpt-4", messages=[{"role": "user", "content": "echo: Grüße 👋"}]
    )
    [choice] = completion.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (choice.message.role, choice.message.content) == ("assistant", "Grüße 👋")
    assert completion.object == "chat.completion"
    assert completion.model == "scripted"
    assert completion.id.startswith("chatcmpl-")
    assert completion.usage is not None
    assert completion.usage.completion_tokens == len("Grüße 👋".encode())
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


async def test_the_keys_that_clients_take_for_granted_are_there_and_no_others(api: Served) -> None:
    body = (await api.post(CHAT, says("echo: hi"))).json()
    assert body.keys() == {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    [choice] = body["choices"]
    assert choice.keys() == {"index", "message", "logprobs", "finish_reason"}
    assert choice["message"] == {"role": "assistant", "content": "hi", "refusal": None}
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 0, "image_tokens": 0, "audio_tokens": 0}
    assert body["usage"]["completion_tokens_details"] == {
        "reasoning_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }


async def test_the_fingerprint_stays_and_the_id_does_not(api: Served) -> None:
    first, second = [(await api.post(CHAT, says("echo: hi"))).json() for _ in range(2)]
    assert first["system_fingerprint"] == second["system_fingerprint"]
    assert first["id"] != second["id"]


async def test_n_choices_share_one_prompt(client: AsyncOpenAI) -> None:
    one = await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "echo: abc"}])
    three = await client.chat.completions.create(model="x", n=3, messages=[{"role": "user", "content": "echo: abc"}])
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert [choice.message.content for choice in three.choices] == ["abc"] * 3
    assert one.usage is not None
    assert three.usage is not None
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens == 9


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_a_reply_that_reaches_its_limit_says_so(api: Served, field: str) -> None:
    body = (await api.post(CHAT, says("count 9", **{field: 3}))).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["choices"][0]["message"]["content"] == "1 2"
    assert body["usage"]["completion_tokens"] == 3


async def test_without_max_tokens_a_long_reply_ends_by_itself(api: Served) -> None:
    body = (await api.post(CHAT, says("count 300"))).json()
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] > 1000


async def test_a_limit_beyond_the_context_is_cut_to_it(api: Served) -> None:
    body = (await api.post(CHAT, says("echo: hi", max_tokens=10**9))).json()
    assert body["choices"][0]["message"]["content"] == "hi"


@pytest.mark.parametrize("stop", ["3", ["x", "3"], ["", "3"]])
async def test_stop_texts_end_the_reply(api: Served, stop: object) -> None:
    body = (await api.post(CHAT, says("count 9", stop=stop))).json()
    assert body["choices"][0]["message"]["content"] == "1 2 "
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_logprobs_name_each_token_and_its_alternatives(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="x", messages=[{"role": "user", "content": "echo: hé"}], logprobs=True, top_logprobs=2
    )
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [token.token for token in logprobs.content] == ["h", "\\xc3", "\\xa9"]
    assert bytes(byte for token in logprobs.content for byte in token.bytes or ()).decode() == "hé"
    assert all(len(token.top_logprobs) == 2 for token in logprobs.content)
    assert logprobs.content[0].top_logprobs[0].logprob == logprobs.content[0].logprob


async def test_logprobs_alone_give_no_alternatives(api: Served) -> None:
    body = (await api.post(CHAT, says("echo: hi", logprobs=True))).json()
    assert [token["top_logprobs"] for token in body["choices"][0]["logprobs"]["content"]] == [[], []]


async def test_content_may_be_a_list_of_texts_in_every_role(api: Served) -> None:
    def parts(*texts: str) -> list[dict[str, object]]:
        return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in texts]

    messages = [
        {"role": "developer", "content": parts("be kind")},
        {"role": "user", "content": parts("x")},
        {"role": "assistant", "content": parts("y")},
        {"role": "user", "content": parts("echo: ", "two parts")},
    ]
    body = (await api.post(CHAT, {"messages": messages})).json()
    assert body["choices"][0]["message"]["content"] == "two parts"


async def test_turns_with_tools_are_read(api: Served) -> None:
    call = {"id": None, "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "user", "content": "echo: read"},
    ]
    body = (await api.post(CHAT, {"messages": messages, "tools": [], "tool_choice": "none"})).json()
    assert body["choices"][0]["message"]["content"] == "read"


async def test_null_means_absent_for_every_optional_field(api: Served) -> None:
    absent = dict.fromkeys(ChatCompletionRequest.model_fields) | says("echo: hi")
    response = await api.post(CHAT, absent)
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == "hi"


async def test_what_openai_has_and_means_nothing_here_is_accepted(api: Served) -> None:
    ignored = {
        "service_tier": "auto",
        "metadata": {"a": {"b": 1}},
        "user": 5,
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "store": True,
        "verbosity": "low",
        "moderation": {},
        "prediction": {"type": "content", "content": "x"},
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "mode": "instruct",
        "user_name": "A",
        "name2": "B",
        "an_unknown_field": {"x": [1]},
    }
    assert (await api.post(CHAT, says("echo: hi", **ignored))).status_code == 200


@pytest.mark.parametrize(
    ("prediction", "param", "code"),
    [
        ({"type": "text", "content": "x"}, "prediction.type", "invalid_value"),
        ({"content": "x"}, "prediction.type", "missing_required_parameter"),
        ({"type": "content"}, "prediction.content", "missing_required_parameter"),
        ({"type": "content", "content": 5}, "prediction.content", "invalid_value"),
        ("x", "prediction", "invalid_value"),
    ],
)
async def test_predictions_of_other_forms_are_refused(api: Served, prediction: object, param: str, code: str) -> None:
    response = await api.post(CHAT, says("echo: hi", prediction=prediction))
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


async def test_a_prediction_of_text_is_taken_whole_or_in_parts(api: Served) -> None:
    for content in ("hi", [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}], ""):
        prediction = {"type": "content", "content": content}
        body = (await api.post(CHAT, says("echo: hi", prediction=prediction, n=2, logprobs=True))).json()
        assert [choice["message"]["content"] for choice in body["choices"]] == ["hi", "hi"]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    response = await api.post(CHAT, says("echo: hi", prediction={"type": "content", "content": [picture]}))
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "prediction.content[0].type"


async def test_a_partial_reply_is_continued_and_repeated(api: Served) -> None:
    messages = [{"role": "user", "content": "echo: hi"}, {"role": "assistant", "content": "I say "}]
    whole = (await api.post(CHAT, {"messages": messages, "continue_": True})).json()
    assert whole["choices"][0]["message"]["content"] == "I say hi"


async def test_parameters_that_nobody_honours_are_named(api: Served) -> None:
    response = await api.post(CHAT, says("echo: hi", guidance_scale=1.5, penalty_alpha=0, max_tokens_second=4))
    assert response.headers["X-Ignored-Parameters"] == "guidance_scale, max_tokens_second"
    assert "X-Ignored-Parameters" not in (await api.post(CHAT, says("echo: hi", top_k=3))).headers


async def test_what_cursor_sends_is_answered_as_a_chat_completion(api: Served) -> None:
    tools = [
        {"type": "function", "name": "read_file", "parameters": {"type": "object", "properties": {}}},
        {"type": "custom", "name": "ApplyPatch", "description": "Apply a patch"},
    ]
    body = {"input": [{"role": "user", "content": "count 3"}], "tools": tools, "store": False}
    answer = (await api.post(CHAT, body)).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "1 2 3"
    asked = says("x", tools=tools, tool_choice={"type": "custom", "name": "ApplyPatch"}, max_tokens=200)
    for stream in (False, True):
        called = (await api.post(CHAT, {**asked, "stream": stream})).text
        assert '"type":"custom"' in called
        assert '"name":"ApplyPatch"' in called
    both = (await api.post("/v1/internal/chat-prompt", body)).json()["prompt"]
    assert both == (await api.post("/v1/internal/chat-prompt", says("count 3", tools=tools))).json()["prompt"]
