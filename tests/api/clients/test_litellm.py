"""litellm, by its `openai/` provider and by its `oobabooga/` one, which sends no key and cannot stream in this
version."""

import json

import pytest

from tests.api.clients.running import python
from tests.api.clients.words import CALL, TOOL


@pytest.mark.slow
async def test_both_providers(url: str) -> None:
    written = await python("litellm_calls.py", url, json.dumps({"call": CALL, "tool": TOOL}))
    told = json.loads(written.splitlines()[-1])
    reply = ["hello", "stop", len("hello")]
    assert told["whole"] == {"openai": reply, "oobabooga": reply}
    assert told["streamed"] == "1 2 3 4 5"
    assert told["called"] == [[["forecast", {"city": "Rome", "days": 3}]]] * 2
    assert told["refused"] == "ContextWindowExceededError"
