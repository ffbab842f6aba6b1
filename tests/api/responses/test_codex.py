"""What Codex sends, and how it reads the answer."""

import json

import pytest

from tests.api.responses.codex import ContextWindowExceeded, StreamBroken, as_history, read_turn, request_of, user
from tests.api.responses.reading import RESPONSES
from tests.api.serving import RawCall, Served, calling


async def test_a_turn_is_complete(api: Served) -> None:
    developer = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]}
    turn = read_turn((await api.post(RESPONSES, request_of(developer, user("echo: done")))).text)
    assert turn.text == "done"
    [message] = turn.items
    assert message["content"][0]["text"] == "done"
    assert turn.usage["total"] == turn.usage["input"] + turn.usage["output"]


async def test_its_history_comes_back(api: Served) -> None:
    first = read_turn((await api.post(RESPONSES, request_of(user("echo: one")))).text)
    history = [
        user("echo: one"),
        *as_history(first.items),
        {"type": "function_call", "call_id": "1", "name": "shell", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "ok"}]},
        {"type": "custom_tool_call", "call_id": "2", "name": "apply_patch", "input": "x", "status": "completed"},
        {"type": "custom_tool_call_output", "call_id": "2", "output": "ok"},
        {"type": "local_shell_call", "call_id": "3", "status": "completed", "action": {"type": "exec"}},
        {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
        user("echo: two"),
    ]
    assert read_turn((await api.post(RESPONSES, request_of(*history))).text).text == "two"


async def test_a_history_that_is_too_long_makes_it_shorten_it(api: Served) -> None:
    answer = await api.post(RESPONSES, request_of(user("x" * 9000)))
    assert answer.status_code == 200
    with pytest.raises(ContextWindowExceeded):
        read_turn(answer.text)


async def test_a_stream_without_its_end_is_no_turn(api: Served) -> None:
    stream = (await api.post(RESPONSES, request_of(user("echo: one")))).text
    with pytest.raises(StreamBroken):
        read_turn(stream.partition("event: response.completed")[0])
    call = RawCall(api.app, RESPONSES, json.dumps(request_of(user("stall"))).encode())
    async with api.runtime.models.lease(None) as engine, calling(call) as running:
        await call.until_body(b'"delta":"w')
        await engine.aclose()
        await running
    with pytest.raises(StreamBroken, match="server_error"):
        read_turn(call.sent_body.decode())
