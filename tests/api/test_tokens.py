"""/v1/internal/: encode, decode, token-count, logits."""

import asyncio
from typing import Any

import pytest

from extensions.openai.internal.tokens import LogitsRequestBody
from tests.api.serving import CHAT, Served, says


async def test_text_and_tokens(api: Served) -> None:
    encoded = (await api.post("/v1/internal/encode", {"text": "hé"})).json()
    assert encoded == {"tokens": list("hé".encode()), "length": 3}
    assert (await api.post("/v1/internal/decode", {"tokens": encoded["tokens"]})).json() == {"text": "hé"}
    assert (await api.post("/v1/internal/token-count", {"text": "hé"})).json() == {"length": 3}


@pytest.mark.parametrize("tokens", [[-1], [100_000], [2**70], [True], ["a"], None])
async def test_what_are_no_tokens(api: Served, tokens: Any) -> None:
    response = await api.post("/v1/internal/decode", {"tokens": tokens})
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith("tokens")


async def test_logits_are_a_bare_map_of_probabilities(api: Served) -> None:
    body = (await api.post("/v1/internal/logits", {"prompt": "x", "top_logits": 3})).json()
    assert len(body) == 3
    assert next(iter(body)) == "Y"
    assert list(body.values()) == sorted(body.values(), reverse=True)
    assert all(0 < value < 1 for value in body.values())


async def test_control_characters_are_written_as_escapes(api: Served) -> None:
    body = (await api.post("/v1/internal/logits", {"prompt": "x", "top_logits": 12})).json()
    assert "\\n" in body
    assert all(key.isprintable() for key in body)


async def test_logits_after_the_samplers(api: Served) -> None:
    response = await api.post("/v1/internal/logits", {"prompt": "x", "use_samplers": True, "top_k": 3})
    assert response.status_code == 200


async def test_null_means_absent(api: Served) -> None:
    body = dict.fromkeys(LogitsRequestBody.model_fields) | {"prompt": "x"}
    assert (await api.post("/v1/internal/logits", body)).status_code == 200


@pytest.mark.parametrize("top", [0, 1001, -1, 10**6, True])
async def test_the_number_of_logits_is_bounded(api: Served, top: Any) -> None:
    response = await api.post("/v1/internal/logits", {"prompt": "x", "top_logits": top})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "top_logits")


async def test_logits_during_a_stream_hold_up_nobody(api: Served) -> None:
    streaming = asyncio.create_task(api.post(CHAT, says("count 100", stream=True)))
    assert (await api.post("/v1/internal/logits", {"prompt": "x"})).status_code == 200
    assert (await streaming).status_code == 200
