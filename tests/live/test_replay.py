"""A reply comes again, token for token, in another process: by the same request, its receipt's seed and settings."""

from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.live.client import CHAT, says
from tests.live.server import live_server

pytestmark = [pytest.mark.live, pytest.mark.model, pytest.mark.extended]

# What of a receipt's settings are flags of the server; the rest names the library and the machine.
FLAGS: Final = (
    "ctx_size",
    "parallel",
    "flash_attn",
    "cache_type",
    "threads",
    "threads_batch",
    "batch_size",
    "ubatch_size",
)
BODY: Final = says("Tell me a story about a river.", max_tokens=48, temperature=1, logprobs=True, top_logprobs=2)


def flags_of(receipt: dict[str, Any]) -> list[object]:
    return [word for name in FLAGS for word in (f"--{name.replace('_', '-')}", receipt["settings"][name])]


async def replied(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post(CHAT, json={**BODY, **fields}, headers={"X-Receipt": "1"})
    body: dict[str, Any] = answer.json()
    return body


async def test_a_sampled_reply_comes_again_from_its_receipt(tmp_path: Path) -> None:
    async with live_server(_folder(tmp_path, "one"), "--threads", 2) as server, server.client() as http:
        first = await replied(http)
        receipt = first["receipt"]
        other = await replied(http)
    assert other["choices"] != first["choices"], "the seed was not drawn"
    async with live_server(_folder(tmp_path, "two"), *flags_of(receipt)) as server, server.client() as http:
        again = await replied(http, seed=receipt["seeds"][0])
    assert again["choices"] == first["choices"]
    assert receipt["replay"] == {"is_exact": True, "because": []}
    for name in ("model", "prompt", "completion", "seeds", "sampling", "settings", "replay"):
        assert again["receipt"][name] == receipt[name], name


def _folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir()
    return made
