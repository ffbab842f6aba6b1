"""A model of llama.cpp's and one of Transformers' are answered with the same fields, on every endpoint."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from modules.models.loading import launch_engine
from tests.api.serving import CHAT, TEXT, Served, says, served
from tests.backends.transformers.folders import tiny_folder, write_adapter
from tests.model_files import SMOLLM2

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

HUB: Final = "tiny"
RESPONSES: Final = "/v1/responses"
MESSAGES: Final = "/v1/messages"
# Replies of the same length, whatever a model would say.
FIXED: Final = {"temperature": 0, "max_tokens": 6, "ignore_eos": True}
FIXED_RESPONSE: Final = {"temperature": 0, "max_output_tokens": 16, "ignore_eos": True}
TOOL: Final = {
    "name": "pick",
    "parameters": {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]},
}
TOOLS: Final = {
    "tools": [{"type": "function", "function": TOOL}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
}
SCHEMA: Final = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {"enum": ["yes"]}}}
# Objects whose keys are texts of tokens.
BY_TOKEN: Final = frozenset(("top_logprobs", "/v1/internal/logits", "prompt_logprobs"))
SAMPLERS: Final = {
    "temperature": 0.8,
    "top_k": 50,
    "top_p": 0.9,
    "min_p": 0.01,
    "typical_p": 0.95,
    "tfs": 0.95,
    "top_a": 0.05,
    "top_n_sigma": 2,
    "smoothing_factor": 0.2,
    "epsilon_cutoff": 1,
    "eta_cutoff": 1,
    "xtc_probability": 0.5,
    "dry_multiplier": 0.8,
    "repetition_penalty": 1.1,
    "encoder_repetition_penalty": 1.1,
    "no_repeat_ngram_size": 3,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "logit_bias": {"40": 1},
    "seed": 3,
}
DESCRIBED: Final = ("/v1/internal/model/info", "/v1/internal/lora/list", "/v1/internal/health", "/health")

ASKED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "chat": (CHAT, says("words", **FIXED)),
    "chat, choices": (CHAT, says("words", n=2, **FIXED)),
    "chat, logprobs": (CHAT, says("words", logprobs=True, top_logprobs=3, **FIXED)),
    "chat, schema": (CHAT, says("words", response_format=SCHEMA, max_tokens=20, temperature=0)),
    "chat, tool": (CHAT, says("words", max_tokens=200, temperature=0, **TOOLS)),
    "chat, refused": (CHAT, says("words", temperature="hot")),
    "chat, too long": (CHAT, says("words " * 2000)),
    "text": (TEXT, {"prompt": "words", **FIXED}),
    "text, choices": (TEXT, {"prompt": ["words", "others"], "n": 2, **FIXED}),
    "text, logprobs": (TEXT, {"prompt": "words", "logprobs": 3, **FIXED}),
    "text, echo": (TEXT, {"prompt": "some words", "logprobs": 2, "echo": True, **FIXED}),
    "text, scored": (TEXT, {"prompt": "some words", "logprobs": 2, "echo": True, "max_tokens": 0}),
    "text, tokens": (TEXT, {"prompt": [40, 41, 42], **FIXED}),
    "text, adapters": (TEXT, {"prompt": "words", "lora": [], **FIXED}),
    "text, samplers": (TEXT, {"prompt": "words", "max_tokens": 6, "ignore_eos": True, **SAMPLERS}),
    "chat, regex": (CHAT, says("words", guided_regex="yes|no", max_tokens=9, temperature=0)),
    "text, no such adapter": (TEXT, {"prompt": "words", "lora": [{"name": "nothing"}], **FIXED}),
    "responses": (RESPONSES, {"input": "words", **FIXED_RESPONSE}),
    "responses, logprobs": (
        RESPONSES,
        {"input": "words", "include": ["message.output_text.logprobs"], "top_logprobs": 2, **FIXED_RESPONSE},
    ),
    "messages": (MESSAGES, says("words", **FIXED)),
    "responses, counted": (f"{RESPONSES}/input_tokens", {"input": "words"}),
    "messages, counted": (f"{MESSAGES}/count_tokens", says("words")),
    "tokenize": ("/tokenize", {"content": "words", "prompt": "words"}),
    "tokenize, chat": ("/tokenize", says("words")),
    "prompt": ("/v1/internal/chat-prompt", says("words")),
    "score": ("/v1/score", {"text_1": "words", "text_2": ["words", "others"]}),
    "rerank": ("/v1/rerank", {"query": "words", "documents": ["words", "others"]}),
    "embeddings, refused": ("/v1/embeddings", {"input": "words"}),
    "detokenize": ("/detokenize", {"tokens": [40, 41]}),
    "encode": ("/v1/internal/encode", {"text": "words"}),
    "decode": ("/v1/internal/decode", {"tokens": [40, 41]}),
    "count": ("/v1/internal/token-count", {"text": "words"}),
    "logits": ("/v1/internal/logits", {"prompt": "words", "top_logits": 4}),
    "logits, sampled": ("/v1/internal/logits", {"prompt": "words", "use_samplers": True, "top_k": 4}),
}


@pytest.fixture(scope="module")
def described() -> dict[str, dict[str, Any]]:
    """What was answered about the model that had been loaded last, by its name and by path."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(
    tmp_path_factory: pytest.TempPathFactory,
    model_file: Callable[[str], Path],
    described: dict[str, dict[str, Any]],
) -> AsyncIterator[Served]:
    """Both at once."""
    folder = tmp_path_factory.mktemp("data")
    tiny_folder(folder / "models" / HUB)
    (folder / "models" / SMOLLM2).symlink_to(model_file(SMOLLM2))
    (folder / "loras").mkdir()
    write_adapter(folder / "loras" / "lora", seed=0)
    settings = {"loader": None, "torch_threads": 1, "threads": 1, "ctx_size": 512, "models_max": 2, "self_test": False}
    async with served(folder, launch=launch_engine, **settings) as api:
        for name in (SMOLLM2, HUB):
            loaded = await api.post("/v1/internal/model/load", {"model_name": name})
            assert loaded.status_code == 200, loaded.text
            described[name] = {path: (await api.http.get(path)).json() for path in DESCRIBED}
        yield api


