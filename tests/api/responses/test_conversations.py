"""/v1/conversations: items that responses go on from and add to."""

from pathlib import Path
from typing import Any, Final

import pytest
from openai.types.conversations import Conversation, ConversationDeletedResource

from tests.api.responses.reading import RESPONSES, strict_conversation_items
from tests.api.serving import Served, served
from tests.api.strictness import strict, strict_error

CONVERSATIONS: Final = "/v1/conversations"


async def created(api: Served, **fields: Any) -> str:
    answer = (await api.post(CONVERSATIONS, fields)).json()
    return strict(Conversation, answer, extras=()).id


async def items_in(api: Served, conversation: str) -> list[dict[str, Any]]:
    answer = await api.http.get(f"{CONVERSATIONS}/{conversation}/items", params={"order": "asc", "limit": 100})
    return strict_conversation_items(answer.json())


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("as_object", [False, True])
async def test_a_response_reads_it_and_adds_to_it(api: Served, stream: bool, as_object: bool) -> None:
    conversation = await created(api, items=[{"role": "developer", "content": "be brief"}])
    named = {"id": conversation} if as_object else conversation
    for number in range(2):
        body = {"input": f"echo: {number}", "conversation": named, "stream": stream}
        assert (await api.post(RESPONSES, body)).status_code == 200
    assert texts(await items_in(api, conversation)) == ["be brief", "echo: 0", "0", "echo: 1", "1"]


async def test_the_response_names_it(api: Served) -> None:
    conversation = await created(api)
    answer = (await api.post(RESPONSES, {"input": "echo: hi", "conversation": conversation})).json()
    assert answer["conversation"] == {"id": conversation}


async def test_items_can_be_added_read_and_taken_out(api: Served) -> None:
    conversation = await created(api)
    place = f"{CONVERSATIONS}/{conversation}/items"
    sent: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "custom_tool_call", "call_id": "1", "name": "f", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "1", "output": "y"},
        {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "2", "output": "y"},
    ]
    added = strict_conversation_items((await api.post(place, {"items": sent})).json())
    assert await items_in(api, conversation) == added
    assert [item["type"] for item in added] == ["message", *(item["type"] for item in sent[1:])]
    item = f"{place}/{added[0]['id']}"
    assert (await api.http.get(item)).json() == added[0]
    strict(Conversation, (await api.http.delete(item)).json(), extras=())
    assert await items_in(api, conversation) == added[1:]
    for gone in (await api.http.get(item), await api.http.delete(item)):
        assert gone.status_code == 404


async def test_its_metadata_can_be_changed(api: Served) -> None:
    conversation = await created(api, metadata={"a": "1"}, items=[{"role": "user", "content": "hi"}])
    place = f"{CONVERSATIONS}/{conversation}"
    assert (await api.http.get(place)).json()["metadata"] == {"a": "1"}
    changed = (await api.post(place, {"metadata": {"b": "2"}})).json()
    assert strict(Conversation, changed, extras=()).metadata == {"b": "2"}
    assert texts(await items_in(api, conversation)) == ["hi"]


async def test_it_can_be_deleted(api: Served) -> None:
    conversation = await created(api)
    place = f"{CONVERSATIONS}/{conversation}"
    strict(ConversationDeletedResource, (await api.http.delete(place)).json(), extras=())
    for gone in (
        await api.http.get(place),
        await api.http.delete(place),
        await api.http.get(f"{place}/items"),
        await api.post(place, {"metadata": {}}),
        await api.post(RESPONSES, {"input": "hi", "conversation": conversation}),
        await api.post(RESPONSES, {"input": "hi", "conversation": conversation, "stream": True}),
    ):
        assert gone.status_code == 404
        assert strict_error(gone.json())


async def test_a_response_s_id_is_no_conversation_s(api: Served) -> None:
    response = (await api.post(RESPONSES, {"input": "echo: hi"})).json()
    conversation = await created(api)
    assert (await api.http.get(f"{CONVERSATIONS}/{response['id']}")).status_code == 404
    assert (await api.http.get(f"{RESPONSES}/{conversation}")).status_code == 404
    assert (await api.http.delete(f"{RESPONSES}/{conversation}")).status_code == 404
    assert (await api.http.get(f"{CONVERSATIONS}/{conversation}")).status_code == 200


async def test_one_key_cannot_touch_what_is_another_s(tmp_path: Path) -> None:
    async with served(tmp_path, api_key="user", admin_key="admin") as api:
        user, admin = {"Authorization": "Bearer user"}, {"Authorization": "Bearer admin"}
        conversation = (await api.post(CONVERSATIONS, {}, **user)).json()["id"]
        place = f"{CONVERSATIONS}/{conversation}"
        assert (await api.http.get(place, headers=admin)).status_code == 404
        body = {"input": "hi", "conversation": conversation}
        assert (await api.post(RESPONSES, body, **admin)).status_code == 404
        assert (await api.post(RESPONSES, body, **user)).status_code == 200


async def test_items_are_checked(api: Served) -> None:
    refused = await api.post(CONVERSATIONS, {"items": [{"role": "user"}]})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "items[0].content"
    many = [{"role": "user", "content": "x"}] * 21
    assert (await api.post(CONVERSATIONS, {"items": many})).status_code == 400


@pytest.mark.parametrize(
    ("method", "place", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"metadata": {}}),
        ("DELETE", "", None),
        ("GET", "/items", None),
        ("POST", "/items", {"items": [{"role": "user", "content": "hi"}]}),
        ("GET", "/items/msg_1", None),
        ("DELETE", "/items/msg_1", None),
    ],
)
async def test_a_response_is_no_conversation(api: Served, method: str, place: str, body: object) -> None:
    response = (await api.post(RESPONSES, {"input": "echo: hi"})).json()
    answer = await api.http.request(method, f"{CONVERSATIONS}/{response['id']}{place}", json=body)
    assert answer.status_code == 404
    assert strict_error(answer.json())
    assert (await api.http.get(f"{RESPONSES}/{response['id']}")).json() == response
