"""/tokenize, /detokenize, /tokenizer_info, and the prompt of a chat request."""

from typing import Any

import pytest

from tests.api.serving import Served, says

CHAT = says("hé")["messages"]


@pytest.mark.parametrize("key", ["prompt", "content"])
@pytest.mark.parametrize("options", [{}, {"add_special_tokens": False}, {"add_special": False}])
async def test_text_becomes_tokens_and_text_again(api: Served, key: str, options: dict[str, Any]) -> None:
    body = (await api.post("/tokenize", {key: "hé", **options})).json()
    assert body == {"tokens": list("hé".encode()), "count": 3, "max_model_len": 8192}
    assert (await api.post("/detokenize", {"tokens": body["tokens"]})).json() == {"prompt": "hé", "content": "hé"}


async def test_chat_becomes_its_prompts_tokens(api: Served) -> None:
    tokens = (await api.post("/tokenize", {"messages": CHAT})).json()["tokens"]
    prompt = (await api.post("/v1/internal/chat-prompt", {"messages": CHAT})).json()
    assert prompt == {"prompt": "<|im_start|>user\nhé<|im_end|>\n<|im_start|>assistant\n"}
    assert (await api.post("/detokenize", {"tokens": tokens})).json()["prompt"] == prompt["prompt"]


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"messages": None}])
async def test_nothing_to_tokenize(api: Served, body: dict[str, Any]) -> None:
    response = await api.post("/tokenize", body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "prompt")


async def test_bad_chat_is_named(api: Served) -> None:
    response = await api.post("/tokenize", {"messages": []})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages")


async def test_what_is_known_of_the_tokenizer(api: Served) -> None:
    body = (await api.http.get("/tokenizer_info")).json()
    assert (body["eos_token"], body["bos_token"], body["pad_token"]) == ("<|im_end|>", None, None)
    assert body["model_max_length"] == 8192
    assert "im_start" in body["chat_template"]
