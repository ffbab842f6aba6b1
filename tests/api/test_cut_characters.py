"""A reply that is cut inside a character ends before it, at every endpoint."""

import json
from typing import Any

import pytest

from tests.api.serving import CHAT, TEXT, Served, chunks_of, says, text_of

RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"


def body(path: str, words: str, tokens: int) -> dict[str, Any]:
    match path:
        case "/v1/completions":
            return {"prompt": words, "max_tokens": tokens}
        case "/v1/responses":
            return {"input": words, "max_output_tokens": tokens}
    return says(words, max_tokens=tokens)


def said(answer: dict[str, Any]) -> str:
    if "choices" in answer:
        choice = answer["choices"][0]
        return str(choice["text"] if "text" in choice else choice["message"]["content"])
    block = (answer.get("output") or answer)["content"] if "content" in answer else answer["output"][0]["content"]
    return str(block[0]["text"]) if block else ""


@pytest.mark.parametrize("path", [CHAT, TEXT, RESPONSES, MESSAGES])
@pytest.mark.parametrize(("tokens", "text"), [(1, "a"), (2, "a"), (4, "a"), (5, "a👋"), (6, "a👋"), (7, "a👋é")])
async def test_it_ends_before_the_character(api: Served, path: str, tokens: int, text: str) -> None:
    """One token of the scripted model is one byte."""
    whole = await api.post(path, body(path, "echo: a👋é", tokens))
    assert said(whole.json()) == text
    stream = (await api.post(path, {**body(path, "echo: a👋é", tokens), "stream": True})).text
    assert "\ufffd" not in whole.text + stream
    assert "ufffd" not in whole.text + stream
    if path in (CHAT, TEXT):
        assert text_of(stream) == text


async def test_its_tokens_are_counted_and_shown_as_they_are(api: Served) -> None:
    asked = says("echo: a👋", max_tokens=3, logprobs=True)
    answer = (await api.post(CHAT, asked)).json()
    assert answer["usage"]["completion_tokens"] == 3
    tokens = [entry["token"] for entry in answer["choices"][0]["logprobs"]["content"]]
    assert tokens == ["a", r"\xf0", r"\x9f"]
    chunks = chunks_of((await api.post(CHAT, {**asked, "stream": True})).text)
    scored = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"] if choice["logprobs"]]
    assert [entry["token"] for each in scored for entry in each["content"]] == tokens
    assert json.dumps(answer).count("ufffd") == 0
