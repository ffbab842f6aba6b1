"""POST /v1/completions, whole and streamed."""

from typing import Any

import pytest
from openai import AsyncOpenAI

from extensions.openai.completions.outbound import LogprobTable
from extensions.openai.typing import TextCompletionRequest
from modules.engine.types import Alternative, TokenLogprob
from tests.api.serving import TEXT, Served, chunks_of


def scored(text: str | bytes, logprob: float = -1.0, top: tuple[Alternative, ...] = ()) -> TokenLogprob:
    return TokenLogprob(0, text if isinstance(text, bytes) else text.encode(), logprob, top)


async def test_the_official_client_gets_a_continuation(client: AsyncOpenAI) -> None:
    completion = await client.completions.create(model="x", prompt="echo: hi")
    [choice] = completion.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == ("hi", "stop", None)
    assert completion.object == "text_completion"
    assert completion.id.startswith("cmpl-")


async def test_the_official_client_reads_a_stream(client: AsyncOpenAI) -> None:
    stream = await client.completions.create(model="x", prompt="echo: é👋", stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].text for chunk in chunks) == "é👋"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("echo: a", ["a"]),
        (["echo: a", "echo: b"], ["a", "b"]),
        (list(b"echo: a"), ["a"]),
        ([list(b"echo: a"), list(b"echo: b")], ["a", "b"]),
        (["echo: a", list(b"echo: b")], ["a", "b"]),
    ],
)
async def test_prompts_are_texts_or_token_ids_one_or_many(api: Served, prompt: object, texts: list[str]) -> None:
    body = (await api.post(TEXT, {"prompt": prompt})).json()
    assert [choice["text"] for choice in body["choices"]] == texts
    assert [choice["index"] for choice in body["choices"]] == list(range(len(texts)))
    assert body["usage"]["prompt_tokens"] == 7 * len(texts)


async def test_choice_i_n_plus_j_is_sample_j_of_prompt_i(api: Served) -> None:
    body: dict[str, Any] = {"prompt": ["echo: a", "echo: b"], "n": 2}
    whole = (await api.post(TEXT, body)).json()
    assert [choice["text"] for choice in whole["choices"]] == ["a", "a", "b", "b"]
    assert whole["usage"]["prompt_tokens"] == 14
    chunks = chunks_of((await api.post(TEXT, body | {"stream": True})).text)
    texts = ["".join(c["choices"][0]["text"] for c in chunks if c["choices"][0]["index"] == i) for i in range(4)]
    assert texts == ["a", "a", "b", "b"]


async def test_without_max_tokens_a_reply_has_512(api: Served) -> None:
    body = (await api.post(TEXT, {"prompt": "count 300", "max_tokens": None})).json()
    assert body["usage"]["completion_tokens"] == 512
    assert body["choices"][0]["finish_reason"] == "length"


async def test_messages_are_joined_without_a_template(api: Served) -> None:
    messages = [{"role": "user", "content": "echo: "}, {"role": "user", "content": [{"type": "text", "text": "raw"}]}]
    body = (await api.post(TEXT, {"messages": messages})).json()
    assert body["choices"][0]["text"] == "raw"
    assert body["usage"]["prompt_tokens"] == len("echo: raw")


@pytest.mark.parametrize("prompt", ["echo: é", list("echo: é".encode())])
async def test_echo_repeats_the_prompt(api: Served, prompt: object) -> None:
    body: dict[str, Any] = {"prompt": prompt, "echo": True}
    assert (await api.post(TEXT, body)).json()["choices"][0]["text"] == "echo: éé"
    chunks = chunks_of((await api.post(TEXT, body | {"stream": True})).text)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["echo: é", "é", ""]


async def test_an_evaluation_harness_can_score(api: Served) -> None:
    prompts = [list(b"echo: abc"), list(b"echo: d")]
    body = {"prompt": prompts, "max_tokens": 1, "echo": True, "logprobs": 1, "temperature": 0, "seed": 1234}
    choices = (await api.post(TEXT, body)).json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1]
    for prompt, choice in zip(prompts, choices, strict=True):
        logprobs = choice["logprobs"]
        assert len(logprobs["token_logprobs"]) == len(logprobs["tokens"]) == len(prompt) + 1
        assert logprobs["token_logprobs"][0] is None
        assert logprobs["top_logprobs"][0] is None
        for logprob, top in zip(logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:], strict=True):
            assert logprob == max(top.values())