def fields_of(value: Any, name: str) -> Any:
    """The keys of a body, all the way down, with the types of their values; the entries of a list count together."""
    if isinstance(value, dict):
        if name in BY_TOKEN:
            return {"token": sorted({json.dumps(fields_of(each, "token"), sort_keys=True) for each in value.values()})}
        return {key: fields_of(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(fields_of(each, name), sort_keys=True) for each in value})
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def events_of(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.split("\n\n"):
        lines = [line.partition(":")[::2] for line in block.split("\n") if ":" in line]
        named = {name: value.strip() for name, value in lines}
        data = named.get("data", "")
        yield named.get("event", ""), json.loads(data) if data.startswith("{") else data


async def answer(api: Served, model: str, path: str, body: dict[str, Any]) -> Any:
    response = await api.post(path, {"model": model, **body})
    said = [response.status_code, sorted(name for name in response.headers if name != "content-length")]
    if not body.get("stream"):
        return [*said, fields_of(response.json(), path)]
    kinds = {json.dumps([name, fields_of(data, path)], sort_keys=True) for name, data in events_of(response.text)}
    return [*said, sorted(kinds)]


@pytest.mark.parametrize("asked", ASKED)
async def test_answers_have_the_same_fields(api: Served, asked: str) -> None:
    path, body = ASKED[asked]
    assert await answer(api, HUB, path, body) == await answer(api, SMOLLM2, path, body)


@pytest.mark.parametrize(
    "asked", [name for name, (path, _) in ASKED.items() if path in {CHAT, TEXT, RESPONSES, MESSAGES}]
)
async def test_streams_have_the_same_fields(api: Served, asked: str) -> None:
    path, body = ASKED[asked]
    options = {"stream_options": {"include_usage": True}} if path in {CHAT, TEXT} else {}
    streamed = {**body, "stream": True, **options}
    assert await answer(api, HUB, path, streamed) == await answer(api, SMOLLM2, path, streamed)


@pytest.mark.parametrize("path", DESCRIBED)
async def test_models_are_described_with_the_same_fields(
    api: Served, described: dict[str, dict[str, Any]], path: str
) -> None:
    assert fields_of(described[HUB][path], path) == fields_of(described[SMOLLM2][path], path)


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-06-01"}], ids=["openai", "anthropic"])
async def test_models_are_listed_with_the_same_fields(api: Served, headers: dict[str, str]) -> None:
    entries = (await api.http.get("/v1/models", headers=headers)).json()["data"]
    listed = {entry["id"]: fields_of(entry, "") for entry in entries}
    assert listed[HUB] == listed[SMOLLM2]
    for name in (HUB, SMOLLM2):
        one = await api.http.get(f"/v1/models/{name}", headers=headers)
        assert fields_of(one.json(), "") == listed[name]
