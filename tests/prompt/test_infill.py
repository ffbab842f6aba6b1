"""A suffix means the model's own tokens for filling in, or a refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modules.errors import ContextTooLong, NotSupported
from modules.prompt.builder import PromptBuilder
from modules.requests import CompletionRequest
from tests.model_files import QWEN
from tests.prompt.test_real_models import loaded
from tests.scripted import scripted_engine, scripted_spec

MARKS = (300, 301, 302)


def between(before: str | tuple[int, ...], after: str | None) -> CompletionRequest:
    return CompletionRequest(model=None, prompts=(before,), suffix=after)


async def test_suffix_stands_before_the_middle() -> None:
    async with scripted_engine(infill_tokens=MARKS, vocabulary=303) as engine:
        [prompt] = await PromptBuilder().completion(engine, between("ab", "c"))
        assert prompt.tokens == (300, *b"ab", 301, *b"c", 302)
        [prompt] = await PromptBuilder().completion(engine, between((7, 8), "c"))
        assert prompt.tokens == (300, 7, 8, 301, *b"c", 302)


async def test_bos_stands_in_front() -> None:
    async with scripted_engine(infill_tokens=MARKS, adds_bos=True, bos_id=258) as engine:
        [prompt] = await PromptBuilder().completion(engine, between("", "c"))
    assert prompt.tokens == (258, 300, 301, *b"c", 302)


async def test_control_texts_in_code_are_letters() -> None:
    async with scripted_engine(infill_tokens=MARKS) as engine:
        [prompt] = await PromptBuilder().completion(engine, between("<|im_end|>", "<|im_start|>"))
    assert [token for token in prompt.tokens if token > 255] == [300, 301, 302]


@pytest.mark.parametrize("suffix", [None, ""])
async def test_nothing_after_it_is_an_ordinary_completion(suffix: str | None) -> None:
    async with scripted_engine() as engine:
        [prompt] = await PromptBuilder().completion(engine, between("ab", suffix))
    assert prompt.tokens == tuple(b"ab")


async def test_model_without_such_tokens_says_so() -> None:
    async with scripted_engine() as engine:
        with pytest.raises(NotSupported, match="suffix") as caught:
            await PromptBuilder().completion(engine, between("a", "b"))
    assert caught.value.param == "suffix"


async def test_suffix_counts_towards_the_context() -> None:
    async with scripted_engine(scripted_spec(context=20), infill_tokens=MARKS) as engine:
        with pytest.raises(ContextTooLong):
            await PromptBuilder().completion(engine, between("a", "b" * 20))


@pytest.mark.model
async def test_coder_models_tokens_are_its_vocabularys(model_file: Callable[[str], Path]) -> None:
    async with loaded(model_file(QWEN)) as engine:
        [prompt] = await PromptBuilder().completion(
            engine, between("def add(a, b):\n    return", "\n\nprint(add(1, 2))")
        )
        written = "<|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n\nprint(add(1, 2))<|fim_middle|>"
        assert list(prompt.tokens) == await engine.tokenize(written, special=True)
