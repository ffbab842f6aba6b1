"""Models of other servers through the API: what is sent there, and what callers get."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modules.settings.groups.upstream import UpstreamAddress
from tests.api.picture_parts import MESSAGES, RED, RESPONSES, png, words
from tests.api.serving import CHAT, TEXT, Served, chunks_of, events_of, says, served, text_of
from tests.chatmodels.remote.raw_server import (
    Answer,
    RawServer,
    Request,
    delta,
    event,
    fails,
    hangs,
    head,
    piece,
    raw_server,
    sends,
    streams,
)

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
HELLO = (delta("Hel"), delta("lo"), delta(finish="stop"), {"choices": [], "usage": USAGE})


def _serves(answer: Answer, **listed: Any) -> Answer:
    """A server with the model `m`, of which it also says what is `listed`; it replies with `answer`."""

    async def served_by(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path != "/v1/models":
            return await answer(request, writer)
        body = json.dumps({"object": "list", "data": [{"id": "m", "max_model_len": 4096, **listed}]}).encode()
        writer.write(head(kind="application/json") + piece(body) + piece(b""))
        return None

    return served_by


def _posts(server: RawServer) -> list[Request]:
    return [request for request in server.requests if request.path != "/v1/models"]


@asynccontextmanager
async def _before(folder: Path, *servers: RawServer, **settings: Any) -> AsyncIterator[Served]:
    address = ("up=" + servers[0].url, *(server.url for server in servers[1:]))
    async with served(folder, loader=None, upstream=address, **settings) as api:
        yield api


@asynccontextmanager
async def _upstream(folder: Path, answer: Answer, **settings: Any) -> AsyncIterator[tuple[Served, RawServer]]:
    async with raw_server(_serves(answer)) as server, _before(folder, server, **settings) as api:
        yield api, server


async def test_upstream_models_are_listed_and_answer(tmp_path: Path) -> None:
    async with _upstream(tmp_path, streams(*HELLO), upstream_key=("up=k3y",)) as (api, server):
        (listed,) = (await api.http.get("/v1/models")).json()["data"]
        assert (listed["id"], listed["type"], listed["status"], listed["max_model_len"]) == (
            "up/m",
            "chat",
            "loaded",
            4096,
        )
        assert (await api.http.get("/v1/models/up/m")).status_code == 200
        reply = (await api.post(CHAT, says("hi", model="up/m"), authorization="Bearer caller")).json()
        assert reply["model"] == "up/m"
        assert reply["choices"][0]["message"]["content"] == "Hello"
        assert reply["usage"]["prompt_tokens"] == 7
        assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
        assert reply["usage"]["total_tokens"] == 9
    assert all(request.headers["authorization"] == "Bearer k3y" for request in server.requests)
    assert "caller" not in str([request.headers for request in server.requests])


async def test_upstream_is_sent_what_was_set_and_nothing_else(tmp_path: Path) -> None:
    async with _upstream(tmp_path, streams(*HELLO)) as (api, server):
        await api.post(CHAT, says("hi", model="up/m"))
        await api.post(
            CHAT, says("hi", model="up/m", temperature=1.0, top_k=0, seed=7, min_p=0.1, stop=["x"], max_tokens=5)
        )
    plain, tuned = (request.body for request in _posts(server))
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    assert plain == {"model": "m", "messages": [{"role": "user", "content": "hi"}], **streamed}
    assert {name: value for name, value in tuned.items() if name not in plain} == {
        "temperature": 1.0,
        "top_k": 0,
        "seed": 7,
        "min_p": 0.1,
        "stop": ["x"],
        "max_tokens": 5,
    }


async def test_upstream_is_sent_tools_forms_and_switches_in_its_words(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    bodies = [
        says(
            "hi", tools=[tool], tool_choice={"type": "function", "function": {"name": "f"}}, parallel_tool_calls=False
        ),
        says("hi", response_format=form),
        says("hi", guided_regex="[0-9]+"),
        says("hi", reasoning_effort="high", enable_thinking=False),
        says("hi", logprobs=True, top_logprobs=2, n=2),
    ]
    async with _upstream(tmp_path, streams(*HELLO, delta("x", finish="stop", index=1))) as (api, server):
        for body in bodies:
            assert (await api.post(CHAT, body | {"model": "up/m"})).status_code == 200
    tools, structured, regex, switches, scored = (request.body for request in _posts(server))
    assert tools["tools"] == [tool]
    assert tools["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert tools["parallel_tool_calls"] is False
    assert structured["response_format"]["json_schema"]["schema"]["properties"] == schema["properties"]
    assert regex["structured_outputs"] == {"regex": "[0-9]+"}
    assert switches["reasoning_effort"] == "high"
    assert switches["chat_template_kwargs"] == {"enable_thinking": False}
    assert (scored["logprobs"], scored["top_logprobs"], scored["n"]) == (True, 2, 2)


async def test_upstream_answers_any_name_where_no_model_is_loaded(tmp_path: Path) -> None:
    async with _upstream(tmp_path, streams(*HELLO)) as (api, _):
        assert (await api.post(CHAT, says("hi", model="gpt-4o"))).json()["model"] == "up/m"
        assert (await api.http.get("/health")).status_code == 200


async def test_upstream_gets_characters_as_messages(tmp_path: Path) -> None:
    persona = {"mode": "chat", "name1": "Ann", "name2": "Bot", "context": "{{char}} likes {{user}}.", "greeting": "Hey"}
    async with _upstream(tmp_path, streams(*HELLO)) as (api, server):
        await api.post(CHAT, says("hi", **persona))
    messages = [(each["role"], each["content"]) for each in server.requests[-1].body["messages"]]
    assert messages == [("system", "Bot likes Ann."), ("assistant", "Hey"), ("user", "hi")]


async def test_upstream_gets_templates_and_raw_text_as_completions(tmp_path: Path) -> None:
    text = {"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}]}
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<bot>"
    async with _upstream(tmp_path, streams(text)) as (api, server):
        reply = await api.post(CHAT, says("hi", instruction_template_str=template))
        raw = await api.post(TEXT, {"prompt": "Once", "max_tokens": 3, "logprobs": 1, "model": "up/m"})
        echo = await api.post(TEXT, {"prompt": "Once", "logprobs": 1, "echo": True, "model": "up/m"})
    assert reply.json()["choices"][0]["message"]["content"] == "Hello"
    assert raw.json()["choices"][0]["text"] == "Hello"
    posts = _posts(server)
    assert [request.path for request in posts] == ["/v1/completions"] * 2
    assert posts[0].body["prompt"] == "<user>hi<bot>"
    assert (posts[1].body["prompt"], posts[1].body["max_tokens"]) == ("Once", 3)
    assert echo.status_code == 400
    assert echo.json()["error"]["param"] == "echo"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (fails("400 Bad"), 400, "its_code"),
        (fails("404 None"), 404, "its_code"),
        (fails("429 Busy", Retry_After=9), 429, "queue_full"),
        (fails("401 Who"), 502, "upstream_failed"),
        (fails("500 Oops"), 502, "upstream_failed"),
        (fails("503 Not now"), 503, "upstream_failed"),
        (sends(head(), closes=True), 502, "upstream_failed"),
    ],
)
async def test_upstream_failure_is_an_error_of_ours(tmp_path: Path, answer: Answer, status: int, code: str) -> None:
    async with _upstream(tmp_path, answer, upstream_key=("up=k3y",)) as (api, _):
        for stream in (False, True):
            failed = await api.post(CHAT, says("hi", model="up/m", stream=stream))
            assert failed.status_code == status
            assert failed.json()["error"]["code"] == code
            assert "k3y" not in failed.text
            assert ("secret words" in failed.text) == (status in {400, 404})
            if status == 429:
                assert failed.headers["retry-after"] == "9"


async def test_upstream_that_breaks_off_ends_the_stream_with_an_error(tmp_path: Path) -> None:
    async with _upstream(tmp_path, sends(head(), event(delta("Hel")), closes=True)) as (api, _):
        broken = (await api.post(CHAT, says("hi", model="up/m", stream=True))).text
    chunks = chunks_of(broken)
    assert text_of(broken) == "Hel"
    assert chunks[-1]["error"]["code"] == "upstream_failed"
    assert "[DONE]" not in events_of(broken)


async def test_upstream_is_left_at_once_by_a_stop(tmp_path: Path) -> None:
    async with _upstream(tmp_path, hangs(head(), event(delta("Hel")))) as (api, server):
        asked = asyncio.create_task(api.post(CHAT, says("hi", model="up/m")))
        async with asyncio.timeout(20):
            await server.asked.wait()
            await api.post("/v1/internal/stop-generation", {})
            reply = (await asked).json()
            await server.gone.wait()
    assert reply["choices"][0]["finish_reason"] == "stop"


async def test_upstream_is_known_for_what_it_is_at_the_first_request(tmp_path: Path) -> None:
    """What it lacks is named, not sent; what it cannot hold is refused before it is asked."""
    server_of = _serves(streams(*HELLO), owned_by="vllm")
    async with raw_server(server_of) as server, _before(tmp_path, server) as api:
        reply = await api.post(CHAT, says("hi", model="up/m", mirostat_mode=2, top_k=5, logit_bias={"7": 1}))
        assert reply.headers["x-ignored-parameters"] == "mirostat_mode"
        (sent,) = _posts(server)
        assert (sent.body["top_k"], sent.body["logit_bias"], "mirostat_mode" in sent.body) == (5, {"7": 1}, False)
    async with raw_server(_serves(streams(*HELLO), owned_by="library")) as server, _before(tmp_path, server) as api:
        for name in ("up/m", "up/alias-that-is-not-listed"):
            refused = await api.post(CHAT, says("hi", model=name, guided_regex="[0-9]+"))
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "guided_regex")
        assert not _posts(server)


async def test_upstream_names_what_its_own_model_ignores(tmp_path: Path) -> None:
    answer = sends(head(X_Ignored_Parameters="tfs, top_a"), *map(event, HELLO), event(b"[DONE]"), piece(b""))
    async with _upstream(tmp_path, answer) as (api, _):
        reply = await api.post(CHAT, says("hi", model="up/m", tfs=0.5, mirostat_mode=2))
    assert reply.headers["x-ignored-parameters"] == "tfs"


@pytest.mark.parametrize(
    ("listed", "tokens", "sent"),
    [
        ({"owned_by": "vllm"}, [1, 2, 3], {"max_tokens": 4093}),
        ({"owned_by": "vllm"}, None, {"max_tokens": None}),
        ({"owned_by": "llamacpp"}, None, {"max_tokens": None}),
        ({"owned_by": "user", "status": "loaded", "type": "chat"}, None, {"auto_max_new_tokens": True}),
    ],
    ids=["vLLM", "vLLM that counts none", "llama-server", "ours"],
)
async def test_upstream_does_not_end_templated_chats_after_sixteen_tokens(
    tmp_path: Path, listed: dict[str, str], tokens: list[int] | None, sent: dict[str, Any]
) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path == "/tokenize":
            body = json.dumps({"tokens": tokens}).encode()
            writer.write(head(kind="application/json") + piece(body) + piece(b""))
        else:
            await streams({"choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}]})(request, writer)

    async with raw_server(_serves(answer, **listed)) as server, _before(tmp_path, server) as api:
        assert (await api.post(CHAT, says("hi", instruction_template_str="x"))).status_code == 200
    request = _posts(server)[-1]
    bounds = {name: request.body[name] for name in ("max_tokens", "auto_max_new_tokens") if name in request.body}
    assert bounds == sent


async def test_upstream_that_is_removed_ends_its_reply_first(tmp_path: Path) -> None:
    goes_on = asyncio.Event()

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + event(delta("Hel")))
        await goes_on.wait()
        writer.write(event(delta("lo", finish="stop")) + event(b"[DONE]") + piece(b""))

    async with _upstream(tmp_path, answer) as (api, server):
        asked = asyncio.create_task(api.post(CHAT, says("hi", model="up/m")))
        async with asyncio.timeout(20):
            await server.asked.wait()
            await api.runtime.remote.remove("up")
            goes_on.set()
            assert (await asked).json()["choices"][0]["message"]["content"] == "Hello"
        assert (await api.http.get("/v1/models")).json()["data"] == []
        assert (await api.post(CHAT, says("hi", model="up/m"))).status_code == 503
        await api.runtime.remote.put(UpstreamAddress("up", (server.url,)), "")
        assert (await api.post(CHAT, says("hi", model="up/m"))).status_code == 200


async def test_upstream_counts_tokens_where_it_can(tmp_path: Path) -> None:
    async def counts(request: Request, writer: asyncio.StreamWriter) -> None:
        found = request.path == "/tokenize"
        body = json.dumps({"tokens": [1, 2, 3]} if found else {"error": {"message": "none"}}).encode()
        writer.write(head("200 OK" if found else "404 None", "application/json") + piece(body) + piece(b""))

    body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
    async with _upstream(tmp_path, counts) as (api, _):
        assert (await api.post("/v1/messages/count_tokens", body)).json()["input_tokens"] == 3
        refused = await api.post("/v1/internal/decode", {"tokens": [1], "model": "up/m"})
        assert refused.status_code == 400
        logits = await api.post("/v1/internal/logits", {"prompt": "hi", "model": "up/m"})
        assert (logits.status_code, logits.json()["error"]["code"]) == (400, "not_supported")


async def test_upstream_serves_the_other_apis(tmp_path: Path) -> None:
    call = delta(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}], reasoning="hm")
    tool = {"name": "f", "input_schema": {"type": "object"}}
    async with _upstream(tmp_path, streams(call, delta(finish="stop"))) as (api, _):
        body = says("hi", model="up/m", max_tokens=50, tools=[tool])
        message = (await api.post("/v1/messages", body)).json()
        response = (await api.post("/v1/responses", {"model": "up/m", "input": "hi"})).json()
    assert [block["type"] for block in message["content"]] == ["thinking", "tool_use"]
    assert message["stop_reason"] == "tool_use"
    assert [item["type"] for item in response["output"]] == ["reasoning", "function_call"]


async def test_upstream_that_reads_texts_only_counts_the_prompt_of_a_chat(tmp_path: Path) -> None:
    answers = {"/apply-template": {"prompt": "<user>hi"}, "/tokenize": {"tokens": [1, 2, 3, 4]}}

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        body = json.dumps(answers[request.path]).encode()
        writer.write(head(kind="application/json") + piece(body) + piece(b""))

    async with raw_server(_serves(answer, owned_by="llamacpp")) as server, _before(tmp_path, server) as api:
        body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
        assert (await api.post("/v1/messages/count_tokens", body)).json()["input_tokens"] == 4
    template, text = (request.body for request in _posts(server))
    assert template["messages"] == [{"role": "user", "content": "hi"}]
    assert (text["content"], text["add_special"]) == ("<user>hi", True)


@pytest.mark.parametrize(
    "source",
    [
        "https://pictures.example/a%20b.png?size=1&x=2#top",
        "data:image/x-unknown;name=a.bin;base64,AAEC/w==",
        f"data:image/png;base64,{png(RED)}",
    ],
)
async def test_upstream_gets_pictures_as_they_were_sent(tmp_path: Path, source: str) -> None:
    """They are neither fetched nor decoded here."""
    shown = {"type": "image_url", "image_url": {"url": source, "detail": "high"}}
    plain = {"type": "image_url", "image_url": {"url": source}}
    body = {"messages": [{"role": "user", "content": [words("a"), shown, words("b"), plain]}], "model": "up/m"}
    asked = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": source, "detail": "high"}]
    async with _upstream(tmp_path, streams(*HELLO)) as (api, server):
        assert (await api.post(CHAT, body)).status_code == 200
        answer = await api.post(RESPONSES, {"model": "up/m", "input": [{"role": "user", "content": asked}]})
        assert answer.status_code == 200
    chat, response = (request.body["messages"][0]["content"] for request in _posts(server))
    assert chat == [words("a"), shown, words("b"), plain]
    assert response == [words("a"), shown]


async def test_upstreams_count_of_pictures_is_passed_on(tmp_path: Path) -> None:
    counted = {**USAGE, "prompt_tokens_details": {"cached_tokens": 1, "image_tokens": 4, "audio_tokens": 2}}
    reply = (delta("Hello"), delta(finish="stop"), {"choices": [], "usage": counted})
    async with _upstream(tmp_path, streams(*reply)) as (api, _):
        chat = (await api.post(CHAT, says("hi", model="up/m"))).json()["usage"]["prompt_tokens_details"]
        told = await api.post(RESPONSES, {"model": "up/m", "input": "hi"})
    response = told.json()["usage"]["input_tokens_details"]
    for usage in (chat, response):
        assert (usage["cached_tokens"], usage["image_tokens"], usage["audio_tokens"]) == (1, 4, 2)


async def test_upstream_gets_the_pictures_of_messages(tmp_path: Path) -> None:
    sources: list[dict[str, str]] = [
        {"type": "url", "url": "https://pictures.example/a.png"},
        {"type": "base64", "media_type": "image/webp", "data": "AAEC/w=="},
    ]
    blocks = [{"type": "image", "source": source} for source in sources]
    async with _upstream(tmp_path, streams(*HELLO)) as (api, server):
        body = {"model": "up/m", "max_tokens": 5, "messages": [{"role": "user", "content": blocks}]}
        assert (await api.post(MESSAGES, body)).status_code == 200
    (request,) = _posts(server)
    urls = [part["image_url"]["url"] for part in request.body["messages"][0]["content"]]
    assert urls == ["https://pictures.example/a.png", "data:image/webp;base64,AAEC/w=="]
