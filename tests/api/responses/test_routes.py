"""/v1/responses on the wire: whole and streamed, stored and not, refused and broken off."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.responses.reading import (
    RESPONSES,
    assert_numbered,
    events_of,
    kinds,
    strict_event,
    strict_items,
    strict_response,
)
from tests.api.serving import RawCall, Served, calling, served
from tests.api.strictness import strict_error

TOO_LONG = "x" * 9000
VARIANTS: list[dict[str, Any]] = [
    {},
    {"instructions": "be brief", "metadata": {"a": "b"}, "user": "u", "reasoning": {"effort": "low"}},
    {"max_output_tokens": 3},
    {"top_logprobs": 2, "include": ["message.output_text.logprobs"]},
    {"tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}], "tool_choice": "none"},
]


@pytest.mark.parametrize("fields", VARIANTS)
async def test_answers_and_events_are_what_the_client_expects(api: Served, fields: dict[str, Any]) -> None:
    body = {"model": "x", "input": 'echo: {"a": "é👋"}', **fields}
    whole = await api.post(RESPONSES, body)
    assert whole.status_code == 200
    response = strict_response(whole.json())
    streamed = await api.post(RESPONSES, body | {"stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "[DONE]" not in streamed.text
    events = events_of(streamed.text)
    assert_numbered(events)
    last = strict_response(events[-1]["response"])
    assert (last.output_text, last.status, last.usage) == (response.output_text, response.status, response.usage)


async def test_a_response_can_be_fetched_and_deleted(api: Served) -> None:
    created = (await api.post(RESPONSES, {"input": "echo: hi"})).json()
    place = f"{RESPONSES}/{created['id']}"
    assert (await api.http.get(place)).json() == created
    assert (await api.http.delete(place)).json() == {"id": created["id"], "object": "response", "deleted": True}
    for gone in (await api.http.get(place), await api.http.delete(place), await api.http.get(f"{place}/input_items")):
        assert gone.status_code == 404
        assert strict_error(gone.json())


async def test_a_streamed_response_can_be_fetched_once_it_is_complete(api: Served) -> None:
    events = events_of((await api.post(RESPONSES, {"input": "echo: hi", "stream": True})).text)
    last = events[-1]["response"]
    assert (await api.http.get(f"{RESPONSES}/{last['id']}")).json() == last


async def test_nothing_is_stored_for_who_says_so(api: Served) -> None:
    created = (await api.post(RESPONSES, {"input": "echo: hi", "store": False})).json()
    assert (await api.http.get(f"{RESPONSES}/{created['id']}")).status_code == 404
    refused = await api.post(RESPONSES, {"input": "on", "previous_response_id": created["id"]})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "previous_response_not_found"
    assert refused.json()["error"]["param"] == "previous_response_id"


@pytest.mark.parametrize("setting", [{"responses_records": 0}, {"responses_mb": 0}])
async def test_nothing_is_stored_where_the_operator_says_so(tmp_path: Path, setting: dict[str, Any]) -> None:
    async with served(tmp_path, **setting) as api:
        created = await api.post(RESPONSES, {"input": "echo: hi"})
        assert created.status_code == 200
        assert (await api.http.get(f"{RESPONSES}/{created.json()['id']}")).status_code == 404
        assert (await api.post(RESPONSES, {"input": "hi", "background": True})).json()["error"]["param"] == "background"
        assert (await api.post("/v1/conversations", {})).status_code == 400


async def test_memory_is_the_only_place_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    for on_disk, status in ((False, 404), (True, 200)):
        async with served(tmp_path, responses_on_disk=on_disk) as api:
            created = (await api.post(RESPONSES, {"input": "echo: hi"})).json()
        assert (tmp_path / "responses.sqlite3").is_file() is on_disk
        async with served(tmp_path, responses_on_disk=on_disk) as api:
            assert (await api.http.get(f"{RESPONSES}/{created['id']}")).status_code == status


async def test_one_key_cannot_read_what_is_another_s(tmp_path: Path) -> None:
    async with served(tmp_path, api_key="user", admin_key="admin") as api:
        user, admin = {"Authorization": "Bearer user"}, {"Authorization": "Bearer admin"}
        created = (await api.post(RESPONSES, {"input": "echo: hi"}, **user)).json()
        place = f"{RESPONSES}/{created['id']}"
        assert (await api.http.get(place, headers=user)).status_code == 200
        assert (await api.http.get(place, headers=admin)).status_code == 404
        assert (await api.http.delete(place, headers=admin)).status_code == 404
        for earlier in ({"previous_response_id": created["id"]}, {}):
            reference = {"type": "item_reference", "id": created["output"][0]["id"]}
            body = {"input": [reference], **earlier}
            assert (await api.post(RESPONSES, body, **admin)).status_code == 400
            assert (await api.post(RESPONSES, body, **user)).status_code == 200


async def test_a_response_goes_on_from_another(api: Served) -> None:
    first = (await api.post(RESPONSES, {"input": "echo: one", "instructions": "be brief"})).json()
    second = (await api.post(RESPONSES, {"input": "echo: two", "previous_response_id": first["id"]})).json()
    assert second["previous_response_id"] == first["id"]
    assert second["instructions"] is None
    assert (await api.http.delete(f"{RESPONSES}/{first['id']}")).status_code == 200
    third = (await api.post(RESPONSES, {"input": "echo: three", "previous_response_id": second["id"]})).json()
    items = strict_items((await api.http.get(f"{RESPONSES}/{third['id']}/input_items?order=asc")).json())
    assert [item["content"][0]["text"] for item in items] == ["echo: one", "one", "echo: two", "two", "echo: three"]
    history = [{"role": item["role"], "content": item["content"]} for item in items]
    replayed = (await api.post(RESPONSES, {"input": history})).json()
    assert third["usage"]["input_tokens"] == replayed["usage"]["input_tokens"]


async def test_items_come_page_by_page(api: Served) -> None:
    history = [{"role": "user", "content": f"{number}"} for number in range(4)]
    calls = [
        {"type": "custom_tool_call", "call_id": "1", "name": "f", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "1", "output": "y"},
        {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "2", "output": "y"},
        {"type": "reasoning", "summary": []},
    ]
    created = (await api.post(RESPONSES, {"input": [*history, *calls]})).json()
    place = f"{RESPONSES}/{created['id']}/input_items"
    newest = (await api.http.get(place)).json()
    oldest = (await api.http.get(place, params={"order": "asc"})).json()
    assert strict_items(newest) == strict_items(oldest)[::-1]
    first = (await api.http.get(place, params={"order": "asc", "limit": 6})).json()
    assert (first["has_more"], first["first_id"]) == (True, oldest["data"][0]["id"])
    second = (await api.http.get(place, params={"order": "asc", "limit": 6, "after": first["last_id"]})).json()
    assert first["data"] + second["data"] == oldest["data"]
    assert second["has_more"] is False
    for wrong in ({"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "msg_unknown"}):
        assert (await api.http.get(place, params=wrong)).status_code == 400


async def test_tokens_are_counted_as_they_will_be(api: Served) -> None:
    first = (await api.post(RESPONSES, {"input": "echo: é"})).json()
    for body in (
        {"input": "echo: hi", "instructions": "be brief"},
        {"input": "more", "previous_response_id": first["id"]},
        {"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    ):
        counted = (await api.post(f"{RESPONSES}/input_tokens", body)).json()
        created = (await api.post(RESPONSES, body)).json()
        assert counted == {"object": "response.input_tokens", "input_tokens": created["usage"]["input_tokens"]}


async def test_what_is_too_long_is_a_status_when_whole_and_an_event_when_streamed(api: Served) -> None:
    whole = await api.post(RESPONSES, {"input": TOO_LONG})
    assert whole.status_code == 400
    assert whole.json()["error"]["code"] == "context_length_exceeded"
    assert whole.json()["error"]["param"] == "input"
    assert "This model's maximum context length" in whole.json()["error"]["message"]
    streamed = await api.post(RESPONSES, {"input": TOO_LONG, "stream": True})
    assert streamed.status_code == 200
    events = events_of(streamed.text)
    assert_numbered(events)
    assert kinds(events) == ["created", "error", "failed"]
    assert events[-1]["response"]["error"]["code"] == "context_length_exceeded"


async def test_other_refusals_are_statuses_in_streams_too(api: Served) -> None:
    for body, param in (
        ({"input": "hi", "tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"input": "hi", "temperature": -1}, "temperature"),
        ({"input": "hi", "previous_response_id": "a", "conversation": "b"}, "previous_response_id"),
        ({"input": "hi", "metadata": {"k": "v" * 513}}, "metadata.k"),
        ({}, "input"),
    ):
        for stream in (False, True):
            refused = await api.post(RESPONSES, {**body, "stream": stream})
            assert refused.status_code == 400
            assert strict_error(refused.json())
            assert refused.json()["error"]["param"] == param


async def test_a_failure_after_the_beginning_is_told_in_events(api: Served) -> None:
    call = RawCall(api.app, RESPONSES, json.dumps({"input": "stall", "stream": True}).encode())
    async with api.runtime.models.lease(None) as engine, calling(call) as running:
        await call.until_body(b'"delta":"w')
        await engine.aclose()
        await running
    events = events_of(call.sent_body.decode())
    assert_numbered(events)
    assert kinds(events)[-2:] == ["error", "failed"]
    assert events[-1]["response"]["error"]["code"] == "server_error"
    assert events[-1]["response"]["output"][0]["content"][0]["text"].startswith("w")


async def test_a_server_that_stops_says_so(api: Served) -> None:
    call = RawCall(api.app, RESPONSES, json.dumps({"input": "stall", "stream": True}).encode())
    async with calling(call) as running:
        await call.until_body(b'"delta":"w')
        api.closing.set()
        await running
    events = events_of(call.sent_body.decode())
    assert_numbered(events)
    assert kinds(events)[-1] == "failed"
    assert "being stopped" in events[-1]["response"]["error"]["message"]


async def test_hanging_up_ends_a_response_and_keeps_nothing_of_it(api: Served) -> None:
    call = RawCall(api.app, RESPONSES, json.dumps({"input": "stall", "stream": True}).encode())
    async with calling(call) as running:
        await call.until_body(b'"delta":"w')
        call.hang_up()
        await running
    created = json.loads(call.sent_body.split(b"data: ")[1].split(b"\n")[0])
    strict_event(created)
    assert (await api.http.get(f"{RESPONSES}/{created['response']['id']}")).status_code == 404
    assert api.runtime.work.stop_all() == 0


async def test_all_spellings_of_the_path_are_the_same(api: Served) -> None:
    for path in ("/responses", "/v1/responses/", "/v1//responses"):
        assert (await api.post(path, {"input": "echo: hi"})).status_code == 200
    assert (await api.post("/conversations", {})).status_code == 200


async def test_many_at_once_do_not_mix(api: Served) -> None:
    words = [f"word{number}" for number in range(12)]
    answers = await asyncio.gather(*(api.post(RESPONSES, {"input": f"echo: {word}"}) for word in words))
    assert [strict_response(answer.json()).output_text for answer in answers] == words
