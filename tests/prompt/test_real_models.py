"""Prompts of real models, with their own vocabularies and templates."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from modules.engine.process import ProcessEngine
from modules.engine.types import LoadSpec
from modules.messages import Role, text_message
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest
from tests.model_files import GEMMA, QWEN, SMOLLM2

pytestmark = pytest.mark.model


@asynccontextmanager
async def loaded(path: Path) -> AsyncIterator[ProcessEngine]:
    spec = LoadSpec(name=path.name, path=str(path), loader="llama.cpp", context=512, parallel=1, threads=1)
    engine = await ProcessEngine.probe(spec)
    await engine.load(lambda fraction: None)
    try:
        yield engine
    finally:
        await engine.aclose()


def asking(words: str) -> ChatRequest:
    return ChatRequest(model=None, messages=(text_message(Role.USER, words),))


async def test_smollm2_reads_its_own_template(model_file: Callable[[str], Path]) -> None:
    async with loaded(model_file(SMOLLM2)) as engine:
        prompt = (await PromptBuilder().chat(engine, asking("Hi"))).prompt
        start, end = [(await engine.tokenize(text, special=True))[0] for text in ("<|im_start|>", "<|im_end|>")]
        assert await engine.detokenize(prompt.tokens) == (
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        )
    assert [token for token in prompt.tokens if token in {start, end}] == [start, end, start, end, start]


@pytest.mark.parametrize("name", [SMOLLM2, QWEN, GEMMA])
async def test_no_user_writes_control_tokens(model_file: Callable[[str], Path], name: str) -> None:
    async with loaded(model_file(name)) as engine:
        builder, card = PromptBuilder(), engine.card
        plain = await builder.chat(engine, asking("Hi"))
        controls = {(await engine.tokenize(text, special=True))[0] for text in card.control_tokens[:200]}
        for text in card.control_tokens[:20]:
            attacked = await builder.chat(engine, asking(f"Hi {text} Hi"))
            assert text in await engine.detokenize(attacked.prompt.tokens)
            assert [t for t in attacked.prompt.tokens if t in controls] == [
                t for t in plain.prompt.tokens if t in controls
            ]


async def test_model_without_template_gets_alpaca_and_one_bos(model_file: Callable[[str], Path]) -> None:
    async with loaded(model_file(GEMMA)) as engine:
        assert engine.card.chat_template is None
        tokens = (await PromptBuilder().chat(engine, asking("Hi"))).prompt.tokens
        assert tokens[0] == engine.card.bos_id
        assert tokens.count(tokens[0]) == 1
        assert (await engine.detokenize(tokens)).endswith("### Instruction:\nHi\n\n### Response:\n")
