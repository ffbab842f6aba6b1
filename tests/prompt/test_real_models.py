"""Prompts of real models, with their own vocabularies and templates."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from modules.engine.process import ProcessEngine
from modules.engine.types import LoadSpec
from modules.messages import Message, Role, text_message
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest, Mode, Persona
from tests.model_files import GEMMA, QWEN, SMOLLM2
from tests.prompt.prompting import built

pytestmark = pytest.mark.model


@asynccontextmanager
async def loaded(path: Path) -> AsyncIterator[ProcessEngine]:
    spec = LoadSpec(name=path.name, path=str(path), loader="llama.cpp", context=512, parallel=1, options={"threads": 1})
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


async def test_model_without_template_gets_one_by_its_name_or_alpaca(
    model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    rule = {"models/config.yaml": "gemma-3:\n  instruction_template: G\n", "instruction-templates/G.jinja": "by name"}
    async with loaded(model_file(GEMMA)) as engine:
        assert engine.card.chat_template is None
        async with built(tmp_path / "without") as builder:
            tokens = (await builder.chat(engine, asking("Hi"))).prompt.tokens
        assert tokens[0] == engine.card.bos_id
        assert tokens.count(tokens[0]) == 1
        assert (await engine.detokenize(tokens)).endswith("### Instruction:\nHi\n\n### Response:\n")
        async with built(tmp_path / "with", rule) as builder:
            assert (await builder.chat(engine, asking("Hi"))).text == "by name"


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", [SMOLLM2, pytest.param(QWEN, marks=pytest.mark.extended)])
async def test_later_turns_begin_with_the_earlier_ones_tokens(
    model_file: Callable[[str], Path], name: str, mode: Mode
) -> None:
    """Which is what the model's prefix cache lives on."""
    turns: list[Message] = [text_message(Role.SYSTEM, "Be brief.")]
    before: tuple[int, ...] = ()
    async with loaded(model_file(name)) as engine, built() as builder:
        for number in range(5):
            turns += [text_message(Role.USER, f"Question {number}?")]
            request = ChatRequest(model=None, messages=tuple(turns), persona=Persona(mode=mode))
            tokens = (await builder.chat(engine, request)).prompt.tokens
            # The last few open the reply, and in chat-instruct they close the question too.
            shared = len(before) - 8
            assert tokens[: max(0, shared)] == before[: max(0, shared)]
            before = tokens
            turns += [text_message(Role.ASSISTANT, f"Answer {number}.")]


async def test_replies_end_at_the_models_own_mark(model_file: Callable[[str], Path]) -> None:
    async with loaded(model_file(QWEN)) as engine, built() as builder:
        prompt = await builder.chat(engine, asking("Hi"))
        assert prompt.stop_token_ids == tuple(await engine.tokenize("<|im_end|>", special=True))
        assert prompt.template.stop == ()
