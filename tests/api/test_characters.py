"""Characters and lorebooks in chats through the API."""

import json
from pathlib import Path
from typing import Any

import pytest

from extensions.openai.common.answers import LORE_HEADER
from tests.api.serving import CHAT, Served

CARD = {
    "spec": "chara_card_v3",
    "data": {
        "name": "Ann",
        "first_mes": "Hello.",
        "alternate_greetings": ["echo: Ahoy, {{user}}."],
        "character_book": {"entries": [{"keys": ["harbour"], "content": "It is frozen.", "name": "Höfen, all"}]},
    },
}


def put(folder: Path, name: str, content: Any) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize("streams", [False, True])
async def test_cards_and_lorebooks_are_used_and_named(api: Served, streams: bool) -> None:
    folder = api.runtime.settings.user_data.root
    put(folder, "characters/Ann.json", CARD)
    put(
        folder,
        "lorebooks/World.json",
        {"entries": {"0": {"key": [], "constant": True, "content": "Sea.", "comment": "W"}}},
    )
    body = {
        "messages": [{"role": "user", "content": "To the harbour"}],
        "mode": "chat",
        "character": "Ann",
        "name1": "Bo",
        "greeting_index": 1,
        "lorebooks": ["World"],
        "stream": streams,
    }
    shown = (await api.post("/v1/internal/chat-prompt", body)).json()["prompt"]
    assert shown == "Sea.\n\nIt is frozen.\n\nAnn: echo: Ahoy, Bo.\nBo: To the harbour\nAnn:"
    response = await api.post(CHAT, body)
    assert response.headers[LORE_HEADER] == "W, H%C3%B6fen%2C all"
    without = await api.post(CHAT, body | {"use_lorebooks": False})
    assert without.status_code == 200
    assert LORE_HEADER not in without.headers
    refused = await api.post(CHAT, body | {"lorebooks": ["Nothing"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "lorebooks")