async def test_max_tokens_0_only_scores(api: Served) -> None:
    body: dict[str, Any] = {"prompt": "echo: abc", "max_tokens": 0, "echo": True, "logprobs": 0}
    answer = (await api.post(TEXT, body)).json()
    assert answer["choices"][0]["text"] == "echo: abc"
    assert "".join(answer["choices"][0]["logprobs"]["tokens"]) == "echo: abc"
    assert answer["usage"]["completion_tokens"] == 0


async def test_logprobs_0_report_the_token_itself(api: Served) -> None:
    logprobs = (await api.post(TEXT, {"prompt": "echo: hi", "logprobs": 0})).json()["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["h", "i"]
    assert [list(top) for top in logprobs["top_logprobs"]] == [["h"], ["i"]]
    assert logprobs["text_offset"] == [0, 1]


@pytest.mark.parametrize("echo", [False, True])
async def test_streamed_logprobs_are_those_of_the_whole_answer(api: Served, echo: bool) -> None:
    body: dict[str, Any] = {"prompt": "echo: é!", "logprobs": 2, "echo": echo}
    whole = (await api.post(TEXT, body)).json()["choices"][0]
    choices = [chunk["choices"][0] for chunk in chunks_of((await api.post(TEXT, body | {"stream": True})).text)]
    assert "".join(choice["text"] for choice in choices) == whole["text"]
    for key, values in whole["logprobs"].items():
        streamed = [entry for choice in choices if choice["logprobs"] for entry in choice["logprobs"][key]]
        assert streamed == values


async def test_offsets_point_at_the_tokens_of_the_text(api: Served) -> None:
    body = {"prompt": "echo: aé", "echo": True, "logprobs": 0}
    choice = (await api.post(TEXT, body)).json()["choices"][0]
    at = dict(zip(choice["logprobs"]["text_offset"], choice["logprobs"]["tokens"], strict=False))
    assert all(choice["text"][offset] == token for offset, token in at.items() if not token.startswith("\\x"))


async def test_best_of_makes_more_than_it_returns(api: Served) -> None:
    body = (await api.post(TEXT, {"prompt": ["echo: ab", "echo: cd"], "n": 1, "best_of": 3})).json()
    assert [(choice["index"], choice["text"]) for choice in body["choices"]] == [(0, "ab"), (1, "cd")]
    assert [choice["logprobs"] for choice in body["choices"]] == [None, None]
    assert body["usage"]["completion_tokens"] == 12


async def test_null_means_absent_for_every_optional_field(api: Served) -> None:
    absent = dict.fromkeys(TextCompletionRequest.model_fields) | {"prompt": "echo: hi"}
    response = await api.post(TEXT, absent)
    assert response.status_code == 200, response.text


def test_a_begin_token_has_no_text_of_the_prompt() -> None:
    table = LogprobTable().prompt("ab", [None, scored("a"), scored("b")])
    assert table.tokens == ["", "a", "b"]
    assert table.text_offset == [0, 0, 1]


def test_a_prompt_whose_tokens_say_more_than_its_text_keeps_its_offsets() -> None:
    """As with tokenizers that put a space before the first word."""
    table = LogprobTable()
    assert table.prompt("ab", [None, scored(" a"), scored("b")]).text_offset == [0, 0, 2]
    assert table.reply([scored("c")]).text_offset == [3]


def test_parts_of_a_character_stand_where_it_stands() -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    table = LogprobTable().reply([scored("a"), scored(first), scored(second), scored("b")])
    assert table.tokens == ["a", "\\xc3", "\\xa9", "b"]
    assert table.text_offset == [0, 1, 1, 2]


def test_of_tokens_with_the_same_text_the_likeliest_counts() -> None:
    top = (Alternative(1, b"x", -0.1), Alternative(2, b"x", -3.0))
    assert LogprobTable().reply([scored("y", -4.0, top)]).top_logprobs == [{"x": -0.1, "y": -4.0}]


def test_minus_infinity_is_a_number_in_json() -> None:
    assert LogprobTable().reply([scored("y", float("-inf"))]).token_logprobs == [-9999.0]
