"""Responses that go on without their caller."""

import json
from typing import Any

import pytest

from extensions.openai.responses import service as background
from tests.api.responses.reading import (
    RESPONSES,
    assert_numbered,
    events_of,
    kinds,
    strict_response,
)
from tests.api.serving import RawCall, Served, calling


async def begun(api: Served, words: str, **fields: Any) -> dict[str, Any]:
    answer = await api.post(RESPONSES, {"input": words, "background": True, **fields})
    assert answer.status_code == 200
    strict_response(answer.json())
    return dict(answer.json())


async def followed(api: Served, response_id: str, after: int | None = None) -> list[dict[str, Any]]:
    """All events up to the end, which is waited for."""
    params: dict[str, Any] = {"stream": "true"} | ({} if after is None else {"starting_after": after})
    return events_of((await api.http.get(f"{RESPONSES}/{response_id}", params=params)).text)


async def until_it_says(api: Served, response_id: str, words: str) -> None:
    while words not in (await api.http.get(f"{RESPONSES}/{response_id}")).text:
        continue


async def test_it_is_answered_at_once_and_done_later(api: Served) -> None:
    created = await begun(api, "echo: hi")
    assert (created["status"], created["background"], created["output"]) == ("queued", True, [])
    events = await followed(api, created["id"])
    assert_numbered(events)
    assert kinds(events)[:3] == ["created", "queued", "in_progress"]
    found = (await api.http.get(f"{RESPONSES}/{created['id']}")).json()
    assert found == events[-1]["response"]
    assert strict_response(found).output_text == "hi"
    assert found["status"] == "completed"


async def test_it_can_be_followed_from_any_event_on(api: Served) -> None:
    created = await begun(api, "count 3")
    events = await followed(api, created["id"])
    for after in (0, 4, len(events) - 2, len(events) - 1):
        assert await followed(api, created["id"], after) == events[after + 1 :]


async def test_it_goes_on_when_its_follower_hangs_up(api: Served) -> None:
    body = {"input": "slow 20", "background": True, "stream": True}
    call = RawCall(api.app, RESPONSES, json.dumps(body).encode())
    async with calling(call) as running:
        await call.until_body(b"response.output_text.delta")
        call.hang_up()
        await running
    seen = [block for block in call.sent_body.decode().split("\n\n") if block.startswith("event: ")]
    created = json.loads(seen[0].split("data: ")[1])
    events = await followed(api, created["response"]["id"], after=len(seen) - 1)
    assert_numbered(events, first=len(seen))
    assert strict_response(events[-1]["response"]).output_text == "abcdefghijklmnopqrst"


async def test_it_can_be_cancelled_and_stays_so(api: Served) -> None:
    created = await begun(api, "stall")
    await until_it_says(api, created["id"], "waiting")
    place = f"{RESPONSES}/{created['id']}"
    shown = (await api.http.get(place)).json()
    assert shown["status"] == "in_progress"
    strict_response(shown)
    for _ in range(2):
        cancelled = (await api.post(f"{place}/cancel", {})).json()
        strict_response(cancelled)
        assert cancelled["status"] == "cancelled"
        assert cancelled["output"][0]["content"][0]["text"] == "waiting"
    assert (await api.http.get(place)).json() == cancelled
    assert api.runtime.work.stop_all() == 0
    assert kinds(await followed(api, created["id"]))[-1] == "output_text.delta"


async def test_only_such_responses_can_be_cancelled_and_followed(api: Served) -> None:
    created = (await api.post(RESPONSES, {"input": "echo: hi"})).json()
    assert (await api.post(f"{RESPONSES}/{created['id']}/cancel", {})).status_code == 400
    assert (await api.http.get(f"{RESPONSES}/{created['id']}?stream=true")).status_code == 400
    assert (await api.post(f"{RESPONSES}/resp_unknown/cancel", {})).status_code == 404
    assert (await api.http.get(f"{RESPONSES}/resp_unknown?stream=true")).status_code == 404


async def test_deleting_it_ends_it(api: Served) -> None:
    created = await begun(api, "stall")
    await until_it_says(api, created["id"], "waiting")
    place = f"{RESPONSES}/{created['id']}"
    assert (await api.http.delete(place)).status_code == 200
    assert (await api.http.get(place)).status_code == 404
    assert (await api.http.get(f"{place}?stream=true")).status_code == 404
    assert api.runtime.work.stop_all() == 0


async def test_its_failure_can_be_fetched(api: Served) -> None:
    created = await begun(api, "x" * 9000)
    events = await followed(api, created["id"])
    assert kinds(events) == ["created", "queued", "error", "failed"]
    found = (await api.http.get(f"{RESPONSES}/{created['id']}")).json()
    assert found["status"] == "failed"
    assert found["error"]["code"] == "context_length_exceeded"


async def test_a_server_that_stops_ends_it_as_failed(api: Served) -> None:
    created = await begun(api, "stall")
    await until_it_says(api, created["id"], "waiting")
    api.closing.set()
    while (found := (await api.http.get(f"{RESPONSES}/{created['id']}")).json())["status"] == "in_progress":
        continue
    assert found["status"] == "failed"
    assert "being stopped" in found["error"]["message"]


async def test_it_has_to_be_stored(api: Served) -> None:
    refused = await api.post(RESPONSES, {"input": "hi", "background": True, "store": False})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "background"


async def test_there_is_an_end_to_how_many_go_on(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MAX_RUNNING", 2)
    first, second = [await begun(api, "stall") for _ in range(2)]
    assert (await api.post(RESPONSES, {"input": "hi", "background": True})).status_code == 429
    await api.post(f"{RESPONSES}/{first['id']}/cancel", {})
    await begun(api, "echo: hi")
    await api.post(f"{RESPONSES}/{second['id']}/cancel", {})
